/* Random bytes as text, and damaged vocabularies: seeded, so that a failure comes again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "text/utf8.h"

#define MARK "\xE2\x96\x81"

/* `bytes` with one U+FFFD for each ill-formed part; `out` has room for three times as many. */
static size_t repair(const char *bytes, size_t len, char *out) {
    size_t used = 0;
    for (size_t at = 0; at < len;) {
        int n = utf8_length(bytes + at, len - at);
        bool unfinished;
        const char *from = n ? bytes + at : UTF8_REPLACEMENT;
        size_t width = n ? (size_t)n : sizeof UTF8_REPLACEMENT - 1;
        memcpy(out + used, from, width);
        used += width;
        at += (size_t)(n ? n : utf8_bad_length(bytes + at, len - at, &unfinished));
    }
    return used;
}

static void check_round_trip(const struct tokenizer *t, uint64_t seed, const char *text,
                             size_t len) {
    char *want = malloc(3 * len + 1);
    int32_t *ids;
    assert_non_null(want);
    size_t n = fixture_encode(t, text, len, 0, &ids), n_want = repair(text, len, want), back_len;
    char *back = fixture_decode(t, ids, n, &back_len);
    if (back_len != n_want || memcmp(back, want, n_want) != 0)
        fail_msg("seed %llu: %zu bytes did not come back", (unsigned long long)seed, len);
    free(back);
    free(want);
    free(ids);
}

/* Lengths on both sides of the limit from which the piece cache is used. */
static void test_round_trip(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    char *json = fixture_json_text(&f, NULL), *text = malloc(20000);
    struct tokenizer *both[] = {fixture_spm(), fixture_from_json(json)};
    for (uint64_t seed = 1; seed <= 600; seed++) {
        uint64_t random = seed;
        size_t cap = seed % 10 ? 300 : 20000, len = fixture_random(&random) % cap;
        if (seed % 3 == 0) { // any bytes
            for (size_t i = 0; i < len; i++)
                text[i] = (char)fixture_random(&random);
        } else {
            len = fixture_random_text(&random, text, len);
        }
        if (seed % 3 == 1 && len) { // text with a few broken places
            for (int i = 0; i < 3; i++)
                text[fixture_random(&random) % len] = (char)fixture_random(&random);
        }
        char *mark = memmem(text, len, MARK, 3); // the one character that reads back as a space
        if (mark) len = (size_t)(mark - text);
        check_round_trip(both[seed % 2], seed, text, len);
    }
    tokenizer_free(both[0]);
    tokenizer_free(both[1]);
    free(text);
    free(json);
}

/* Encoding a whole long text is encoding it with the cache; its words alone go without. */
static void test_cache(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.spec.add_space_prefix = false;
    struct tokenizer *t;
    assert_int_equal(tokenizer_from_spm(&f.spec, &t, NULL), JL_OK);
    char *text = malloc(60000);
    uint64_t random = 7;
    size_t len = fixture_random_text(&random, text, 60000), at_id = 0;
    int32_t *ids, *part;
    size_t n = fixture_encode(t, text, len, 0, &ids);
    for (size_t at = 0, end; at < len; at = end) { // nothing merges over a newline
        const char *line = memchr(text + at, '\n', len - at);
        end = line ? (size_t)(line - text) + 1 : len;
        size_t n_part = fixture_encode(t, text + at, end - at, 0, &part);
        assert_true(at_id + n_part <= n);
        assert_memory_equal(ids + at_id, part, n_part * sizeof *part);
        at_id += n_part;
        free(part);
    }
    assert_int_equal(at_id, n);
    free(ids);
    free(text);
    tokenizer_free(t);
}

/* Damaged files either are refused with a message or make a tokenizer that works. */
static void try_json(const char *json, size_t len) {
    struct tokenizer *t;
    struct jl_error err = {0};
    int32_t *ids;
    size_t n;
    if (tokenizer_from_json(json, len, NULL, 0, &t, &err) != JL_OK) {
        assert_null(t);
        assert_true(err.message[0] != '\0');
        return;
    }
    static const char text[] = "the golden <s> scale\xFF \xF0\x9F\x98\x80<tool>";
    if (tokenizer_encode(t, text, sizeof text, ENCODE_SPECIAL, &ids, &n, &err) == JL_OK) {
        size_t back_len;
        free(fixture_decode(t, ids, n, &back_len));
        free(ids);
    }
    tokenizer_free(t);
}

static void test_damaged_json(void **state) {
    (void)state;
    static const char *const bits[] = {"null", "-1",    "[]",   "{}",  "\"\"",
                                       "1e9",  "\"a\"", "true", "320", ","};
    struct fixture f;
    fixture_init(&f);
    char *json = fixture_json_text(&f, NULL);
    size_t len = strlen(json);
    char *copy = malloc(len + 100);
    for (uint64_t seed = 1; seed <= 1500; seed++) {
        uint64_t random = seed;
        memcpy(copy, json, len);
        size_t at = fixture_random(&random) % len, n = len;
        if (seed % 5 == 0) {
            n = at; // cut off
        } else if (seed % 5 == 1) {
            copy[at] = (char)fixture_random(&random);
        } else { // a value or a piece of one replaced, so that much of the file stays JSON
            while (at > 0 && copy[at - 1] != ':' && copy[at - 1] != ',')
                at--;
            size_t end = at + strcspn(json + at, ",}]");
            const char *bit = bits[fixture_random(&random) % (sizeof bits / sizeof bits[0])];
            memcpy(copy + at, bit, strlen(bit));
            memcpy(copy + at + strlen(bit), json + end, len - end);
            n = at + strlen(bit) + len - end;
        }
        try_json(copy, n);
    }
    free(copy);
    free(json);
}

static void test_damaged_scores(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 600; seed++) {
        uint64_t random = seed;
        struct fixture f;
        struct tokenizer *t;
        struct jl_error err = {0};
        fixture_init(&f);
        for (int i = 0; i < 4; i++) {
            struct token_entry *entry = &f.tokens[fixture_random(&random) % FIXTURE_N];
            switch (fixture_random(&random) % 4) {
            case 0: entry->type = (enum token_type)(fixture_random(&random) % 9); break;
            case 1: entry->len = fixture_random(&random) % (entry->len + 1); break;
            case 2: entry->score = (float)(fixture_random(&random) % 7) * 1e38f; break;
            default: f.spec.n_token = (int)(fixture_random(&random) % (FIXTURE_N + 1));
            }
        }
        if (tokenizer_from_spm(&f.spec, &t, &err) != JL_OK) {
            assert_null(t);
            continue;
        }
        int32_t *ids;
        size_t n;
        char text[200];
        size_t len = fixture_random_text(&random, text, sizeof text), back_len;
        if (tokenizer_encode(t, text, len, ENCODE_SPECIAL | ENCODE_ADD_BOS, &ids, &n, &err) ==
            JL_OK) {
            free(fixture_decode(t, ids, n, &back_len));
            free(ids);
        }
        tokenizer_free(t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_damaged_json),
        cmocka_unit_test(test_damaged_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
