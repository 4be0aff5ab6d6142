/* Verse: what keeps the rules and what breaks each of them, and the same verdicts as the corpus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "skill/poems.h"
#include "skill/verse_check.h"
#include "support/scratch.h"

static struct arena arena;
static struct rhyme_book book;

static int open_book(void **state) {
    struct jl_error err = {0};
    (void)state;
    if (rhyme_read(fixture_data(), &arena, &book, &err) != JL_OK) fail_msg("%s", err.message);
    return 0;
}

static int close_book(void **state) {
    (void)state;
    arena_free(&arena);
    scratch_remove();
    return 0;
}

/* ---- the book ---- */

static uint32_t code_of(const char *text) {
    uint32_t code;
    assert_int_equal(han_decode(text, strlen(text), &code, 1), 1);
    return code;
}

static void rhymes(void **state) {
    (void)state;
    const struct rhyme_char *rain = rhyme_find(&book, code_of("雨"));
    assert_true(book.n_char > 60);
    assert_true(rain && rain->oblique && !rain->level && rain->n_group == 2);
    assert_string_equal(book.group[rain->group[1]], "去声七遇");
    assert_null(rhyme_find(&book, code_of("井")));
    assert_true(rhyme_allows(&book, code_of("井"), true));
    assert_true(rhyme_allows(&book, code_of("藏"), true) &&
                rhyme_allows(&book, code_of("藏"), false));
    assert_false(rhyme_allows(&book, code_of("水"), true));
    uint32_t shared[] = {code_of("塘"), code_of("藏"), code_of("光")};
    assert_string_equal(book.group[rhyme_shared(&book, shared, 3)], "下平七阳");
    shared[1] = code_of("中");
    assert_int_equal(rhyme_shared(&book, shared, 3), -1);
    uint32_t oblique[] = {code_of("中"), code_of("梦")}; // they share 去声一送
    assert_int_equal(rhyme_shared(&book, oblique, 2), -1);
    assert_int_equal(rhyme_shared(&book, oblique, 0), -1);
    oblique[0] = code_of("井");
    assert_int_equal(rhyme_shared(&book, oblique, 1), -1);
}

static void bad_book(void **state) {
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"夜\t仄\n", "rhyme/pingshui.tsv:1: too few fields"},
        {"塘\t平\t下平七阳\n夜\t仄\ta\tb\n", ":2: too many fields"},
        {"夜雨\t仄\t去声二十二祃\n", "not one character"},
        {"夜\t去\t去声二十二祃\n", "平, 仄 or both"},
        {"夜\t仄\ta,b,c,d,e,f,g\n", "too many rhyme groups for a character"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena own = {0};
        struct rhyme_book out;
        struct jl_error err = {0};
        scratch_text("bad/rhyme/pingshui.tsv", cases[i].text);
        assert_int_equal(rhyme_read(scratch_path("bad"), &own, &out, &err), JL_ERR_FORMAT);
        if (!strstr(err.message, cases[i].says)) fail_msg("%s", err.message);
        arena_free(&own);
    }
    struct rhyme_book out;
    struct jl_error err = {0};
    assert_true(rhyme_read(scratch_path("nowhere"), &arena, &out, &err) != JL_OK);
    assert_non_null(strstr(err.message, "--data"));
}

/* ---- lines ---- */

static void lines(void **state) {
    struct han_lines read;
    (void)state;
    han_lines_read("夜雨落寒塘，鱼儿梦水乡。\n金鳞", 3 * 14 + 1, &read);
    assert_true(read.whole);
    assert_int_equal(read.n_line, 3);
    assert_int_equal(read.n_char[1], 5);
    assert_int_equal(read.n_char[2], 2);
    assert_int_equal(read.code[1][4], code_of("乡"));
    static const char *const broken[] = {"夜雨a", "夜雨\xFF", "题：1", "夜é"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        han_lines_read(broken[i], strlen(broken[i]), &read);
        assert_false(read.whole);
    }
    char many[4 * 60 + 1] = "";
    for (int i = 0; i < 50; i++)
        strcat(many, "一\n");
    han_lines_read(many, strlen(many), &read);
    assert_false(read.whole);
    assert_int_equal(read.n_line, HAN_MOST_LINES);
    for (char *c = many; *c; c++)
        if (*c == '\n') *c = ' ';
    han_lines_read("", 0, &read);
    assert_true(read.whole && !read.n_line);
}

/* ---- verdicts ---- */

static struct verse_verdict judge(const char *json, const char *answer) {
    struct verse_wanted wanted;
    struct han_lines read;
    struct jl_error err = {0};
    if (verse_wanted_read(json, strlen(json), &wanted, &err) != JL_OK) fail_msg("%s", err.message);
    han_lines_read(answer, strlen(answer), &read);
    return verse_judge(&book, &wanted, &read);
}

#define GOOD "夜雨落寒塘，鱼儿梦水乡。\n金鳞藏月影，一跃见天光。"

static void verdicts(void **state) {
    static const struct {
        const char *json, *answer;
        bool form, rhyme, tone, theme, heads, first;
    } cases[] = {
        {"{\"form\":\"五绝\"}", GOOD, 1, 1, 1, 1, 1, 1},
        {"{\"form\":\"五绝\",\"theme\":\"月\",\"heads\":\"夜鱼金一\",\"first\":\"夜雨落寒塘\"}",
         GOOD, 1, 1, 1, 1, 1, 1},
        {"{\"form\":\"五绝\",\"theme\":\"天光\"}", GOOD, 1, 1, 1, 1, 1, 1},
        {"{\"form\":\"五绝\",\"theme\":\"塘鱼\"}", GOOD, 1, 1, 1, 0, 1, 1},
        {"{\"form\":\"五绝\",\"heads\":\"夜鱼金水\"}", GOOD, 1, 1, 1, 1, 0, 1},
        {"{\"form\":\"五绝\",\"first\":\"夜雨落水塘\"}", GOOD, 1, 1, 1, 1, 1, 0},
        {"{\"form\":\"七绝\"}", GOOD, 0, 0, 0, 0, 0, 0},
        {"{\"form\":\"五律\"}", GOOD, 0, 0, 0, 0, 0, 0},
        {"{\"form\":\"4x5\"}", GOOD, 1, 1, 1, 1, 1, 1},
        {"{\"form\":\"2x5\",\"theme\":\"水\"}", "夜雨落寒塘，鱼儿梦水乡。", 1, 1, 1, 1, 1, 1},
        // another end: no rhyme, and an end that is level or not
        {"{\"form\":\"五绝\"}", "夜雨落寒塘\n鱼儿梦水乡\n金鳞藏月影\n一跃见天风", 1, 0, 1, 1, 1, 1},
        {"{\"form\":\"五绝\"}", "夜雨落寒塘\n鱼儿梦水乡\n金鳞藏月影\n一跃见天月", 1, 0, 0, 1, 1, 1},
        {"{\"form\":\"五绝\"}", "夜雨落寒塘\n鱼儿梦水乡\n金鳞藏月影\n一跃见天乡", 1, 0, 1, 1, 1, 1},
        {"{\"form\":\"五绝\"}", "夜雨落寒塘\n鱼儿梦水乡\n金鳞藏月光\n一跃见天光", 1, 1, 0, 1, 1, 1},
        // the first line may end in either tone; position 4 of the second may not
        {"{\"form\":\"五绝\"}", "夜雨落寒月\n鱼儿梦水乡\n金鳞藏月影\n一跃见天光", 1, 1, 1, 1, 1, 1},
        {"{\"form\":\"五绝\"}", "夜雨落寒塘\n鱼儿梦天乡\n金鳞藏月影\n一跃见天光", 1, 1, 0, 1, 1, 1},
        // unknown characters have any tone, and no rhyme
        {"{\"form\":\"五绝\"}", "夜井落井塘\n鱼井梦井乡\n金井藏井井\n一井见井光", 1, 1, 1, 1, 1, 1},
        {"{\"form\":\"五绝\"}", "夜雨落寒塘\n鱼儿梦水乡\n金鳞藏月影\n一跃见天井", 1, 0, 1, 1, 1, 1},
        // one line too many, too long, and a foreign letter
        {"{\"form\":\"五绝\"}", GOOD "金", 0, 0, 0, 0, 0, 0},
        {"{\"form\":\"五绝\"}", "《鱼》\n" GOOD, 0, 0, 0, 0, 0, 0},
        {"{\"form\":\"五绝\"}", GOOD " x", 0, 0, 0, 0, 0, 0},
        {"{\"form\":\"五绝\"}", "", 0, 0, 0, 0, 0, 0},
        // 对联
        {"{\"form\":\"对联\",\"first\":\"金鳞藏月影\"}", "一跃见天光。", 1, 1, 1, 1, 1, 1},
        {"{\"form\":\"对联\",\"first\":\"金鳞藏月影\"}", "一跃藏天光", 1, 1, 1, 1, 1, 0},
        {"{\"form\":\"对联\",\"first\":\"金鳞藏月影\"}", "一鱼见天光", 1, 1, 0, 1, 1, 1},
        {"{\"form\":\"对联\",\"first\":\"金鳞藏月影\"}", "一跃见天月", 1, 1, 0, 1, 1, 1},
        {"{\"form\":\"对联\",\"first\":\"金鳞藏月影\"}", "一跃见光", 0, 0, 0, 0, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verse_verdict v = judge(cases[i].json, cases[i].answer);
        bool same = v.form == cases[i].form && v.rhyme == cases[i].rhyme &&
                    v.tone == cases[i].tone && v.theme == cases[i].theme &&
                    v.heads == cases[i].heads && v.first == cases[i].first;
        if (!same)
            fail_msg("case %zu: form %d rhyme %d tone %d theme %d heads %d first %d", i, v.form,
                     v.rhyme, v.tone, v.theme, v.heads, v.first);
        assert_true(verse_right(&v) ==
                    (v.form && v.rhyme && v.tone && v.theme && v.heads && v.first));
    }
}

static void varied(void **state) {
    static const struct {
        const char *answer;
        bool varied;
    } cases[] = {
        {GOOD, true},
        {"夜雨落寒塘，鱼儿梦水乡。\n金鳞藏月夜，一跃见天雨。", true},  // two of twenty
        {"夜雨落寒塘，鱼儿梦水乡。\n金鳞藏雨夜，一跃见天夜。", false}, // three
        {"夜夜落寒塘，鱼鱼梦水水。\n金金藏月月，一一见天天。", true},  // doubles
        {"夜夜落寒塘，鱼夜梦夜乡。\n金夜藏月影，一跃见天光。", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (judge("{\"form\":\"4x5\",\"varied\":true}", cases[i].answer).varied != cases[i].varied)
            fail_msg("case %zu", i);
        assert_true(judge("{\"form\":\"4x5\",\"varied\":false}", cases[i].answer).varied);
        struct verse_verdict v = judge("{\"form\":\"4x5\",\"varied\":true}", cases[i].answer);
        assert_true(verse_right(&v) == cases[i].varied);
    }
    struct verse_verdict none = judge("{\"form\":\"七绝\",\"varied\":true}", GOOD);
    assert_false(none.varied);
}

static void bad_wanted(void **state) {
    static const struct {
        const char *json, *says;
    } cases[] = {
        {"", "what a verse should be"},
        {"七绝", "what a verse should be"},
        {"[]", "\"form\""},
        {"{\"form\":\"九绝\"}", "\"form\""},
        {"{\"form\":\"0x5\"}", "\"form\""},
        {"{\"form\":\"4x99\"}", "\"form\""},
        {"{\"form\":\"4x5 \"}", "\"form\""},
        {"{\"form\":\"七绝\",\"theme\":\"\"}", "\"theme\""},
        {"{\"form\":\"七绝\",\"theme\":\"moon\"}", "\"theme\""},
        {"{\"form\":\"七绝\",\"heads\":\"春夏秋\"}", "3 \"heads\" for 4 lines"},
        {"{\"form\":\"七绝\",\"first\":\"夜雨落寒塘\"}", "5 characters, the form 7"},
        {"{\"form\":\"七绝\",\"rhyme\":\"东\"}", "no other key"},
        {"{\"form\":\"七绝\",\"varied\":1}", "must be true or false"},
        {"{\"form\":\"对联\"}", "对联"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verse_wanted wanted;
        struct jl_error err = {0};
        assert_int_equal(verse_wanted_read(cases[i].json, strlen(cases[i].json), &wanted, &err),
                         JL_ERR_FORMAT);
        if (!strstr(err.message, cases[i].says)) fail_msg("%s: %s", cases[i].json, err.message);
    }
}

/* ---- the corpus ---- */

static void agree_with(const char *folder, const char *name, const struct rhyme_book *whole) {
    struct arena own = {0};
    struct poems poems;
    struct jl_error err = {0};
    int n_regular = 0, n_strict = 0, n_other = 0;
    if (poems_read(folder, name, &own, &poems, &err) != JL_OK) fail_msg("%s", err.message);
    for (int i = 0; i < poems.n; i++) {
        const struct poem *poem = &poems.poems[i];
        struct verse_wanted wanted = {0};
        struct han_lines read;
        if (poem->form < 0) continue;
        wanted.form = verse_forms[poem->form];
        poems_as_lines(poem, &read);
        struct verse_verdict verdict = verse_judge(whole, &wanted, &read);
        if (!verdict.form) fail_msg("%s: poem %d has not its form: %s", name, i, poem->lines);
        n_regular++;
        n_strict += poem->strict;
        n_other += verse_right(&verdict) != poem->strict;
    }
    print_message("%s: %d regular poems, %d strict, %d verdicts differ\n", name, n_regular,
                  n_strict, n_other);
    assert_int_equal(n_other, 0);
    arena_free(&own);
}

static void corpus(void **state) {
    struct arena own = {0};
    struct rhyme_book whole;
    struct jl_error err = {0};
    const char *folder = fixture_shared();
    (void)state;
    if (!folder) skip();
    if (rhyme_read(folder, &own, &whole, &err) != JL_OK) fail_msg("%s", err.message);
    agree_with(folder, "verse/heldout.jsonl", &whole);
    agree_with(folder, "verse/train.jsonl", &whole);
    arena_free(&own);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rhymes),   cmocka_unit_test(bad_book), cmocka_unit_test(lines),
        cmocka_unit_test(verdicts), cmocka_unit_test(varied),   cmocka_unit_test(bad_wanted),
        cmocka_unit_test(corpus),
    };
    return cmocka_run_group_tests(tests, open_book, close_book);
}
