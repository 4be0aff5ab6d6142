/* Patterns: tables against PCRE2, and the work that a text may take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "text/tokenizer/pre.h"
#include "text/tokenizer/regex.h"
#include "text/utf8.h"

static struct regex *compiled(const char *pattern, size_t len, enum regex_flavour flavour) {
    struct regex *regex;
    struct jl_error err;
    if (regex_compile(pattern, len, flavour, &regex, &err) != JL_OK) fail_msg("%s", err.message);
    return regex;
}

/* The pattern as one atomic group: it matches the same, but no table stands for it. */
static struct regex *without_table(const char *pattern, enum regex_flavour flavour) {
    char text[4096];
    int len = snprintf(text, sizeof text, "(?>%s)", pattern);
    assert_in_range(len, 1, sizeof text - 1);
    struct regex *regex = compiled(text, (size_t)len, flavour);
    assert_false(regex_is_table(regex));
    return regex;
}

/* ---- tables against PCRE2 ---- */

/* What patterns tell apart: of each kind some, on both sides of borders, and some above the basic
 * plane. */
static const char *const pool[] = {
    "a",
    "b",
    "Z",
    "K",
    "I",
    "s",
    "t",
    "'",
    " ",
    " ",
    "  ",
    "\n",
    "\r\n",
    "\t",
    "\xC2\x85",
    "\xC2\xA0",
    "1",
    "23",
    "456",
    "\xD9\xA1",
    "\xC2\xBD",
    "!",
    "...",
    "/",
    "<",
    "_",
    "\xC3\xA9",
    "\xC3\x9F",
    "\xC5\xBF",
    "\xE2\x84\xAA",
    "\xC7\x85",
    "\xCA\xB0",
    "\xCC\x81",
    "\xE0\xA5\xA4",
    "\xE1\xA0\x8E",
    "\xE2\x80\x8D",
    "\xE2\x80\x99",
    "\xE2\x80\xA8",
    "\xE3\x80\x80",
    "\xE3\x80\x82",
    "\xE4\xB8\x80",
    "\xE6\x9C\xAC",
    "\xE9\xBE\xA5",
    "\xE3\x81\x82",
    "\xEA\xB0\x80",
    "\xEF\xBC\x8C",
    "\xEF\xBC\x91",
    "\xEF\xBF\xBD",
    "\xF0\x9D\x90\x80",
    "\xF0\x9F\x98\x80",
    "\xF0\xA0\x80\x80",
    "ab",
    "THE",
    "'LL",
    "'s",
};
#define N_POOL (sizeof pool / sizeof pool[0])

static size_t random_text(uint64_t *random, char *text, size_t cap) {
    size_t len = 0, n = fixture_random(random) % 40;
    const char *last = "a";
    for (size_t i = 0; i < n; i++) {
        if (fixture_random(random) % 3) last = pool[fixture_random(random) % N_POOL]; // else again
        size_t more = strlen(last);
        if (len + more > cap) break;
        memcpy(text + len, last, more);
        len += more;
    }
    return len;
}

static void check_same_matches(const struct regex *a, const struct regex *b, const char *pattern,
                               const char *text, size_t len) {
    struct regex_scratch scratch[2] = {{0}, {0}};
    struct regex_search x, y;
    struct jl_error err;
    bool found = true, also;
    regex_begin(&x, a, &scratch[0], text, len);
    regex_begin(&y, b, &scratch[1], text, len);
    while (found) {
        assert_int_equal(regex_next(&x, &found, &err), JL_OK);
        assert_int_equal(regex_next(&y, &also, &err), JL_OK);
        if (found != also || (found && memcmp(&x.in.match, &y.in.match, sizeof x.in.match) != 0))
            fail_msg("'%s' on '%.*s': %d [%zu,%zu), PCRE2 %d [%zu,%zu)", pattern, (int)len, text,
                     found, x.in.match.start, x.in.match.stop, also, y.in.match.start,
                     y.in.match.stop);
    }
    regex_scratch_free(&scratch[0]);
    regex_scratch_free(&scratch[1]);
}

static void check_pattern(const char *pattern, enum regex_flavour flavour, int n_text) {
    struct regex *table = compiled(pattern, strlen(pattern), flavour);
    struct regex *plain = without_table(pattern, flavour);
    uint64_t random = 7;
    if (!regex_is_table(table)) fail_msg("'%s' is no table", pattern);
    for (int i = 0; i < n_text; i++) {
        char text[400];
        size_t len = random_text(&random, text, sizeof text);
        check_same_matches(table, plain, pattern, text, len);
    }
    regex_free(table);
    regex_free(plain);
}

/* Every published pattern is a table, and finds what PCRE2 finds. */
static void test_named(void **state) {
    (void)state;
    int count = 0;
    for (int row = 0; tokenizer_pre_names(row); row++) {
        const char *name = tokenizer_pre_names(row);
        const struct pre_row *pre = pre_find(name, strcspn(name, " "));
        assert_non_null(pre);
        for (int i = 0; i < PRE_MAX_PATTERNS && pre->patterns[i]; i++) {
            if (strstr(pre->patterns[i], "\\d{3})")) continue; // digit groups: a step of their own
            check_pattern(pre->patterns[i], REGEX_RUST, 400);
            count++;
        }
    }
    assert_true(count > 30);
}

/* What a table can say, one by one; some match the empty text. */
static void test_tables(void **state) {
    (void)state;
    static const char *const patterns[] = {
        "a",
        "ab|a",
        "a|ab",
        "(?:a|ab)(?:b|)",
        "(?:ab?)+?b",
        "a*",
        "a*?",
        "a+?b?",
        "(?:a|b)*?Z",
        "[^a]",
        "[^\\n]+",
        ".",
        ".+",
        ".*",
        "\\s",
        "\\S+",
        "\\w+",
        "\\W",
        "\\d{2}",
        "\\d{2,}",
        "\\d{1,2}?",
        "\\p{L}{2,3}",
        "(?:ab){2}",
        "(?:ab){0,2}b",
        "a{0}b",
        "\\s++a",
        "\\s?+a",
        "\\p{N}{1,2}+1",
        "\\p{L}*+!",
        "(?i:ss)",
        "(?i:k|\xE2\x84\xAA)",
        "(?i:'LL)",
        "(?i)s|a",
        "(?:(?i)s)t",
        "(?i:a(?-i:b))",
        "a(?=b)",
        "a(?!b)",
        "(?=\\p{L})\\w+",
        "\\s+(?!\\S)|\\s+",
        "(?<=a)b",
        "(?<!a)b+",
        "(?<!\\s)\\s+",
        "\\bab\\b",
        "\\b",
        "\\B\\w",
        "^a",
        "\\Aa",
        "a\\z",
        "\\s+$",
        "$",
        "(?:a|b|\\s$)",
        "(?<=\xF0\x9F\x98\x80)a",
        "\xF0\x9F\x98\x80|a+",
        "\\p{Han}+|\\p{Lu}\\p{Ll}*",
        "\\p{Lu}*\\p{Ll}+|\\p{Lu}+\\p{Ll}*",
        "(?:a|b)?c?Z",
        "[\\p{L}&&[^\\p{Han}]]+",
        "(?:(?!\\p{Han})\\p{L})*x",
        "(?:a?b?)?",
        "(?=b)(?<=a)b",
        "(?=b)(?<!a)b",
        "(?!\\p{L})(?<=a).",
        "|a",
        "(?:)a",
        "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+",
        "\\s*[\\r\\n]+",
        "a(?:bc|b(?:d|))",
        "(?:a+b?|ab+)+",
    };
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        check_pattern(patterns[i], REGEX_RUST, 300);
    static const char *const onig[] = {"\\s+$", "a$", "\\d{2}+", "\\d{2}?", "\\w+", "\\s+\\z"};
    for (size_t i = 0; i < sizeof onig / sizeof onig[0]; i++)
        check_pattern(onig[i], REGEX_ONIG, 300);
}

/* Left to PCRE2: assertions about more than one character, atomic groups, repetitions of what may
 * be empty, too many states. */
static void test_no_tables(void **state) {
    (void)state;
    static const char *const patterns[] = {
        "a(?=bc)",
        "(?<=ab)c",
        "(?>a+)b",
        "(?:a*)*b",
        "(?:a|b)++",
        "(?:a?b?)+",
        "(?:(?=a))?b",
        "(?:a|b)*a(?:a|b){12}",
        "\\p{L}{1000}\\p{N}{1000}",
        "(?=\\s*\\z)",
    };
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct regex *regex = compiled(patterns[i], strlen(patterns[i]), REGEX_RUST);
        if (regex_is_table(regex)) fail_msg("'%s' is a table", patterns[i]);
        regex_free(regex);
    }
    struct regex *none;
    struct jl_error err;
    assert_int_equal(regex_compile("a{1001}", 7, REGEX_RUST, &none, &err), JL_ERR_UNSUPPORTED);
    assert_null(none);
}

/* Texts to split at are no patterns. */
static void test_texts(void **state) {
    (void)state;
    static const char *const texts[] = {"a",  "'s", ".*", "\\d", "[", "\xF0\x9F\x98\x80",
                                        "\n", "aa"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct regex *regex;
        struct regex_scratch scratch = {0};
        struct regex_search search;
        struct jl_error err;
        char text[64];
        bool found;
        size_t len = strlen(texts[i]);
        int all = snprintf(text, sizeof text, "b%sd%s", texts[i], texts[i]);
        assert_int_equal(regex_compile_text(texts[i], len, &regex, &err), JL_OK);
        assert_true(regex_is_table(regex));
        regex_begin(&search, regex, &scratch, text, (size_t)all);
        for (size_t at = 1; at <= len + 2; at += len + 1) {
            assert_int_equal(regex_next(&search, &found, &err), JL_OK);
            assert_true(found && search.in.match.start == at && search.in.match.stop == at + len);
        }
        assert_int_equal(regex_next(&search, &found, &err), JL_OK);
        assert_false(found);
        regex_scratch_free(&scratch);
        regex_free(regex);
    }
}

/* ---- work ---- */

/* The letter `n` times, then the text `end`. */
static char *repeated(const char *letter, size_t n, const char *end, size_t *len) {
    size_t size = strlen(letter);
    *len = size * n + strlen(end);
    char *text = malloc(*len + 1);
    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * size, letter, size);
    memcpy(text + size * n, end, strlen(end) + 1);
    return text;
}

/* The status of looking for all matches; *steps: what they took. */
static enum jl_status search_all(const char *pattern, const char *text, size_t len,
                                 uint64_t *steps) {
    struct regex *regex = compiled(pattern, strlen(pattern), REGEX_ONIG);
    struct regex_scratch scratch = {0};
    struct regex_search search;
    struct jl_error err;
    enum jl_status status;
    bool found;
    regex_begin(&search, regex, &scratch, text, len);
    do
        status = regex_next(&search, &found, &err);
    while (status == JL_OK && found);
    if (status != JL_OK) assert_non_null(strstr(err.message, "too many steps"));
    *steps = scratch.steps;
    regex_scratch_free(&scratch);
    regex_free(regex);
    return status;
}

/* Each of them looks at all of the letters from each of them on, or worse; as a table, in PCRE2,
 * and where a table leaves the text to PCRE2. All end where the text's allowance does. */
static void test_spent(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *letter, *end;
    } cases[] = {
        {"(?:(?!\\p{Han})\\p{L})*x", "a", " x"},
        {"(?:(?!\\p{Han})\\p{L})*x", "\xF0\x9D\x90\x80", " x"},
        {"\\p{L}*x|.", "a", ""},
        {"\\p{L}*!|.", "\xF0\x9D\x90\x80", ""},
        {"(?>\\p{L}*)x|.", "a", ""},
        {"\\p{L}*\\p{L}*\\p{L}*x", "a", " x"},
        {"(?:a+)+x(?=yz)", "a", " xyz"},
        {"(?=\\p{L}*!)b|a(?=a)", "a", ""},
        {"(?<=aa)a*(?=bb)|\\w", "a", ""},
        {"(?:a|aa)+\\z!(?=bb)", "a", "!bb"},
        {"\\p{L}{999}!(?=aa)|.", "a", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t steps;
        size_t len;
        char *text = repeated(cases[i].letter, (size_t)1 << (i ? 17 : 20), cases[i].end, &len);
        if (search_all(cases[i].pattern, text, len, &steps) != JL_ERR_LIMIT)
            fail_msg("'%s' took %llu steps", cases[i].pattern, (unsigned long long)steps);
        free(text);
    }
}

/* Named patterns stay far below what they may take, whatever the text. */
static void test_not_spent(void **state) {
    (void)state;
    static const char *const letters[] = {
        "a", " ", "\n", "1", "A", "'", "\xE4\xB8\x80", "\xF0\x9D\x90\x80", " \n", "aB1 "};
    for (size_t k = 0; k < sizeof letters / sizeof letters[0]; k++) {
        size_t len;
        char *text = repeated(letters[k], ((size_t)1 << 16) / strlen(letters[k]), "x", &len);
        for (int row = 0; tokenizer_pre_names(row); row++) {
            const char *name = tokenizer_pre_names(row);
            const struct pre_row *pre = pre_find(name, strcspn(name, " "));
            for (int i = 0; i < PRE_MAX_PATTERNS && pre->patterns[i]; i++) {
                uint64_t steps;
                if (strstr(pre->patterns[i], "\\d{3})")) continue;
                assert_int_equal(search_all(pre->patterns[i], text, len, &steps), JL_OK);
                if (steps > 32 * len)
                    fail_msg("%s: '%s' takes %llu steps for %zu bytes", name, pre->patterns[i],
                             (unsigned long long)steps, len);
            }
        }
        free(text);
    }
}

/* What one text leaves over is there for the next one. */
static void test_allowance(void **state) {
    (void)state;
    struct regex *regex = compiled("a", 1, REGEX_RUST);
    struct regex_scratch scratch = {0};
    struct regex_search search;
    regex_begin(&search, regex, &scratch, "", 0);
    uint64_t one = scratch.allowed - REGEX_STEPS_FREE;
    assert_true(one >= REGEX_STEPS);
    regex_begin(&search, regex, &scratch, "aaaa", 4);
    assert_true(scratch.allowed == REGEX_STEPS_FREE + 6 * one);
    regex_begin(&search, regex, &scratch, "", SIZE_MAX / 2);
    assert_true(scratch.allowed == UINT64_MAX);
    regex_free(regex);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named),     cmocka_unit_test(test_tables),
        cmocka_unit_test(test_no_tables), cmocka_unit_test(test_texts),
        cmocka_unit_test(test_spent),     cmocka_unit_test(test_not_spent),
        cmocka_unit_test(test_allowance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
