/* The byte trie and the Unigram model: small cases by hand, random ones against a plain search. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "text/tokenizer/trie.h"
#include "text/tokenizer/unigram.h"

/* ---- trie ---- */

static void test_trie_random(void **state) {
    (void)state;
    enum { N = 3000 };
    uint64_t random = 7;
    char(*texts)[8] = calloc(N, sizeof *texts);
    struct trie_key *keys = calloc(N, sizeof *keys), *sorted = calloc(N, sizeof *keys);
    for (int i = 0; i < N; i++) {
        size_t len = 1 + fixture_random(&random) % 7;
        for (size_t k = 0; k < len; k++)
            texts[i][k] = (char)(fixture_random(&random) % (i % 2 ? 3 : 256));
        keys[i] = (struct trie_key){texts[i], len, i};
    }
    memcpy(sorted, keys, N * sizeof *keys);
    struct trie trie;
    assert_true(trie_build(&trie, sorted, N));
    for (int i = 0; i < N; i++) {
        int32_t want = -1, got = -1;
        for (int k = 0; k < N; k++) { // of equal texts the greatest value
            if (keys[k].len == keys[i].len && !memcmp(keys[k].text, keys[i].text, keys[i].len))
                want = keys[k].value;
        }
        assert_int_equal(trie_longest(&trie, keys[i].text, keys[i].len, &got), keys[i].len);
        assert_int_equal(got, want);
    }
    trie_free(&trie);
    free(texts);
    free(keys);
    free(sorted);
}

static void test_trie_empty(void **state) {
    (void)state;
    struct trie trie = {0};
    int32_t value;
    assert_int_equal(trie_longest(&trie, "a", 1, &value), 0);
    assert_true(trie_build(&trie, NULL, 0));
    for (int byte = 0; byte < 256; byte++) {
        char text = (char)byte;
        assert_int_equal(trie_longest(&trie, &text, 1, &value), 0);
    }
    trie_free(&trie);
}

/* ---- unigram ---- */

static void build(struct unigram *u, const char *const *texts, const double *scores, int n) {
    struct unigram_piece *pieces = calloc((size_t)n, sizeof *pieces);
    *u = (struct unigram){.unknown = 0, .unknown_score = -30};
    memset(u->byte_token, 0xFF, sizeof u->byte_token);
    for (int i = 0; i < n; i++)
        pieces[i] = (struct unigram_piece){texts[i], strlen(texts[i]), i + 1, scores[i]};
    assert_true(unigram_build(u, pieces, (size_t)n, (size_t)n + 1));
    free(pieces);
}

static void check(const struct unigram *u, const char *text, const char *want) {
    struct unigram_run run = {0};
    struct id_buffer ids = {0};
    struct jl_error err;
    char got[400] = "";
    assert_int_equal(unigram_encode(u, &run, text, strlen(text), &ids, &err), JL_OK);
    for (size_t i = 0; i < ids.len; i++)
        sprintf(got + strlen(got), "%s%d", i ? " " : "", ids.data[i]);
    assert_string_equal(got, want);
    free(ids.data);
    unigram_run_free(&run);
}

static const char *const texts[] = {"a", "b", "c", "d", "cd", "ab", "abc", "abcd"};
static const double scores[] = {-5, -5, -5, -5, -4, -3, -2, -1};

static void test_best_path(void **state) {
    (void)state;
    struct unigram u;
    build(&u, texts, scores, 8);
    check(&u, "", "");
    check(&u, "abcd", "8");
    check(&u, "abcdacdxx", "8 1 5 0"); // a run of unknown characters is one token
    check(&u, "xaxx", "0 1 0");
    check(&u, "\xE9\x87\x91 b", "0 2"); // one character, three bytes
    check(&u, "\xE9\x87", "0");         // stray bytes
    u.byte_fallback = true;
    for (int i = 0; i < 256; i++)
        u.byte_token[i] = 1000 + i;
    check(&u, "x\xE9\x87\x91y", "1120 1233 1135 1145 1121");
    u.byte_token['y'] = -1;
    check(&u, "xyy", "1120 0");
    u.unknown = -1;
    struct unigram_run run = {0};
    struct id_buffer ids = {0};
    struct jl_error err;
    assert_int_equal(unigram_encode(&u, &run, "y", 1, &ids, &err), JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "0x79"));
    free(ids.data);
    unigram_run_free(&run);
    unigram_free(&u);
}

/* Equal sums: the cut that was found first stays, which is the one with the longer last piece. */
static void test_ties(void **state) {
    (void)state;
    static const char *const t[] = {"a", "b", "ab", "ba"};
    static const double s[] = {-1, -1, -2, -2};
    struct unigram u;
    build(&u, t, s, 4);
    check(&u, "ab", "3");
    check(&u, "aba", "1 4");
    check(&u, "abab", "3 3");
    unigram_free(&u);
}

/* Sums that differ as doubles only are a tie for SentencePiece. */
static void test_rounding(void **state) {
    (void)state;
    static const char *const t[] = {"x", "a", "b", "ab"};
    static const double s[] = {-16777216, -0.25, -0.25, -0.75};
    struct unigram u;
    build(&u, t, s, 4);
    check(&u, "xab", "1 2 3");
    u.round_sums = true;
    check(&u, "xab", "1 4");
    unigram_free(&u);
}

/* The best sum by trying every cut, for short texts. */
static double best(const char *text, size_t len) {
    if (len == 0) return 0;
    double most = -30 + best(text + 1, len - 1);
    for (int i = 0; i < 8; i++) {
        size_t n = strlen(texts[i]);
        if (n > len || memcmp(texts[i], text, n) != 0) continue;
        double sum = scores[i] + best(text + n, len - n);
        if (sum > most) most = sum;
    }
    return most;
}

static void test_against_all_cuts(void **state) {
    (void)state;
    struct unigram u;
    struct unigram_run run = {0};
    struct jl_error err;
    build(&u, texts, scores, 8);
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        uint64_t random = seed;
        struct id_buffer ids = {0};
        char text[12];
        size_t len = fixture_random(&random) % sizeof text, unknown = 0;
        for (size_t i = 0; i < len; i++) {
            text[i] = (char)('a' + fixture_random(&random) % 5);
            unknown += text[i] == 'e';
        }
        assert_int_equal(unigram_encode(&u, &run, text, len, &ids, &err), JL_OK);
        double sum = -30 * (double)unknown;
        for (size_t i = 0; i < ids.len; i++)
            sum += ids.data[i] ? scores[ids.data[i] - 1] : 0;
        if (sum != best(text, len)) fail_msg("seed %d: %.*s", (int)seed, (int)len, text);
        free(ids.data);
    }
    unigram_run_free(&run);
    unigram_free(&u);
}

/* A megabyte of one letter is worked off in time that grows with its length only. */
static void test_long_run(void **state) {
    (void)state;
    static const char *const t[] = {"a", "aa", "aaa", "aaaaaaaa"};
    static const double s[] = {-1, -1.5, -2, -4};
    const size_t len = (size_t)1 << 20;
    struct unigram u;
    struct unigram_run run = {0};
    struct id_buffer ids = {0};
    struct jl_error err;
    build(&u, t, s, 4);
    char *text = malloc(len);
    memset(text, 'a', len);
    assert_int_equal(unigram_encode(&u, &run, text, len, &ids, &err), JL_OK);
    assert_int_equal(ids.len, len / 8);
    free(text);
    free(ids.data);
    unigram_run_free(&run);
    unigram_free(&u);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trie_random), cmocka_unit_test(test_trie_empty),
        cmocka_unit_test(test_best_path),   cmocka_unit_test(test_ties),
        cmocka_unit_test(test_rounding),    cmocka_unit_test(test_against_all_cuts),
        cmocka_unit_test(test_long_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
