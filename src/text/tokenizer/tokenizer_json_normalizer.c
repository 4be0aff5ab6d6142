/* The normaliser of a tokenizer.json. */
#include <string.h>

#include "text/tokenizer/base64.h"
#include "text/tokenizer/tokenizer_json.h"

#define WHERE "normalizer"

static enum jl_status only_type(const json_t *part, struct jl_error *err) {
    static const char *const known[] = {"type", NULL};
    return json_reader_keys(part, WHERE, known, err);
}

/* {"type": "Prepend", "prepend": "_"} */
static enum jl_status read_prepend(struct tokenizer *t, const json_t *part,
                                   struct normalize_step *step, struct jl_error *err) {
    static const char *const known[] = {"type", "prepend", NULL};
    const char *text;
    JL_TRY(json_reader_keys(part, WHERE, known, err));
    JL_TRY(json_reader_string(part, WHERE, "prepend", &text, &step->content_len, err));
    return tokenizer_json_keep(t, text, step->content_len, &step->content, err);
}

static enum jl_status read_strip(struct tokenizer *t, const json_t *part,
                                 struct normalize_step *step, struct jl_error *err) {
    static const char *const known[] = {"type", "strip_left", "strip_right", NULL};
    (void)t;
    JL_TRY(json_reader_keys(part, WHERE, known, err));
    JL_TRY(json_reader_bool(part, WHERE, "strip_left", false, &step->left, err));
    return json_reader_bool(part, WHERE, "strip_right", false, &step->right, err);
}

/* "strip_accents" null means: as "lowercase". */
static enum jl_status read_bert(struct tokenizer *t, const json_t *part,
                                struct normalize_step *step, struct jl_error *err) {
    static const char *const known[] = {"type",          "clean_text", "handle_chinese_chars",
                                        "strip_accents", "lowercase",  NULL};
    struct unicode_form_bert *bert = &step->bert;
    (void)t;
    JL_TRY(json_reader_keys(part, WHERE, known, err));
    JL_TRY(json_reader_bool(part, WHERE, "clean_text", true, &bert->clean_text, err));
    JL_TRY(json_reader_bool(part, WHERE, "handle_chinese_chars", true, &bert->handle_chinese_chars,
                            err));
    JL_TRY(json_reader_bool(part, WHERE, "lowercase", true, &bert->lowercase, err));
    return json_reader_bool(part, WHERE, "strip_accents", bert->lowercase, &bert->strip_accents,
                            err);
}

/* The table is kept as bytes, in the arena. */
static enum jl_status read_precompiled(struct tokenizer *t, const json_t *part,
                                       struct normalize_step *step, struct jl_error *err) {
    static const char *const known[] = {"type", "precompiled_charsmap", NULL};
    const char *text;
    size_t len, n = 0;
    struct jl_error inner;
    JL_TRY(json_reader_keys(part, WHERE, known, err));
    if (json_reader_absent(json_object_get(part, "precompiled_charsmap"))) return JL_OK;
    JL_TRY(json_reader_string(part, WHERE, "precompiled_charsmap", &text, &len, err));
    char *bytes = arena_alloc(&t->arena, len ? len : 1);
    if (!bytes) return tokenizer_json_no_memory(err);
    if (len && !base64_decode(text, len, bytes, &n)) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": " WHERE ".precompiled_charsmap is not base64");
    }
    enum jl_status status = charsmap_open(&step->map, bytes, n, &inner);
    return status == JL_OK
               ? JL_OK
               : jl_fail(err, status, JSON_READER_FILE ": " WHERE ": %s", inner.message);
}

/* Bytes as characters is what a model of bytes undoes: the same as before the pre-tokenizer. */
static enum jl_status read_byte_level(struct tokenizer *t, const json_t *part,
                                      struct jl_error *err) {
    JL_TRY(only_type(part, err));
    t->bpe.bytes = true;
    t->pretok.steps[t->pretok.n_step++] = (struct pretok_step){.kind = PRETOK_BYTES};
    return JL_OK;
}

static const struct {
    const char *type;
    enum normalize_kind kind;
    enum unicode_form form;
    enum jl_status (*read)(struct tokenizer *t, const json_t *part, struct normalize_step *step,
                           struct jl_error *err);
} kinds[] = {
    {"NFC", NORMALIZE_FORM, UNICODE_NFC, NULL},
    {"NFD", NORMALIZE_FORM, UNICODE_NFD, NULL},
    {"NFKC", NORMALIZE_FORM, UNICODE_NFKC, NULL},
    {"NFKD", NORMALIZE_FORM, UNICODE_NFKD, NULL},
    {"Lowercase", NORMALIZE_LOWERCASE, UNICODE_NFC, NULL},
    {"StripAccents", NORMALIZE_STRIP_ACCENTS, UNICODE_NFC, NULL},
    {"Nmt", NORMALIZE_NMT, UNICODE_NFC, NULL},
    {"Strip", NORMALIZE_STRIP, UNICODE_NFC, read_strip},
    {"Prepend", NORMALIZE_PREPEND, UNICODE_NFC, read_prepend},
    {"BertNormalizer", NORMALIZE_BERT, UNICODE_NFC, read_bert},
    {"Precompiled", NORMALIZE_CHARSMAP, UNICODE_NFC, read_precompiled},
};

static enum jl_status read_normalizer(struct tokenizer *t, const json_t *part, const char *type,
                                      void *ctx, struct jl_error *err) {
    (void)ctx;
    if (t->bpe.bytes) return json_reader_unknown(WHERE, "component after ByteLevel", err);
    if (strcmp(type, "ByteLevel") == 0) return read_byte_level(t, part, err);
    if (strcmp(type, "Replace") == 0)
        return tokenizer_json_replace(t, part, WHERE, &t->normalizer, err);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].type, type) != 0) continue;
        struct normalize_step *step = tokenizer_json_step(&t->normalizer, WHERE, err);
        if (!step) return JL_ERR_LIMIT;
        step->kind = kinds[i].kind;
        step->form = kinds[i].form;
        return kinds[i].read ? kinds[i].read(t, part, step, err) : only_type(part, err);
    }
    return json_reader_unknown(WHERE, type, err);
}

enum jl_status tokenizer_json_normalizer(struct tokenizer *t, const json_t *root,
                                         struct jl_error *err) {
    const struct tokenizer_json_walk walk = {WHERE, "normalizers", read_normalizer, NULL};
    return tokenizer_json_each(t, json_object_get(root, WHERE), &walk, err);
}
