/* The precompiled charsmap: rules built here unit by unit, both ways to apply them, and damaged
 * tables, which must be refused or stay inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "text/tokenizer/charsmap.h"
#include "text/tokenizer/sp_normalize.h"

/* ---- a table: each node has a block of 256 units to itself ---- */

#define MAX_NODES 32

struct table {
    uint32_t units[MAX_NODES * 256];
    uint32_t n_node;
    char texts[200];
    size_t texts_len;
};

static void set_offset(struct table *t, size_t unit, uint32_t block) {
    t->units[unit] |= ((uint32_t)unit ^ block * 256) << 10;
}

static void add_rule(struct table *t, const char *from, const char *to) {
    size_t unit = 0; // the root
    if (t->n_node == 0) set_offset(t, 0, ++t->n_node);
    for (const char *at = from; *at; at++) {
        unsigned char byte = (unsigned char)*at;
        uint32_t base = (uint32_t)unit ^ t->units[unit] >> 10;
        size_t child = base ^ byte;
        if ((t->units[child] & 0xFF) != byte) {
            t->units[child] = byte;
            set_offset(t, child, ++t->n_node);
        }
        unit = child;
    }
    t->units[unit] |= 1 << 8;
    t->units[unit ^ t->units[unit] >> 10] = 1u << 31 | (uint32_t)t->texts_len;
    memcpy(t->texts + t->texts_len, to, strlen(to) + 1);
    t->texts_len += strlen(to) + 1;
}

/* The bytes in a block of their exact size, for the sanitizers. */
static unsigned char *pack(const struct table *t, size_t *len) {
    uint32_t size = (t->n_node + 1) * 1024;
    *len = 4 + size + t->texts_len;
    unsigned char *bytes = malloc(*len);
    memcpy(bytes, &size, 4);
    memcpy(bytes + 4, t->units, size);
    memcpy(bytes + 4 + size, t->texts, t->texts_len);
    return bytes;
}

static struct table *rules(void) {
    struct table *t = calloc(1, sizeof *t);
    add_rule(t, "\xEF\xAC\x81", "fi");
    add_rule(t, "a", "1");
    add_rule(t, "abc", "2");
    add_rule(t, "\r", " ");
    add_rule(t, "\t", "");
    add_rule(t, "e\xCC\x81", "\xC3\xA9");
    add_rule(t, "\xE3\x80\x80", " ");
    return t;
}

static void check(const struct charsmap *map, bool graphemes, const char *text, const char *want) {
    struct byte_buffer out = {0};
    size_t len = strlen(text);
    assert_true(graphemes ? charsmap_rewrite_graphemes(map, text, len, &out)
                          : charsmap_rewrite(map, text, len, &out));
    assert_int_equal(out.len, strlen(want));
    if (out.len) assert_memory_equal(out.data, want, out.len);
    buffer_free(&out);
}

static void test_rules(void **state) {
    (void)state;
    struct table *t = rules();
    size_t len;
    unsigned char *bytes = pack(t, &len);
    struct charsmap map;
    struct jl_error err;
    assert_int_equal(charsmap_open(&map, bytes, len, &err), JL_OK);
    check(&map, false, "", "");
    check(&map, false, "x\xEF\xAC\x81y", "xfiy");
    check(&map, false, "ab", "1b");
    check(&map, false, "abc\t.", "2."); // the longest rule
    check(&map, false, "\xEF\xAC", "\xEF\xAC");
    check(&map, false, "e\xCC\x81", "\xC3\xA9");
    check(&map, true, "abc", "1bc"); // a, b, c are three graphemes
    check(&map, true, "e\xCC\x81", "\xC3\xA9");
    check(&map, true, "\r\n", " ");        // one grapheme, all of it replaced
    check(&map, true, "a\xCC\x81z", "1z"); // as the original: the accent goes too
    check(&map, true, "a\xCC\x81\xCC\x81\xCC\x81z", "1\xCC\x81\xCC\x81\xCC\x81z"); // 7 bytes
    free(bytes);
    free(t);
}

static void test_no_rules(void **state) {
    (void)state;
    struct charsmap map;
    struct jl_error err;
    assert_int_equal(charsmap_open(&map, NULL, 0, &err), JL_OK);
    check(&map, false, "a\xFF", "a\xFF");
    check(&map, true, "a\xFF", "a\xFF");
}

static void test_sentencepiece(void **state) {
    (void)state;
    static const struct {
        bool dummy, remove, escape, suffix;
        const char *text, *want;
    } cases[] = {
        {true, true, true, false, "  x \xE3\x80\x80 y ", "\xE2\x96\x81x\xE2\x96\x81y"},
        {true, true, true, false, " \xE3\x80\x80", ""},
        {true, true, true, true, " x  y", "x\xE2\x96\x81y\xE2\x96\x81"},
        {true, false, true, false, " x", "\xE2\x96\x81\xE2\x96\x81x"},
        {false, false, false, false, " x  ", " x  "},
        {false, true, true, false, "x\xE2\x96\x81", "x"}, // a mark of the text counts as space
        {true, true, false, false, "a\xFFz ", " 1\xEF\xBF\xBDz"},
        {true, true, true, false, "abc\tx",
         "\xE2\x96\x81"
         "2x"},
    };
    struct table *t = rules();
    size_t len;
    unsigned char *bytes = pack(t, &len);
    struct sp_normalizer n = {0};
    struct jl_error err;
    assert_int_equal(charsmap_open(&n.map, bytes, len, &err), JL_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct byte_buffer out = {0};
        n.add_dummy_prefix = cases[i].dummy;
        n.remove_extra_whitespaces = cases[i].remove;
        n.escape_whitespaces = cases[i].escape;
        n.as_suffix = cases[i].suffix;
        assert_true(sp_normalize_text(&n, true, cases[i].text, strlen(cases[i].text), &out));
        if (out.len != strlen(cases[i].want) ||
            (out.len && memcmp(out.data, cases[i].want, out.len) != 0))
            fail_msg("case %zu: '%.*s'", i, (int)out.len, out.data);
        buffer_free(&out);
    }
    struct trie_key user = {"abc", 3, 0}; // no rule touches it
    assert_true(trie_build(&n.user, &user, 1));
    struct byte_buffer out = {0};
    n.add_dummy_prefix = n.prefix_once = true;
    assert_true(sp_normalize_text(&n, false, "abca", 4, &out));
    assert_int_equal(out.len, 4);
    assert_memory_equal(out.data, "abc1", 4);
    buffer_free(&out);
    sp_normalize_free(&n);
    free(bytes);
    free(t);
}

static void test_refused(void **state) {
    (void)state;
    struct table *t = rules();
    size_t len;
    unsigned char *bytes = pack(t, &len);
    struct charsmap map;
    struct jl_error err;
    assert_int_equal(charsmap_open(&map, bytes, 3, &err), JL_ERR_FORMAT);
    assert_int_equal(charsmap_open(&map, bytes, len - 1, &err), JL_ERR_FORMAT); // no last NUL
    assert_int_equal(charsmap_open(&map, bytes, 2000, &err), JL_ERR_FORMAT);
    bytes[0] = 1; // not a multiple of 4
    assert_int_equal(charsmap_open(&map, bytes, len, &err), JL_ERR_FORMAT);
    bytes[0] = 0;
    bytes[len - 2] = 0xFF; // not UTF-8
    assert_int_equal(charsmap_open(&map, bytes, len, &err), JL_ERR_FORMAT);
    free(bytes);
    free(t);
}

static void test_damaged(void **state) {
    (void)state;
    static const char text[] = "abc\xEF\xAC\x81 e\xCC\x81\r\n\t\xE3\x80\x80 aaa\xFF";
    struct table *t = rules();
    size_t len;
    unsigned char *bytes = pack(t, &len);
    int opened = 0;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        uint64_t random = seed;
        unsigned char *copy = malloc(len);
        memcpy(copy, bytes, len);
        for (int i = 0; i < 3; i++) { // mostly where units are in use
            size_t at = 4 + 1024 * (fixture_random(&random) % t->n_node);
            at += fixture_random(&random) % 1024;
            if (seed % 2) { // a used unit
                while (at + 4 < len && memcmp(copy + at / 4 * 4, "\0\0\0\0", 4) == 0)
                    at += 4;
            }
            copy[at % len] = (unsigned char)fixture_random(&random);
        }
        struct charsmap map;
        struct jl_error err;
        struct byte_buffer out = {0};
        if (charsmap_open(&map, copy, len, &err) == JL_OK) {
            opened++;
            assert_true(charsmap_rewrite(&map, text, sizeof text - 1, &out));
            assert_true(charsmap_rewrite_graphemes(&map, text, sizeof text - 1, &out));
        }
        buffer_free(&out);
        free(copy);
    }
    assert_true(opened > 300);
    free(bytes);
    free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),         cmocka_unit_test(test_no_rules),
        cmocka_unit_test(test_sentencepiece), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
