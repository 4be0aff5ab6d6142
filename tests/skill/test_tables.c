/* Skills of tables, with a small data folder and, where it is at hand, the real one: answers pass
 * their own checks, parts never meet, the same tasks come again. Also: what passages and tallies
 * are, and what is said of a folder without its files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "run.h"
#include "skill/passages.h"
#include "skill/verse_tally.h"
#include "support/scratch.h"

enum { N_TASK = 1200, N_REAL = 150 }; // a group and part

/* ---- what every group must do ---- */

static void look_answers(struct run *run) {
    for (uint32_t i = 0; i < run->n; i++) {
        run_make(run, SKILL_TRAIN, i % 7, i);
        run_check_answer(run);
        run_make(run, SKILL_HELD, i % 7, i);
        run_check_answer(run);
    }
}

/* The question. Earlier turns of a held-out game may be anything. */
static char *asked(const struct run *run) {
    const struct skill_task *task = &run->task;
    const struct byte_buffer *text =
        task->text.bytes.len ? &task->text.bytes : &task->turns[task->n_turn - 1].user.bytes;
    return strndup(text->data, text->len);
}

static void look_lines(struct run *run) {
    struct byte_buffer line = {0};
    for (uint32_t i = 0; i < 20; i++) {
        run_make(run, SKILL_HELD, 9, i);
        assert_int_equal(skill_task_eval_line(&run->task, &line, NULL), JL_OK);
    }
    assert_int_equal(line.data[line.len - 1], '\n');
    buffer_free(&line);
}

/* What is talked of is in the tree, whatever tables there are. */
static const char *folder_of(const struct skill *skill, const char *tables) {
    return strcmp(skill->name, "talk") ? tables : "models/fry";
}

static void every_group(const char *folder, uint32_t n) {
    struct arena judge_arena = {0};
    struct skill_tables judges;
    struct jl_error err = {0};
    const struct skill *skill;
    if (skill_tables_read(folder, SKILL_RHYMES | SKILL_IDIOMS, &judge_arena, &judges, &err))
        fail_msg("%s", err.message);
    for (size_t i = 0; (skill = skill_at(i)); i++) {
        struct run run = {.skill = skill, .judges = &judges, .n = n};
        struct arena arena = {0};
        if (!skill->load) continue;
        if (skill->load(folder_of(skill, folder), &arena, &run.tables, &err) != JL_OK)
            fail_msg("%s", err.message);
        for (run.group = skill->groups; run.group->name; run.group++) {
            look_answers(&run);
            run_check_again(&run);
            run_check_parts(&run, asked);
            look_lines(&run);
        }
        skill_task_free(&run.task);
        arena_free(&run.arena);
        arena_free(&arena);
    }
    arena_free(&judge_arena);
}

static void small_folder(void **state) {
    (void)state;
    every_group(fixture_data(), N_TASK);
}

static void real_folder(void **state) {
    const char *folder = fixture_shared();
    (void)state;
    if (!folder) skip();
    every_group(folder, N_REAL);
}

static void no_folder(void **state) {
    const struct skill *skill;
    (void)state;
    for (size_t i = 0; (skill = skill_at(i)); i++) {
        struct arena arena = {0};
        struct jl_error err = {0};
        const void *tables;
        if (!skill->load) continue;
        assert_true(skill->load(scratch_path("nowhere"), &arena, &tables, &err) != JL_OK);
        const char *file = strcmp(skill->name, "talk") ? ".tsv" : "talk.txt";
        if (!strstr(err.message, "--data") || !strstr(err.message, file))
            fail_msg("%s: %s", skill->name, err.message);
        arena_free(&arena);
    }
}

/* ---- talk ---- */

static void bad_talk(void **state) {
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "no [intent]"},
        {"? a\n", "before the first [intent]"},
        {"[greet]\n? a\n= b\n", ":1: an intent is"},
        {"[greet_fr]\n? a\n= b\n", ":1: an intent is"},
        {"[greet_en\n? a\n= b\n", ":1: an intent is"},
        {"[greet_en]\n? a\nb\n", ":3: a line begins with"},
        {"[greet_en]\n?a\n= b\n", ":2: a line begins with"},
        {"[greet_en]\n? a\n", "[greet_en] wants questions and replies"},
        {"[greet_en]\n= a\n", "[greet_en] wants questions and replies"},
        {"[greet_en]\n? a {place}\n= b\n", "names a list that is not there"},
        {"@place a b\n[greet_en]\n? a\n= b {place}\n", "what is not asked about"},
        {"[greet_en]\n? a\n= b\n", "wants an [intent_zh]"},
        {"@place\n[greet_en]\n? a\n= b\n", ":1: a list wants a name and words"},
    };
    (void)state;
    const struct skill *skill = skill_find("talk");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena = {0};
        struct jl_error err = {0};
        const void *tables;
        scratch_text("talk/talk.txt", cases[i].text);
        if (skill->load(scratch_path("talk"), &arena, &tables, &err) != JL_ERR_FORMAT ||
            !strstr(err.message, cases[i].why))
            fail_msg("case %zu: %s", i, err.message);
        arena_free(&arena);
    }
}

/* ---- idioms ---- */

static void moves(void **state) {
    static const struct {
        const char *json, *answer;
        bool right;
    } cases[] = {
        {"{\"after\":\"金山水花\"}", "花香满路", false}, // no idiom of the table
        {"{\"after\":\"金水花山\"}", "山水花鸟", true},
        {"{\"after\":\"金水花山\"}", " 山水花鸟。\n", true},
        {"{\"after\":\"金水花山\"}", "“山水花鸟”", true},
        {"{\"after\":\"金水花山\"}", "我接山水花鸟", false},
        {"{\"after\":\"金水花山\"}", "山水花鸟，山水花鸟", false},
        {"{\"after\":\"金水花月\"}", "山水花鸟", false},
        {"{\"after\":\"金水花山\",\"used\":[\"金金金金\",\"山水花鸟\"]}", "山水花鸟", false},
        {"{\"after\":\"金水花山\",\"used\":[],\"sound\":true}", "山水花鸟", true},
        {"{\"after\":\"山水花鸟\",\"sound\":true}", "山水花鸟", false},
        {"{\"after\":\"金水花山\"}", "", false},
        {"{\"after\":\"金水花山\",\"n\":1}", "山水花鸟", true},
        {"{\"after\":\"金水花山\",\"n\":1}", "山水花鸟，鸟语花香", false},
        {"{\"after\":\"金水花山\",\"n\":3}", "山水花鸟，鸟语花香、香车宝马。", true},
        {"{\"after\":\"金水花山\",\"n\":2}", "鸟语花香，香车宝马", false},
        {"{\"after\":\"金水花山\",\"n\":2}", "山水花鸟，香车宝马", false},
        {"{\"after\":\"金水花山\",\"n\":2}", "山水花鸟，山水花鸟", false},
        {"{\"after\":\"金水花山\",\"n\":2,\"used\":[\"鸟语花香\"]}", "山水花鸟，鸟语花香", false},
    };
    struct arena arena = {0};
    struct skill_tables judges;
    struct jl_error err = {0};
    (void)state;
    assert_int_equal(skill_tables_read(fixture_data(), SKILL_IDIOMS, &arena, &judges, &err), JL_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct idiom_wanted wanted;
        if (idiom_wanted_read(cases[i].json, strlen(cases[i].json), &wanted, &err) != JL_OK)
            fail_msg("%s: %s", cases[i].json, err.message);
        if (idiom_move_right(&judges.idioms, &judges.hanzi, &wanted, cases[i].answer,
                             strlen(cases[i].answer)) != cases[i].right)
            fail_msg("case %zu: %s", i, cases[i].answer);
    }
    static const char *const bad[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"after\":\"山水\"}",
                                      "{\"after\":\"abcd\"}",
                                      "{\"after\":\"山水花鸟\",\"used\":\"山水花鸟\"}",
                                      "{\"after\":\"山水花鸟\",\"used\":[1]}",
                                      "{\"after\":\"山水花鸟\",\"sound\":1}",
                                      "{\"after\":\"山水花鸟\",\"n\":0}",
                                      "{\"after\":\"山水花鸟\",\"n\":21}",
                                      "{\"after\":\"山水花鸟\",\"n\":\"2\"}",
                                      "{\"after\":\"山水花鸟\",\"also\":1}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct idiom_wanted wanted;
        assert_int_equal(idiom_wanted_read(bad[i], strlen(bad[i]), &wanted, &err), JL_ERR_FORMAT);
    }
    // 露 and 路 sound alike, and 路 is no first character of what 露 asks for
    uint32_t code[2];
    assert_int_equal(han_decode("露路", 6, code, 2), 2);
    assert_int_equal(hanzi_sound(&judges.hanzi, code[0]), hanzi_sound(&judges.hanzi, code[1]));
    assert_string_equal(hanzi_reading(&judges.hanzi, code[0])->toneless, "lu");
    arena_free(&arena);
}

/* ---- passages ---- */

static void check_passages(const struct passages *passages, size_t most) {
    for (int i = 0; i < passages->n_train + passages->n_held; i++) {
        const struct passage *one =
            i < passages->n_train ? &passages->train[i] : &passages->held[i - passages->n_train];
        assert_true(one->n > 0 && one->n <= most + most / 5);
        assert_null(memchr(one->text, '_', one->n));
        assert_null(memmem(one->text, one->n, "(1)", 3));
        assert_null(memmem(one->text, one->n, "--", 2));
        if (i == 0) assert_non_null(one->title);
    }
    assert_true(passages->n_train > 100 && passages->n_held > 0);
}

static void prose(void **state) {
    struct arena arena = {0};
    struct passages classical, tales;
    struct jl_error err = {0};
    const char *folder = fixture_data();
    (void)state;
    assert_int_equal(passages_read_classical(folder, &arena, &classical, &err), JL_OK);
    assert_int_equal(passages_read_tales(folder, &arena, &tales, &err), JL_OK);
    check_passages(&classical, 1200);
    check_passages(&tales, 1600);
    assert_string_equal(classical.train[0].title, "《鱼书·卷0》");
    const struct passage *tale = &tales.train[0];
    assert_string_equal(tale->title, "The Fish of Aa");
    static const char begin[] =
        "There was a fish—a small one.\n\nIt swam to St. John's pond and back again 0 times 0. "
        "‘Well!’ it said.\n\n    A song of it\nwent on\n\n";
    assert_memory_equal(tale->text, begin,
                        sizeof begin - 1 - strlen("    A song of it\nwent on\n\n"));
    arena_free(&arena);
}

/* No end of a sentence, or one that does not end. */
static void odd_prose(void **state) {
    struct arena arena = {0};
    struct passages classical;
    struct jl_error err = {0};
    static char text[20000];
    char *at = stpcpy(text, "鱼\t");
    (void)state;
    for (int i = 0; i < 1500; i++)
        at = stpcpy(at, i ? "”" : "。");
    at = stpcpy(at, "\n水\t");
    for (int i = 0; i < 2000; i++)
        at = stpcpy(at, "水");
    stpcpy(at, "\n空\t\n");
    scratch_text("odd/classical/classical.tsv", text);
    assert_int_equal(passages_read_classical(scratch_path("odd"), &arena, &classical, &err), JL_OK);
    size_t all = 0;
    for (int i = 0; i < classical.n_train; i++)
        all += classical.train[i].n;
    for (int i = 0; i < classical.n_held; i++)
        all += classical.held[i].n;
    assert_int_equal(all, 3 * 3500);
    assert_true(classical.n_train + classical.n_held >= 8);
    arena_free(&arena);
}

static void bad_poems(void **state) {
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{", "poems.jsonl:1: "},
        {"[]\n", "a poem has"},
        {"{\"form\":\"七绝\",\"title\":\"鱼\",\"author\":\"鱼\",\"dynasty\":\"宋\",\"lines\":[]}\n",
         "a poem has"},
        {"{\"form\":\"七绝\",\"title\":\"鱼\",\"author\":\"鱼\",\"dynasty\":\"宋\",\"lines\":["
         "\"水\"]}",
         "the lines of its form"},
        {"{\"form\":\"曲\",\"title\":\"鱼\",\"author\":\"鱼\",\"dynasty\":\"宋\",\"lines\":[1]}",
         "are texts"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena = {0};
        struct poems poems;
        struct jl_error err = {0};
        scratch_text("odd/poems.jsonl", cases[i].text);
        assert_int_equal(poems_read(scratch_path("odd"), "poems.jsonl", &arena, &poems, &err),
                         JL_ERR_FORMAT);
        if (!strstr(err.message, cases[i].says)) fail_msg("case %zu: %s", i, err.message);
        arena_free(&arena);
    }
}

/* ---- tallies ---- */

static void tally(void **state) {
    struct arena arena = {0};
    struct rhyme_book book;
    struct poems poems;
    struct verse_known known;
    struct verse_wanted wanted;
    struct verse_tally t = {0};
    struct jl_error err = {0};
    const char *folder = fixture_data();
    static const char json[] = "{\"form\":\"五绝\",\"theme\":\"月\"}",
                      good[] = "夜雨落寒塘，鱼儿梦水乡。\n金鳞藏月影，一跃见天光。";
    (void)state;
    assert_int_equal(rhyme_read(folder, &arena, &book, &err), JL_OK);
    assert_int_equal(poems_read(folder, "verse/heldout.jsonl", &arena, &poems, &err), JL_OK);
    assert_int_equal(verse_known_lines(&poems, &arena, &known, &err), JL_OK);
    assert_int_equal(verse_wanted_read(json, strlen(json), &wanted, &err), JL_OK);
    char mixed[400];
    snprintf(mixed, sizeof mixed, "%s，鱼儿梦水乡。金鳞藏月影，一跃见天水。",
             poems_line(&poems.poems[0], 0)); // a 五绝, so its line has five characters
    assert_true(verse_tally_add(&t, &book, &known, &wanted, good, strlen(good)));
    assert_true(verse_tally_add(&t, &book, &known, &wanted, good, strlen(good)));
    assert_true(verse_tally_add(&t, &book, &known, &wanted, mixed, strlen(mixed)));
    assert_true(verse_tally_add(&t, &book, &known, &wanted, "", 0));
    assert_int_equal(t.n_answer, 4);
    assert_int_equal(t.n_form, 3);
    assert_int_equal(t.n_right, 2);
    assert_int_equal(t.n_both, 2);
    assert_int_equal(t.has_theme, 3);
    assert_int_equal(t.n_theme, 4);
    assert_int_equal(t.n_line, 12);
    assert_int_equal(t.n_known, 1);
    assert_int_equal(t.answers.count, 3);
    assert_int_equal(t.lines.count, 6);
    verse_tally_free(&t);
    arena_free(&arena);
}

static int clean(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_folder), cmocka_unit_test(no_folder),   cmocka_unit_test(moves),
        cmocka_unit_test(prose),        cmocka_unit_test(odd_prose),   cmocka_unit_test(bad_poems),
        cmocka_unit_test(tally),        cmocka_unit_test(real_folder), cmocka_unit_test(bad_talk),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
