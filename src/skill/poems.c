#include "skill/poems.h"

#include <string.h>

#include "base/json.h"
#include "skill/tsv.h"
#include "skill/verse_check.h"
#include "text/utf8.h"

/* Where a file is being read, and the memory that its texts are cut from: they are all shorter
 * than the file. */
struct reading {
    const char *name;
    int line;
    char *pool;
};

static enum jl_status bad(const struct reading *r, const char *what, struct jl_error *err) {
    return jl_fail(err, JL_ERR_FORMAT, "%s:%d: %s", r->name, r->line, what);
}

static char *keep(struct reading *r, const json_t *text) {
    char *at = r->pool;
    memcpy(at, json_string_value(text), json_string_length(text) + 1);
    r->pool += json_string_length(text) + 1;
    return at;
}

static const char *keep_member(struct reading *r, const json_t *root, const char *key) {
    const json_t *value = json_object_get(root, key);
    return json_is_string(value) ? keep(r, value) : NULL;
}

static int8_t form_of(const char *name) {
    for (int i = 0; i < VERSE_N_REGULAR; i++)
        if (!strcmp(verse_forms[i].name, name)) return (int8_t)i;
    return -1;
}

static enum jl_status read_poem(struct reading *r, const json_t *root, struct poem *out,
                                struct jl_error *err) {
    const json_t *lines = json_object_get(root, "lines"), *line;
    const char *form = json_string_value(json_object_get(root, "form"));
    size_t i;
    *out = (struct poem){.title = keep_member(r, root, "title"),
                         .author = keep_member(r, root, "author"),
                         .dynasty = keep_member(r, root, "dynasty"),
                         .tune = keep_member(r, root, "tune"),
                         .marks = keep_member(r, root, "marks"),
                         .strict = json_is_true(json_object_get(root, "strict"))};
    if (!out->title || !out->author || !out->dynasty || !form || !json_is_array(lines) ||
        !json_array_size(lines))
        return bad(r, "a poem has \"form\", \"title\", \"author\", \"dynasty\" and \"lines\"", err);
    out->form = form_of(form);
    out->lines = r->pool;
    json_array_foreach(lines, i, line) {
        if (!json_is_string(line) || !json_string_length(line))
            return bad(r, "the lines of a poem are texts", err);
        keep(r, line);
    }
    out->n_line = (int)i;
    if (out->form >= 0 && out->n_line != verse_forms[out->form].n_line)
        return bad(r, "the poem has not the lines of its form", err);
    return JL_OK;
}

static enum jl_status read_line(struct reading *r, const char *text, size_t len, struct poem *out,
                                struct jl_error *err) {
    json_t *root;
    json_error_t what;
    enum jl_status status = jl_json_load(text, len, JSON_REJECT_DUPLICATES, &root, &what);
    if (status != JL_OK) return jl_fail(err, status, "%s:%d: %s", r->name, r->line, what.text);
    status = read_poem(r, root, out, err);
    json_decref(root);
    return status;
}

enum jl_status poems_read(const char *folder, const char *name, struct arena *arena,
                          struct poems *out, struct jl_error *err) {
    struct arena own = {0}; // of the file's text
    struct tsv file;
    struct reading r = {.name = name};
    *out = (struct poems){0};
    enum jl_status status = tsv_open(folder, name, &own, &file, err);
    if (status == JL_OK) {
        r.pool = arena_alloc(arena, (size_t)(file.end - file.at) + 1);
        out->poems = arena_calloc(arena, tsv_count(&file), sizeof *out->poems);
        if (!r.pool || !out->poems)
            status = jl_fail(err, JL_ERR_MEMORY, "out of memory for the poems of %s", name);
    }
    for (char *at = file.at, *stop; status == JL_OK && at < file.end; at = stop + 1) {
        stop = memchr(at, '\n', (size_t)(file.end - at));
        if (!stop) stop = file.end;
        r.line++;
        status = read_line(&r, at, (size_t)(stop - at), &out->poems[out->n++], err);
    }
    arena_free(&own);
    return status;
}

const char *poems_line(const struct poem *poem, int i) {
    const char *line = poem->lines;
    while (i-- > 0)
        line += strlen(line) + 1;
    return line;
}

void poems_as_lines(const struct poem *poem, struct han_lines *out) {
    const char *line = poem->lines;
    out->whole = poem->n_line <= HAN_MOST_LINES;
    out->n_line = out->whole ? poem->n_line : HAN_MOST_LINES;
    for (int i = 0; i < out->n_line; i++, line += strlen(line) + 1) {
        out->n_char[i] = han_decode(line, strlen(line), out->code[i], HAN_MOST_CHARS);
        out->whole = out->whole && out->n_char[i] > 0;
        for (int k = 0; k < out->n_char[i]; k++)
            out->whole = out->whole && han_is(out->code[i][k]);
    }
}

static bool ends_line(const char *mark) {
    return !strncmp(mark, "。", 3) || !strncmp(mark, "？", 3) || !strncmp(mark, "！", 3);
}

void poems_write(const struct poem *poem, struct byte_buffer *out, bool *no_memory) {
    const char *line = poem->lines, *mark = poem->marks ? poem->marks : "";
    bool ok = true;
    for (int i = 0; i < poem->n_line; i++, line += strlen(line) + 1) {
        bool last = i + 1 == poem->n_line;
        const char *said = *mark ? mark : i % 2 == 0 && !last ? "，" : "。";
        size_t bytes = (size_t)utf8_length(said, strlen(said));
        if (*mark) mark += bytes;
        ok = ok && buffer_append(out, line, strlen(line)) && buffer_append(out, said, bytes) &&
             (last || !ends_line(said) || buffer_append(out, "\n", 1));
    }
    if (!ok) *no_memory = true;
}
