/* What skills say of the world, against the C library's calendar and tables written by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "skill/columns.h"
#include "skill/hand.h"
#include "skill/numerals.h"
#include "skill/skill.h"

static struct arena arena;
static struct skill_task task;

static const char *text_of(const struct skill_text *text) {
    static char copy[4096];
    assert_true(text->bytes.len < sizeof copy);
    memcpy(copy, text->bytes.data, text->bytes.len);
    copy[text->bytes.len] = 0;
    return copy;
}

/* The numbers without signs of a text; how many. */
static int numbers_of(const struct skill_text *text, int *out, int most) {
    int n = 0;
    for (const char *at = text_of(text); *at && n < most;) {
        at += strcspn(at, "0123456789");
        if (*at) out[n++] = (int)strtol(at, (char **)&at, 10);
    }
    return n;
}

static time_t day(const int *ymd) {
    struct tm tm = {.tm_year = ymd[0] - 1900, .tm_mon = ymd[1] - 1, .tm_mday = ymd[2]};
    return timegm(&tm) / 86400;
}

/* Calls `check` with the numbers of the Chinese questions that have n of them. */
static void every(const char *group, int n, int least, void (*check)(const int *asked)) {
    const struct skill *skill = skill_find("calendar");
    struct skill_order order = {.seed = 5, .group = skill_find_group(skill, group)};
    int checked = 0;
    for (order.number = 0; order.number < 3000; order.number++) {
        int asked[8];
        assert_int_equal(skill_make(skill, NULL, &order, &arena, &task, NULL), JL_OK);
        if (task.tongue != SKILL_ZH || numbers_of(&task.turns[0].user, asked, 8) != n) continue;
        check(asked);
        checked++;
    }
    assert_true(checked >= least);
}

static void check_weekday(const int *asked) {
    static const char *const names[] = {"星期四", "星期五", "星期六", "星期日",
                                        "星期一", "星期二", "星期三"};
    long long days = day(asked);
    assert_string_equal(text_of(&task.turns[0].answer), names[(days % 7 + 7) % 7]);
}

static void check_between(const int *asked) {
    int n;
    assert_int_equal(numbers_of(&task.turns[0].answer, &n, 1), 1);
    time_t difference = day(asked + 3) - day(asked);
    assert_int_equal(n, difference < 0 ? -difference : difference); // "B is how long after A?"
}

static void check_date_after(const int *asked) {
    int made[3];
    assert_int_equal(numbers_of(&task.turns[0].answer, made, 3), 3);
    assert_int_equal(day(asked) + asked[3], day(made));
}

static void calendar(void **state) {
    (void)state;
    every("weekday", 3, 1000, check_weekday);
    every("between", 6, 1000, check_between);
    every("date-after", 4, 1000, check_date_after);
}

static void numerals(void **state) {
    (void)state;
    static const struct {
        long long n;
        const char *zh, *en;
    } cases[] = {
        {0, "零", "zero"},
        {10, "十", "ten"},
        {12, "十二", "twelve"},
        {20, "二十", "twenty"},
        {105, "一百零五", "one hundred five"},
        {110, "一百一十", "one hundred ten"},
        {1000, "一千", "one thousand"},
        {1001, "一千零一", "one thousand one"},
        {1010, "一千零一十", "one thousand ten"},
        {1200, "一千二百", "one thousand two hundred"},
        {10000, "一万", "ten thousand"},
        {10010, "一万零一十", "ten thousand ten"},
        {12345, "一万二千三百四十五", "twelve thousand three hundred forty-five"},
        {100000, "十万", "one hundred thousand"},
        {100500, "十万零五百", "one hundred thousand five hundred"},
        {105000, "十万五千", "one hundred five thousand"},
        {20000003, "二千万零三", "twenty million three"},
        {100000000, "一亿", "one hundred million"},
        {100000005, "一亿零五", "one hundred million five"},
        {100020000, "一亿零二万", "one hundred million twenty thousand"},
        {100003000, "一亿零三千", "one hundred million three thousand"},
        {1020300405, "十亿二千零三十万零四百零五",
         "one billion twenty million three hundred thousand four hundred five"},
    };
    struct skill_draw draw = {.arena = &arena};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(numerals_zh(&draw, cases[i].n), cases[i].zh);
        assert_string_equal(numerals_en(&draw, cases[i].n), cases[i].en);
    }
}

static void column(void (*write)(struct skill_text *, int, int), int a, int b, const char *wanted) {
    struct skill_text text = {0};
    write(&text, a, b);
    assert_string_equal(text_of(&text), wanted);
    buffer_free(&text.bytes);
}

static void columns(void **state) {
    (void)state;
    column(columns_add, 960, 48, "960+48: 0+8=8 8\n96+4: 6+4=10 08\n9+0+1=10 1008");
    column(columns_add, 960, 8, "960+8: 0+8=8 8\n96: 968");
    column(columns_add, 7, 41, "7+41: 7+1=8 8\n4: 48");
    column(columns_subtract, 5163, 395,
           "5163-395: 13-5=8 8\n516-39-1: 16-9-1=6 68\n51-3-1: 11-3-1=7 768\n5-0-1=4 4768");
    column(columns_subtract, 5163, 3, "5163-3: 3-3=0 0\n516: 5160");
    column(columns_compare, 3803, 8944, "3803 8944: 4 4= 3 8<");
    column(columns_compare, 620, 617, "620 617: 3 3= 6 6= 2 1>");
    column(columns_compare, 93, 506, "93 506: 2 3<");
    column(columns_compare, 77, 77, "77 77: 2 2= 7 7= 7 7=");
    column(columns_multiply, 347, 6,
           "347*6: 7*6=42 2\n34*6+4: 4*6=24 24+4=28 82\n3*6=18 18+2=20 2082");
    column(columns_multiply, 12, 30, "12*3|0\n12*3: 2*3=6 6\n1*3=3 36\n12*0|=0\n360");
    column(columns_multiply, 12, 21,
           "12*2|1\n12*2: 2*2=4 4\n1*2=2 24\n12*1|=12\n240+12: 0+2=2 2\n24+1: 4+1=5 52\n2: 252");
    column(columns_divide, 7685, 23,
           "1:23 2:46 3:69 4:92 5:115 6:138 7:161 8:184 9:207\n"
           "76|85: 3:69 76-69=7 3\n78|5: 3:69 78-69=9 33\n95|: 4:92 95-92=3 334");
    column(columns_divide, 507, 5, "5|07: 5*1=5 5-5=0 1\n0|7: 5*0=0 0-0=0 10\n7|: 5*1=5 7-5=2 101");
    column(columns_divide, 5, 7, "5|: 7*0=0 5-0=5 0");
}

/* Letters in lower case, digits and what is no punctuation of the texts below. */
static const char *core(const char *text, char *out) {
    static const char *const marks[] = {"，", "。", "？", "“", "”",  "「", "」",
                                        "『", "』", "‘",  "’", "！", "："};
    size_t n = 0;
    for (size_t i = 0, skip; *text; text += skip) {
        for (skip = 0, i = 0; !skip && i < sizeof marks / sizeof marks[0]; i++)
            if (!strncmp(text, marks[i], strlen(marks[i]))) skip = strlen(marks[i]);
        if (skip) continue;
        skip = 1;
        if (!strchr(" ,.?!:;\"+-*/", *text)) out[n++] = (char)(*text | (*text > 0 ? 32 : 0));
    }
    out[n] = 0;
    return out;
}

/* However a question is typed: its words and numbers stand in it as they were, side by side. */
static void hand(void **state) {
    (void)state;
    static const char *const asked[] = {"“一心一意”，请接下一个成语。",
                                        "从 3，1，2 里找最大的。",
                                        "8、12、5、9 能算出 24 吗？",
                                        "What is 12 + 30?",
                                        "Sort 3, 1, 2.",
                                        "？",
                                        "?"};
    int n_changed = 0, n = 4000;
    for (int i = 0; i < n; i++) {
        const char *text = asked[i % (int)(sizeof asked / sizeof asked[0])];
        struct skill_draw draw = {.arena = &arena, .tongue = *text < 0 ? SKILL_ZH : SKILL_EN};
        struct skill_text question = {0};
        char before[256], after[256];
        draw.key =
            (struct rng_key){.seed = 3, .sequence = 1, .position = (uint32_t)i, .purpose = 1};
        arena_reset(&arena);
        skill_puts(&question, text);
        skill_hand(&draw, &question);
        const char *typed = text_of(&question);
        assert_false(draw.no_memory);
        assert_non_null(strstr(core(typed, after), core(text, before)));
        assert_true(*typed && typed[strlen(typed) - 1] != ' ');
        n_changed += strcmp(typed, text) != 0;
        buffer_free(&question.bytes);
    }
    assert_in_range(n_changed, n / 6, n / 3);
}

static void last(void **state) {
    (void)state;
    skill_task_free(&task);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calendar), cmocka_unit_test(numerals), cmocka_unit_test(columns),
        cmocka_unit_test(hand),     cmocka_unit_test(last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
