#include "fixture.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"

#define MARK "\xE2\x96\x81"

static const char *const pieces[FIXTURE_TOOL - FIXTURE_PIECE0] = {
    MARK MARK, "an", "in", MARK "t", "he", MARK "the", "er", MARK "s", "ing", MARK MARK MARK MARK,
    "aa", "aaaa", "ri", "on", MARK "g", "ol", MARK "gol", "den", MARK "golden", "sc", "al", "ale",
    MARK "scale", "\xE9\x87\x91\xE9\xB3\x9E", "\xC3\xA9t", "ab", "bc", "abc", "ld",
    // single characters
    MARK, "a", "b", "c", "d", "e", "f", "g", "h", "i", "l", "n", "o", "r", "s", "t", "u", "w", "y",
    ".", ",", "!", "\n", "\xC3\xA9", "\xC3\xBC", "\xE9\x87\x91", "\xE9\xB3\x9E", "\xF0\x9F\x90\x9F",
    "<", ">"};

void fixture_init(struct fixture *f) {
    *f = (struct fixture){0};
    f->tokens[FIXTURE_UNK] = (struct token_entry){"<unk>", 5, 0, TOKEN_UNKNOWN};
    f->tokens[FIXTURE_BOS] = (struct token_entry){"<s>", 3, 0, TOKEN_CONTROL};
    f->tokens[FIXTURE_EOS] = (struct token_entry){"</s>", 4, 0, TOKEN_CONTROL};
    for (int i = 0; i < 256; i++) {
        snprintf(f->bytes[i], sizeof f->bytes[i], "<0x%02X>", (unsigned)i);
        f->tokens[FIXTURE_BYTE0 + i] = (struct token_entry){f->bytes[i], 6, 0, TOKEN_BYTE};
    }
    for (int i = FIXTURE_PIECE0; i < FIXTURE_TOOL; i++) {
        const char *text = pieces[i - FIXTURE_PIECE0];
        f->tokens[i] =
            (struct token_entry){text, strlen(text), (float)(FIXTURE_PIECE0 - i), TOKEN_NORMAL};
    }
    f->tokens[FIXTURE_TOOL] = (struct token_entry){"<tool>", 6, 0, TOKEN_USER_DEFINED};
    f->tokens[FIXTURE_END] = (struct token_entry){"<|end|>", 7, 0, TOKEN_CONTROL};
    f->spec = (struct spm_spec){.tokens = f->tokens,
                                .n_token = FIXTURE_N,
                                .bos = FIXTURE_BOS,
                                .eos = FIXTURE_EOS,
                                .unk = FIXTURE_UNK,
                                .add_bos = true,
                                .add_space_prefix = true};
}

/* ---- tokenizer.json ---- */

static bool is_piece(const struct fixture *f, const char *text, size_t len) {
    for (int i = FIXTURE_PIECE0; i < FIXTURE_TOOL; i++) {
        if (f->tokens[i].len == len && memcmp(f->tokens[i].text, text, len) == 0) return true;
    }
    return false;
}

static json_t *merges_of(const struct fixture *f, bool pairs) {
    json_t *merges = json_array();
    for (int i = FIXTURE_PIECE0; i < FIXTURE_TOOL; i++) {
        const char *text = f->tokens[i].text;
        size_t len = f->tokens[i].len;
        for (size_t at = 1; at < len; at++) {
            if (!is_piece(f, text, at) || !is_piece(f, text + at, len - at)) continue;
            json_array_append_new(merges, pairs ? json_pack("[s%s%]", text, at, text + at, len - at)
                                                : json_sprintf("%.*s %.*s", (int)at, text,
                                                               (int)(len - at), text + at));
        }
    }
    return merges;
}

static json_t *part(const char *text, const char *usual) {
    json_t *value = json_loads(text ? text : usual, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    return value;
}

static json_t *added_of(const struct fixture *f) {
    static const int32_t ids[] = {FIXTURE_UNK, FIXTURE_BOS, FIXTURE_EOS, FIXTURE_TOOL, FIXTURE_END};
    json_t *added = json_array();
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        json_array_append_new(added,
                              json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", ids[i],
                                        "content", f->tokens[ids[i]].text, "special",
                                        f->tokens[ids[i]].type != TOKEN_USER_DEFINED, "lstrip", 0,
                                        "rstrip", 0, "single_word", 0, "normalized", 0));
    }
    return added;
}

char *fixture_json_text(const struct fixture *f, const struct fixture_json *parts) {
    static const struct fixture_json none;
    if (!parts) parts = &none;
    json_t *vocab = json_object(), *root;
    for (int i = 0; i < FIXTURE_TOOL; i++)
        json_object_set_new(vocab, f->tokens[i].text, json_integer(i));
    root = json_pack(
        "{s:s, s:n, s:n, s:o, s:o, s:o, s:o, s:o, s:{s:s, s:n, s:s, s:b, s:b, s:o, s:o}}",
        "version", "1.0", "truncation", "padding", "added_tokens", added_of(f), "normalizer",
        part(parts->normalizer,
             "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"" MARK
             "\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" MARK
             "\"}]}"),
        "pre_tokenizer", part(parts->pre_tokenizer, "null"), "decoder",
        part(parts->decoder,
             "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":"
             "\"" MARK "\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},"
             "{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]}"),
        "post_processor",
        part(parts->post_processor,
             "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\","
             "\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[],"
             "\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[1],\"tokens\":[\"<s>\"]}}}"),
        "model", "type", "BPE", "dropout", "unk_token", "<unk>", "fuse_unk", 1, "byte_fallback", 1,
        "vocab", vocab, "merges", merges_of(f, parts->pairs));
    assert_non_null(root);
    char *text = json_dumps(root, 0);
    json_decref(root);
    assert_non_null(text);
    return text;
}

/* ---- tokenizers and what they do ---- */

struct tokenizer *fixture_spm(void) {
    struct fixture f;
    struct tokenizer *t;
    struct jl_error err = {0};
    fixture_init(&f);
    if (tokenizer_from_spm(&f.spec, &t, &err) != JL_OK) fail_msg("%s", err.message);
    return t;
}

struct tokenizer *fixture_from_json(const char *json) {
    struct tokenizer *t;
    struct jl_error err = {0};
    if (tokenizer_from_json(json, strlen(json), NULL, 0, &t, &err) != JL_OK)
        fail_msg("%s", err.message);
    return t;
}

size_t fixture_encode(const struct tokenizer *t, const char *text, size_t len, int flags,
                      int32_t **ids) {
    struct jl_error err = {0};
    size_t n;
    if (tokenizer_encode(t, text, len, flags, ids, &n, &err) != JL_OK) fail_msg("%s", err.message);
    return n;
}

char *fixture_decode(const struct tokenizer *t, const int32_t *ids, size_t n, size_t *len) {
    struct token_stream stream;
    struct jl_error err = {0};
    char *text = NULL;
    size_t cap = 0;
    *len = 0;
    token_stream_init(&stream, t, true);
    for (size_t i = 0; i < n; i++) {
        if (token_stream_push(&stream, ids[i], &text, len, &cap, &err) != JL_OK)
            fail_msg("id %d: %s", ids[i], err.message);
    }
    if (token_stream_end(&stream, &text, len, &cap, &err) != JL_OK) fail_msg("%s", err.message);
    char *copy = calloc(1, *len + 1);
    if (*len) memcpy(copy, text, *len);
    free(text);
    return copy;
}

void fixture_check(const struct tokenizer *t, const char *text, int flags, const char *want) {
    int32_t *ids;
    size_t n = fixture_encode(t, text, strlen(text), flags, &ids), used = 0, cap = n * 12 + 1;
    char *got = calloc(1, cap);
    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(got + used, cap - used, i ? " %d" : "%d", ids[i]);
    if (strcmp(got, want) != 0) fail_msg("'%s' became %s, not %s", text, got, want);
    free(got);
    free(ids);
}

uint64_t fixture_random(uint64_t *state) { // splitmix64
    uint64_t x = *state += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

size_t fixture_random_text(uint64_t *state, char *out, size_t len) {
    static const char *const more[] = {
        " ",      "  ",      " the", "q",  "\xC3\xB1", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
        "golden", "aaaaaaa", "\t",   "abc"};
    const size_t n_more = sizeof more / sizeof more[0], n_piece = sizeof pieces / sizeof pieces[0];
    size_t used = 0;
    for (;;) {
        size_t pick = fixture_random(state) % (n_more + n_piece);
        const char *text = pick < n_more ? more[pick] : pieces[pick - n_more];
        if (strstr(text, MARK)) text = " "; // the mark itself reads back as a space
        size_t n = strlen(text);
        if (used + n > len) return used;
        memcpy(out + used, text, n);
        used += n;
    }
}

/* ---- the shared folder ---- */

char *fixture_shared(const char *name) {
    char *path = NULL;
    if (asprintf(&path, "../shared/%s", name) < 0) return NULL;
    if (file_exists(path)) return path;
    printf("SKIPPED: there is no ../shared/%s beside this checkout\n", name);
    free(path);
    return NULL;
}

static bool check_case(const struct tokenizer *t, const char *line, const char *path) {
    json_t *root = json_loads(line, JSON_ALLOW_NUL, NULL);
    assert_non_null(root);
    const json_t *text = json_object_get(root, "text"), *want = json_object_get(root, "ids");
    int32_t *ids;
    size_t n = fixture_encode(
        t, json_string_value(text), json_string_length(text),
        json_is_true(json_object_get(root, "parse_special")) ? ENCODE_SPECIAL : 0, &ids);
    bool same = n == json_array_size(want);
    for (size_t i = 0; same && i < n; i++)
        same = ids[i] == json_integer_value(json_array_get(want, i));
    if (!same)
        print_error("%s: case %s differs\n", path,
                    json_string_value(json_object_get(root, "case")));
    free(ids);
    json_decref(root);
    return same;
}

size_t fixture_check_cases(const struct tokenizer *t, const char *path) {
    struct jl_error err = {0};
    char *text;
    size_t n = 0, n_bad = 0;
    if (file_read(path, (size_t)64 << 20, &text, NULL, &err) != JL_OK) fail_msg("%s", err.message);
    for (char *line = text, *end; *line; line = end + 1, n++) {
        end = strchrnul(line, '\n');
        bool last = *end == '\0';
        *end = '\0';
        n_bad += !check_case(t, line, path);
        if (last) {
            n++;
            break;
        }
    }
    free(text);
    if (n_bad) fail_msg("%s: %zu of %zu cases differ", path, n_bad, n);
    return n;
}

void fixture_put_base64(const char *bytes, size_t len, char *out) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (i + k < len ? (unsigned char)bytes[i + k] : 0u);
        for (size_t k = 0; k < 4; k++)
            out[n++] = i + k <= len ? letters[bits >> (18 - 6 * k) & 63] : '=';
    }
    out[n] = '\0';
}
