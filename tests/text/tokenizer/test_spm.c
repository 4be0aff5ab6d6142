/* SentencePiece BPE by scores: against a plain reading of the rule, and the rules around it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

#define MARK "\xE2\x96\x81"

/* ---- the rule itself, on texts ---- */

struct span {
    const char *text;
    size_t len;
};

static int find(const struct fixture *f, const char *text, size_t len) {
    for (int i = FIXTURE_PIECE0; i < FIXTURE_TOOL; i++) {
        if (f->tokens[i].len == len && memcmp(f->tokens[i].text, text, len) == 0) return i;
    }
    return -1;
}

/* `text` is well-formed and already normalised. */
static size_t encode_plainly(const struct fixture *f, const char *text, size_t len, int32_t *ids) {
    struct span *spans = calloc(len + 1, sizeof *spans);
    size_t n = 0, n_id = 0;
    for (size_t i = 0; i < len; i++) {
        if (((unsigned char)text[i] & 0xC0) != 0x80) spans[n++] = (struct span){text + i, 0};
        spans[n - 1].len++;
    }
    for (;;) {
        size_t best = 0;
        int best_id = -1;
        for (size_t i = 0; i + 1 < n; i++) {
            int id = find(f, spans[i].text, spans[i].len + spans[i + 1].len);
            if (id < 0) continue;
            if (best_id < 0 || f->tokens[id].score > f->tokens[best_id].score) {
                best = i;
                best_id = id;
            }
        }
        if (best_id < 0) break;
        spans[best].len += spans[best + 1].len;
        memmove(spans + best + 1, spans + best + 2, (n - best - 2) * sizeof *spans);
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        int id = find(f, spans[i].text, spans[i].len);
        for (size_t k = 0; id < 0 && k < spans[i].len; k++)
            ids[n_id++] = FIXTURE_BYTE0 + (unsigned char)spans[i].text[k];
        if (id >= 0) ids[n_id++] = id;
    }
    free(spans);
    return n_id;
}

static void compare_with_plain(bool equal_scores) {
    struct fixture f;
    struct tokenizer *t;
    fixture_init(&f);
    if (equal_scores) { // ties, broken to the left
        for (int i = FIXTURE_PIECE0; i < FIXTURE_TOOL; i++)
            f.tokens[i].score = (float)(i % 3);
    }
    assert_int_equal(tokenizer_from_spm(&f.spec, &t, NULL), JL_OK);
    for (uint64_t seed = 1; seed <= 400; seed++) {
        uint64_t random = seed;
        char text[400], normal[1300];
        int32_t want[1300], *ids;
        size_t len = fixture_random_text(&random, text, 1 + fixture_random(&random) % 400);
        size_t n_normal = 0;
        if (len) n_normal = (size_t)sprintf(normal, MARK);
        for (size_t i = 0; i < len; i++)
            n_normal += (size_t)sprintf(normal + n_normal, text[i] == ' ' ? MARK : "%c", text[i]);
        size_t n_want = encode_plainly(&f, normal, n_normal, want);
        size_t n = fixture_encode(t, text, len, 0, &ids);
        if (n != n_want || memcmp(ids, want, n * sizeof *ids) != 0)
            fail_msg("seed %llu differs", (unsigned long long)seed);
        free(ids);
    }
    tokenizer_free(t);
}

static void test_plain_rule(void **state) {
    (void)state;
    compare_with_plain(false);
}

static void test_ties(void **state) {
    (void)state;
    compare_with_plain(true);
}

/* ---- order, bytes, specials ---- */

#define ID(text) piece_id(text)
static int piece_id(const char *text) {
    struct fixture f;
    fixture_init(&f);
    int id = find(&f, text, strlen(text));
    assert_true(id >= 0);
    return id;
}

static const char *ids_text(int n, ...) {
    static char out[8][200];
    static unsigned turn;
    char *text = out[turn++ % 8];
    size_t used = 0;
    va_list args;
    va_start(args, n);
    for (int i = 0; i < n; i++)
        used += (size_t)sprintf(text + used, i ? " %d" : "%d", va_arg(args, int));
    va_end(args);
    return text;
}

static void test_order(void **state) {
    (void)state;
    struct tokenizer *t = fixture_spm();
    // "ab" has a higher score than "bc"; then "ab" + "c" is "abc".
    fixture_check(t, "abc", 0, ids_text(2, ID(MARK), ID("abc")));
    fixture_check(t, "aaaaa", 0, ids_text(3, ID(MARK), ID("aaaa"), ID("a")));
    fixture_check(t, "", 0, "");
    fixture_check(t, " ", 0, ids_text(1, ID(MARK MARK)));
    // U+91D1 U+9CDE merge although "scale" in Chinese is two characters of three bytes each.
    fixture_check(t, "\xE9\x87\x91\xE9\xB3\x9E", 0,
                  ids_text(2, ID(MARK), ID("\xE9\x87\x91\xE9\xB3\x9E")));
    tokenizer_free(t);
}

static void test_bytes(void **state) {
    (void)state;
    struct tokenizer *t = fixture_spm();
    int b = FIXTURE_BYTE0;
    fixture_check(t, "q", 0, ids_text(2, ID(MARK), b + 'q'));
    fixture_check(t, "\xF0\x9F\x98\x80", 0,
                  ids_text(5, ID(MARK), b + 0xF0, b + 0x9F, b + 0x98, b + 0x80));
    // Stray bytes are bytes, and what stands beside them is text.
    fixture_check(t,
                  "\xFF"
                  "ab\xE9\x87",
                  0, ids_text(5, ID(MARK), b + 0xFF, ID("ab"), b + 0xE9, b + 0x87));
    fixture_check(t, "<0x41>", 0,
                  ids_text(7, ID(MARK), ID("<"), b + '0', b + 'x', b + '4', b + '1', ID(">")));
    int32_t *ids;
    size_t n = fixture_encode(t, "a\0b", 3, 0, &ids);
    assert_int_equal(n, 4);
    assert_int_equal(ids[2], b);
    free(ids);
    tokenizer_free(t);
}

static void test_specials(void **state) {
    (void)state;
    struct tokenizer *t = fixture_spm();
    int m = ID(MARK), a = ID("a"), end = FIXTURE_END, tool = FIXTURE_TOOL;
    fixture_check(t, "a<|end|>a", ENCODE_SPECIAL, ids_text(5, m, a, end, m, a));
    fixture_check(t, "<s><s>a</s>", ENCODE_SPECIAL | ENCODE_ADD_BOS, ids_text(6, 1, 1, 1, m, a, 2));
    fixture_check(t, "<unk>", ENCODE_SPECIAL, "0");
    // User-defined tokens are always found; control tokens never come from plain text.
    fixture_check(t, "a<tool>a", 0, ids_text(5, m, a, tool, m, a));
    static const char markup[] = "<s>a</s><|end|><unk>";
    int32_t *ids;
    size_t n = fixture_encode(t, markup, strlen(markup), 0, &ids), len;
    for (size_t i = 0; i < n; i++)
        assert_false(tokenizer_is_control(t, ids[i]) || ids[i] == FIXTURE_UNK);
    char *back = fixture_decode(t, ids, n, &len);
    assert_string_equal(back, markup);
    free(back);
    free(ids);
    assert_true(tokenizer_is_control(t, FIXTURE_END));
    assert_false(tokenizer_is_control(t, FIXTURE_TOOL));
    assert_false(tokenizer_is_control(t, -1));
    assert_false(tokenizer_is_control(t, FIXTURE_N));
    tokenizer_free(t);
}

static void test_marks(void **state) {
    (void)state;
    struct fixture f;
    struct tokenizer *t;
    struct jl_error err;
    fixture_init(&f);
    int newline = find(&f, "\n", 1);
    f.tokens[newline].type = TOKEN_USER_DEFINED;
    assert_int_equal(tokenizer_from_spm(&f.spec, &t, &err), JL_OK);
    static const int32_t marks[] = {FIXTURE_UNK, FIXTURE_BOS, FIXTURE_EOS, FIXTURE_TOOL,
                                    FIXTURE_END};
    int n = 0;
    for (int32_t id = -1; id <= FIXTURE_N; id++)
        n += tokenizer_is_mark(t, id);
    assert_int_equal(n, sizeof marks / sizeof marks[0]); // added white space is none
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        assert_true(tokenizer_is_mark(t, marks[i]));
    tokenizer_free(t);
}

static void test_settings(void **state) {
    (void)state;
    struct fixture f;
    struct tokenizer *t;
    int m = ID(MARK), a = ID("a");
    fixture_init(&f);
    f.spec.add_space_prefix = false;
    f.spec.add_bos = false;
    f.spec.add_eos = true;
    assert_int_equal(tokenizer_from_spm(&f.spec, &t, NULL), JL_OK);
    fixture_check(t, "a", ENCODE_ADD_BOS, ids_text(2, a, 2));
    fixture_check(t, " a", 0, ids_text(2, m, a));
    int32_t *ids;
    size_t len, n = fixture_encode(t, " a", 2, 0, &ids);
    char *back = fixture_decode(t, ids, n, &len);
    assert_string_equal(back, " a"); // no dummy prefix, none dropped
    free(back);
    free(ids);
    tokenizer_free(t);
}

static void test_unknown(void **state) {
    (void)state;
    struct fixture f;
    struct tokenizer *t;
    struct jl_error err = {0};
    int32_t *ids;
    size_t n;
    int m = ID(MARK), a = ID("a");
    fixture_init(&f);
    for (int i = 'q'; i < 256; i++) // no byte tokens from 'q' on
        f.tokens[FIXTURE_BYTE0 + i].type = TOKEN_CONTROL;
    assert_int_equal(tokenizer_from_spm(&f.spec, &t, NULL), JL_OK);
    fixture_check(t, "qxa\xF0\x9F\x98\x80", 0, ids_text(4, m, 0, a, 0)); // a run is one unknown
    fixture_check(t, "pqp", 0, ids_text(4, m, FIXTURE_BYTE0 + 'p', 0, FIXTURE_BYTE0 + 'p'));
    tokenizer_free(t);
    f.spec.unk = TOKEN_NONE;
    assert_int_equal(tokenizer_from_spm(&f.spec, &t, NULL), JL_OK);
    assert_int_equal(tokenizer_encode(t, "q", 1, 0, &ids, &n, &err), JL_ERR_UNSUPPORTED);
    assert_null(ids);
    assert_non_null(strstr(err.message, "0x71"));
    tokenizer_free(t);
}

/* ---- bad vocabularies ---- */

static void check_refused(struct fixture *f, enum jl_status status, const char *says) {
    struct tokenizer *t = (struct tokenizer *)f;
    struct jl_error err = {0};
    enum jl_status got = tokenizer_from_spm(&f->spec, &t, &err);
    if (got != status || !strstr(err.message, says)) fail_msg("%d: %s", (int)got, err.message);
    assert_null(t);
    fixture_init(f);
}

static void test_refused(void **state) {
    (void)state;
    struct fixture f;
    char *big = calloc(1, 2000);
    memset(big, 'a', 1999);
    fixture_init(&f);
    f.spec.n_token = 0;
    check_refused(&f, JL_ERR_LIMIT, "0 tokens");
    f.spec.bos = FIXTURE_N;
    check_refused(&f, JL_ERR_FORMAT, "beginning-of-text token's id is 320");
    f.spec.unk = -7;
    check_refused(&f, JL_ERR_FORMAT, "unknown token's id is -7");
    f.spec.bos = TOKEN_NONE;
    check_refused(&f, JL_ERR_FORMAT, "names none");
    f.tokens[5].type = (enum token_type)7;
    check_refused(&f, JL_ERR_FORMAT, "token 5 has the type 7");
    f.tokens[260].score = strtof("nan", NULL);
    check_refused(&f, JL_ERR_FORMAT, "score of token 260");
    f.tokens[10].text = "<0xZZ>";
    check_refused(&f, JL_ERR_FORMAT, "<0xZZ>");
    f.tokens[10].text = "<0x00>";
    check_refused(&f, JL_ERR_FORMAT, "both byte 0x00");
    f.tokens[270] = f.tokens[280];
    check_refused(&f, JL_ERR_FORMAT, "tokens 270 and 280 have the same text");
    f.tokens[FIXTURE_END] = f.tokens[FIXTURE_EOS];
    check_refused(&f, JL_ERR_FORMAT, "'</s>'");
    f.tokens[300].text = big;
    f.tokens[300].len = 1999;
    check_refused(&f, JL_ERR_LIMIT, "token 300 has 1999 bytes");
    f.tokens[300].text = NULL; // an empty token is only never found
    f.tokens[300].len = 0;
    struct tokenizer *t;
    assert_int_equal(tokenizer_from_spm(&f.spec, &t, NULL), JL_OK);
    tokenizer_free(t);
    tokenizer_free(NULL);
    free(big);
}

/* A megabyte of one letter, and of spaces: a quadratic loop would run into the time limit. */
static void test_long_runs(void **state) {
    (void)state;
    struct tokenizer *t = fixture_spm();
    size_t len = (size_t)1 << 20, out_len;
    char *text = malloc(len);
    int32_t *ids;
    assert_non_null(text);
    memset(text, 'a', len);
    size_t n = fixture_encode(t, text, len, 0, &ids);
    assert_int_equal(n, len / 4 + 1);
    assert_int_equal(ids[1], ID("aaaa"));
    assert_int_equal(ids[n - 1], ID("aaaa"));
    free(ids);
    memset(text, ' ', len);
    n = fixture_encode(t, text, len, 0, &ids);
    char *back = fixture_decode(t, ids, n, &out_len);
    assert_int_equal(out_len, len);
    assert_memory_equal(back, text, len);
    free(back);
    free(ids);
    free(text);
    tokenizer_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_rule), cmocka_unit_test(test_ties),
        cmocka_unit_test(test_order),      cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_specials),   cmocka_unit_test(test_settings),
        cmocka_unit_test(test_unknown),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_long_runs),  cmocka_unit_test(test_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
