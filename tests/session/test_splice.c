/* Known ids in the place of plain ones: spellings written out by hand. Text of a user stands
 * between \1 and \2, ids are texts of the fixture's tokens with bars between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "session/splice.h"

#define E "<|end|>"
#define MARK "\xE2\x96\x81"
#define FISH "\xE9\x87\x91" // one character, also a token

struct rig {
    struct fixture fixture;
    struct tokenizer *bare;     // no spaces of its own
    struct tokenizer *space;    // one before every stretch of text
    struct tokenizer *composed; // as bare, with NFC in front
    struct tokenizer *late;     // as composed, but <|end|> is looked for behind it
    struct tokenizer *silent;   // as composed, but "w" has no text
};

#define BYTES "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}"
#define NFC "{\"type\":\"NFC\"}"

/* `late_end`: a normaliser runs before <|end|> is looked for. */
static struct tokenizer *make(const struct fixture *fixture, const char *normalizer,
                              const char *decoders, bool late_end) {
    char decoder[300];
    snprintf(decoder, sizeof decoder, "{\"type\":\"Sequence\",\"decoders\":[%s]}", decoders);
    const struct fixture_json parts = {.normalizer = normalizer, .decoder = decoder};
    char *json = fixture_json_text(fixture, &parts);
    char *end = strstr(strstr(json, "\"" E "\""), "\"normalized\": false");
    assert_non_null(end);
    if (late_end) memcpy(end, "\"normalized\": true ", strlen("\"normalized\": false"));
    struct tokenizer *t = fixture_from_json(json);
    free(json);
    return t;
}

static int set_up(void **state) {
    struct rig *rig = calloc(1, sizeof *rig);
    fixture_init(&rig->fixture);
    rig->bare = make(&rig->fixture, "null", BYTES, false);
    rig->space = fixture_spm();
    rig->composed = make(&rig->fixture, NFC, BYTES, false);
    rig->late = make(&rig->fixture, NFC, BYTES, true);
    rig->silent = make(
        &rig->fixture, NFC,
        "{\"type\":\"Replace\",\"pattern\":{\"String\":\"w\"},\"content\":\"\"}," BYTES, false);
    *state = rig;
    return 0;
}

static int tear_down(void **state) {
    struct rig *rig = *state;
    tokenizer_free(rig->bare);
    tokenizer_free(rig->space);
    tokenizer_free(rig->composed);
    tokenizer_free(rig->late);
    tokenizer_free(rig->silent);
    free(rig);
    return 0;
}

static int32_t find(const struct rig *rig, const char *text, size_t len) {
    for (int32_t id = 0; id < FIXTURE_N; id++)
        if (rig->fixture.tokens[id].len == len && !memcmp(rig->fixture.tokens[id].text, text, len))
            return id;
    fail_msg("there is no token %.*s", (int)len, text);
    return TOKEN_NONE;
}

static size_t read_ids(const struct rig *rig, const char *bars, int32_t *ids) {
    size_t n = 0;
    for (const char *at = bars; *at;) {
        // The end mark has bars of its own.
        size_t len = !strncmp(at, E, strlen(E)) ? strlen(E) : strcspn(at, "|");
        ids[n++] = find(rig, at, len);
        at += len + (at[len] == '|');
    }
    return n;
}

static void show_ids(const struct rig *rig, const int32_t *ids, size_t n, char *out, size_t cap) {
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < n && used < cap; i++)
        used += (size_t)snprintf(out + used, cap - used, "%s%s", i ? "|" : "",
                                 rig->fixture.tokens[ids[i]].text);
}

/* `marked` with spans; both arrays must be large enough. */
static struct tokenizer_text read_text(const char *marked, char *text, struct text_span *spans) {
    struct tokenizer_text out = {.text = text, .user = spans};
    for (; *marked; marked++) {
        if (*marked == 1)
            spans[out.n_user].start = out.len;
        else if (*marked == 2)
            spans[out.n_user++].stop = out.len;
        else
            text[out.len++] = *marked;
    }
    return out;
}

struct spelling {
    const char *known, *prompt, *wanted;
};

static void check(const struct rig *rig, const struct tokenizer *t, const struct spelling *one,
                  size_t max) {
    int32_t ids[64];
    char text[200], got[400];
    struct text_span spans[4];
    struct token_ids out;
    struct jl_error err = {0};
    const struct splice_known known = {ids, read_ids(rig, one->known, ids), max};
    struct tokenizer_text prompt = read_text(one->prompt, text, spans);
    if (splice_encode(t, &prompt, ENCODE_SPECIAL, &known, &out, &err) != JL_OK)
        fail_msg("%s: %s", one->prompt, err.message);
    show_ids(rig, out.data, out.len, got, sizeof got);
    if (strcmp(got, one->wanted) != 0)
        fail_msg("'%s' over '%s' gave '%s', not '%s'", one->prompt, one->known, got, one->wanted);
    free(out.data);
}

static void check_all(const struct rig *rig, const struct tokenizer *t, const struct spelling *all,
                      size_t n) {
    for (size_t i = 0; i < n; i++)
        check(rig, t, &all[i], SIZE_MAX);
}
#define CHECK(rig, t, all) check_all(rig, t, all, sizeof(all) / sizeof(all)[0])

static void test_what_was_generated_stays(void **state) {
    static const struct spelling all[] = {
        {"", E "abc" E, E "|abc|" E},
        {E "|a|b|c", E "abc" E, E "|a|b|c|" E},
        {E "|a|bc|" E "|he|r", E "abc" E "her" E "she", E "|a|bc|" E "|he|r|" E "|s|he"},
        {E "|a|b|c", E "abc" E "abc", E "|a|b|c|" E "|abc"}, // behind it all is plain
        {E "|i|n|" E "|a|b|c", E "in" E "abc" E "in", E "|i|n|" E "|a|b|c|" E "|in"},
        {E "|<0xE9>|<0x87>|<0x91>", E FISH E, E "|<0xE9>|<0x87>|<0x91>|" E},
        {E "|" FISH "|<0xE9>|<0xB3>|<0x9E>", E "\1" FISH "\xE9\xB3\x9E\2" E,
         E "|" FISH "|<0xE9>|<0xB3>|<0x9E>|" E},
        {E "|a|a|aa|a|aa", E "aaaaaaa" E, E "|a|a|aa|a|aa|" E},
        {E "|abc|" E, E "abc" E "he", E "|abc|" E "|he"}, // nothing was spelled otherwise
        {E "|a|b|c|" E "|he", E "abc", E "|a|b|c"},       // a shorter prompt
        {"a|b|c", "abc" E, "a|b|c|" E},                   // no mark in front
    };
    CHECK((struct rig *)*state, ((struct rig *)*state)->bare, all);
}

static void test_it_ends_where_the_text_differs(void **state) {
    static const struct spelling all[] = {
        {E "|a|bc|in|g", E "abcin" E, E "|a|bc|in|" E}, // trimmed behind a token
        {E "|a|b|ing", E "abin" E, E "|a|b|in|" E},     // in the middle of one
        {E "|a|b|c|d", E "abce" E, E "|a|b|c|e|" E},    // edited
        {E "|a|b", E "abc" E, E "|abc|" E},             // plain ids have no border there
        {E "|a|b|c|a|b|c", E "abc" E, E "|a|b|c|" E},   // dropped
        {E "|a|b|c|" E "|in", E "abd" E "in", E "|a|b|d|" E "|in"}, // no second beginning
        {E "|a|b|<0xE9>", E "ab\xEF\xBF\xBD" E, E "|a|b|<0xEF>|<0xBF>|<0xBD>|" E}, // cut off
        {E "|a|b|c|<0xE9>|<0x87>", E "abc" E, E "|a|b|c|" E},
        {"he|a|b|c", E "abc", E "|abc"},
    };
    CHECK((struct rig *)*state, ((struct rig *)*state)->bare, all);
}

static void test_marks_stand_for_themselves(void **state) {
    static const struct spelling all[] = {
        // A mark was generated, and the prompt has its letters: in a message, or as another token.
        {E "|a|b|<s>|c", E "ab\1<s>\2c", E "|a|b|<|s|>|c"},
        {E "|a|b|" E, E "\1ab" E "\2" E, E "|a|b|<|<0x7C>|e|n|d|<0x7C>|>|" E},
        {E "|i|n|<s>", E "in</s>", E "|i|n|</s>"},
        // Letters were generated where the template writes a mark.
        {E "|a|b|<|s|>|c", E "ab<s>c", E "|a|b|<s>|c"},
        {E "|i|n|<|<0x2F>|s|>", E "\1in\2</s>", E "|i|n|</s>"},
        {E "|i|n|<|t|o|ol|>|a", E "in<tool>a", E "|i|n|<tool>|a"},
        {E "|i|n|<|t|o|ol|>|a", E "\1in<tool>a\2", E "|i|n|<tool>|a"}, // found everywhere
        // Both have it.
        {E "|i|n|<tool>|a|b|c|</s>|<s>", E "in<tool>abc</s><s>he",
         E "|i|n|<tool>|a|b|c|</s>|<s>|he"},
        // A mark more or less.
        {E "|i|n|<s>|<s>|a|b|c", E "in<s>abc", E "|i|n|<s>|abc"},
        {E "|i|n|<s>|a|b|c", E "in<s><s>abc", E "|i|n|<s>|<s>|abc"},
        {E "|i|n|<unk>|a", E "in\1<unk>\2a", E "|i|n|<|u|n|<0x6B>|>|a"},
    };
    CHECK((struct rig *)*state, ((struct rig *)*state)->bare, all);
}

/* "abc" behind a mark encodes to " abc": only the prompt itself can say that "abc" is right. */
static void test_spaces_that_encoding_adds(void **state) {
    static const struct spelling all[] = {
        {"", E "abc" E, E "|" MARK "|abc|" E},
        {E "|a|b|c", E "abc" E "he", E "|a|b|c|" E "|" MARK "|he"},
        {E "|a|bc|" E "|" MARK "the", E "abc" E " the" E "in",
         E "|a|bc|" E "|" MARK "the|" E "|" MARK "|in"},
        {E "|" MARK "|a|b|c", E "abc" E, E "|" MARK "|a|b|c|" E}, // as encoding has it
        {E "|" MARK "|h|e", E " he" E, E "|" MARK "|h|e|" E},     // as the prompt has it
        {E "|" MARK "|h|e|r", E " he" E, E "|" MARK "|h|e|" E},   // and trimmed
        {E "|h|e|r", E "he\1r\2", E "|" MARK "|he|r"},            // no mark ends it: plain
        {E "|h|e|<s>|r", E "\1he<s>r\2" E, E "|" MARK "|he|<|s|>|r|" E},
        {E "|h|e|<s>|r", E "he<s>r" E, E "|h|e|<s>|r|" E},
        {E "|h|e|a", E "he" E, E "|h|e|" E},
        {E "|h|ing", E "hin" E, E "|" MARK "|h|in|" E},
    };
    CHECK((struct rig *)*state, ((struct rig *)*state)->space, all);
}

static void test_what_a_normaliser_rewrites(void **state) {
    static const struct spelling all[] = {
        {"", E "e\xCC\x81" E, E "|\xC3\xA9|" E},
        {E "|a|e|<0xCC>|<0x81>", E "ae\xCC\x81" E "in", E "|a|e|<0xCC>|<0x81>|" E "|in"},
        {E "|a|e|<0xCC>|<0x81>|i|n", E "\1ae\xCC\x81in\2" E, E "|a|e|<0xCC>|<0x81>|i|n|" E},
        {E "|a|e|<0xCC>|<0x81>|i|n", E "ae\xCC\x81i" E, E "|a|e|<0xCC>|<0x81>|i|" E},
        {E "|a|e|<0xCC>|<0x81>|i|n", E "ae\xCC\x81ing" E, E "|a|\xC3\xA9|ing|" E},
    };
    // What the prompt says at a mark that was found behind the normaliser is not known.
    static const struct spelling late[] = {
        {E "|a|b|c", E "abc" E, E "|a|b|c|" E},
        {E "|a|e|<0xCC>|<0x81>", E "ae\xCC\x81" E, E "|a|\xC3\xA9|" E},
        {"<s>|a|e|<0xCC>|<0x81>", "<s>ae\xCC\x81" E, "<s>|a|\xC3\xA9|" E},
        {E "|a|e|<0xCC>|<0x81>", E "ae\xCC\x81<s>", E "|a|\xC3\xA9|<s>"},
        {E "|<|<0x7C>|e|n|d|<0x7C>|>|he", E "he<s>", E "|he|<s>"},
    };
    CHECK((struct rig *)*state, ((struct rig *)*state)->composed, all);
    CHECK((struct rig *)*state, ((struct rig *)*state)->late, late);
}

static void test_tokens_without_text(void **state) {
    static const struct spelling all[] = {
        {E "|a|w|b|c|w", E "awbc" E, E "|a|w|b|c|" E},
        {E "|a|w|w|b|c", E "awbc" E, E "|a|w|bc|" E},
        {E "|a|w", E "a" E, E "|a|" E},
        {E "|e|w|<0xCC>|<0x81>", E "e\xCC\x81" E, E "|\xC3\xA9|" E},
        {E "|e|<0xCC>|<0x81>|w", E "e\xCC\x81" E, E "|e|<0xCC>|<0x81>|" E},
    };
    CHECK((struct rig *)*state, ((struct rig *)*state)->silent, all);
}

static void test_plain_ids_where_known_ones_do_not_fit(void **state) {
    const struct rig *rig = *state;
    const struct spelling fits = {E "|a|b|c", E "abc" E, E "|a|b|c|" E};
    const struct spelling less = {E "|a|b|c|" E "|i|n", E "abc" E "in" E, E "|a|b|c|" E "|in|" E};
    const struct spelling none = {E "|a|b|c", E "abc" E, E "|abc|" E};
    check(rig, rig->bare, &fits, 5);
    check(rig, rig->bare, &none, 4);
    check(rig, rig->bare, &none, 0); // too long in any spelling: for the caller to refuse
    check(rig, rig->bare, &less, 7);
}

static void test_ids_of_nobody(void **state) {
    const struct rig *rig = *state;
    const struct tokenizer_text text = {.text = "abc", .len = 3};
    const int32_t ids[] = {FIXTURE_N};
    const struct splice_known known = {ids, 1, SIZE_MAX};
    struct token_ids out;
    struct jl_error err = {0};
    assert_int_equal(splice_encode(rig->bare, &text, 0, &known, &out, &err), JL_ERR_USAGE);
    assert_null(out.data);
    const struct text_span wrong = {2, 9};
    const struct tokenizer_text bad = {"abc", 3, &wrong, 1};
    assert_int_equal(splice_encode(rig->bare, &bad, 0, &known, &out, &err), JL_ERR_USAGE);
    assert_null(out.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_generated_stays),
        cmocka_unit_test(test_it_ends_where_the_text_differs),
        cmocka_unit_test(test_marks_stand_for_themselves),
        cmocka_unit_test(test_spaces_that_encoding_adds),
        cmocka_unit_test(test_what_a_normaliser_rewrites),
        cmocka_unit_test(test_tokens_without_text),
        cmocka_unit_test(test_plain_ids_where_known_ones_do_not_fit),
        cmocka_unit_test(test_ids_of_nobody),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
