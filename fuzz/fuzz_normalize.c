/* The rewriting of texts: Unicode forms and the small normalisers on any bytes, and charsmaps whose
 * table is the input too. The first byte chooses. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/charsmap.h"
#include "text/tokenizer/sp_normalize.h"
#include "text/tokenizer/unicode_form.h"

/* A form of a form is the form. */
static void try_form(enum unicode_form form, const char *text, size_t len) {
    struct byte_buffer once = {0}, twice = {0};
    if (!unicode_form_apply(form, text, len, &once)) return;
    if (unicode_form_apply(form, once.data, once.len, &twice) &&
        (once.len != twice.len || (once.len && memcmp(once.data, twice.data, once.len) != 0)))
        abort();
    if (unicode_form_is(form, text, len) &&
        (once.len != len || (len && memcmp(once.data, text, len) != 0)))
        abort();
    buffer_free(&once);
    buffer_free(&twice);
}

static void try_small(int which, const char *text, size_t len) {
    const struct unicode_form_bert bert = {which & 1, which & 2, which & 4, which & 8};
    struct byte_buffer out = {0};
    unicode_form_bert(&bert, text, len, &out);
    unicode_form_lowercase(text, len, &out);
    unicode_form_strip_accents(text, len, &out);
    unicode_form_strip(which & 1, which & 2, text, len, &out);
    unicode_form_nmt(text, len, &out);
    buffer_free(&out);
}

/* Two bytes say how much is table; the rest is text. */
static void try_charsmap(int which, const uint8_t *data, size_t size) {
    if (size < 2) return;
    size_t table = (size_t)data[0] | (size_t)data[1] << 8;
    data += 2, size -= 2;
    if (table > size) table = size;
    unsigned char *copy = malloc(table ? table : 1); // of its exact size
    struct sp_normalizer sp = {.add_dummy_prefix = which & 1,
                               .remove_extra_whitespaces = which & 2,
                               .escape_whitespaces = which & 4,
                               .as_suffix = which & 8};
    struct jl_error err;
    if (!copy) return;
    if (table) memcpy(copy, data, table);
    if (charsmap_open(&sp.map, copy, table, &err) == JL_OK) {
        const char *text = (const char *)data + table;
        struct byte_buffer out = {0};
        sp_normalize_text(&sp, true, text, size - table, &out);
        charsmap_rewrite(&sp.map, text, size - table, &out);
        charsmap_rewrite_graphemes(&sp.map, text, size - table, &out);
        buffer_free(&out);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    int which = data[0];
    if (which & 64)
        try_charsmap(which, data + 1, size - 1);
    else if (which & 32)
        try_small(which, (const char *)data + 1, size - 1);
    else
        try_form((enum unicode_form)(which & 3), (const char *)data + 1, size - 1);
    return 0;
}
