/* Calendar: weekdays, days between dates, dates after days, leap years. Gregorian, 1900 to 2100.
 *
 * A weekday is the rest, by 7, of: the year's last two digits, how often 4 goes into them, a number
 * of the century, one of the month, which is less by one before March of a leap year, and the day.
 * Thoughts mark a leap year by a star, and do one small sum at a time. */
#include "skill/calendar.h"

#include "skill/columns.h"
#include "skill/skill.h"

struct date {
    int year, month, day;
};

static const int days_before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

static bool is_leap(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

static int days_in(int year, int month) {
    return days_before[month] - days_before[month - 1] + (month == 2 && is_leap(year));
}

static int day_of_year(struct date d) {
    return days_before[d.month - 1] + d.day + (d.month > 2 && is_leap(d.year));
}

static const char *star(int year) { return is_leap(year) ? "*" : ""; }

static struct date draw_date(struct skill_draw *draw, int first, int last) {
    struct date d = {skill_range(draw, first, last), skill_range(draw, 1, 12), 0};
    d.day = skill_range(draw, 1, days_in(d.year, d.month));
    return d;
}

static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};

static const char *date_text(struct skill_draw *draw, struct date d) {
    const char *month = months[d.month - 1];
    int form = skill_below(draw, 3);
    if (form == 2) return skill_textf(draw, "%d-%02d-%02d", d.year, d.month, d.day);
    if (skill_zh(draw)) return skill_textf(draw, "%d年%d月%d日", d.year, d.month, d.day);
    if (form) return skill_textf(draw, "%d %s %d", d.day, month, d.year);
    return skill_textf(draw, "%s %d, %d", month, d.day, d.year);
}

/* As answers give it. */
static const char *date_plain(struct skill_draw *draw, struct date d) {
    if (skill_zh(draw)) return skill_textf(draw, "%d年%d月%d日", d.year, d.month, d.day);
    return skill_textf(draw, "%s %d, %d", months[d.month - 1], d.day, d.year);
}

/* ---- weekdays ---- */

static const char *const zh_days[] = {"星期日", "星期一", "星期二", "星期三",
                                      "星期四", "星期五", "星期六"};
static const char *const en_days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                      "Thursday", "Friday", "Saturday"};

static const char *day_name(const struct skill_draw *draw, int day) {
    return (skill_zh(draw) ? zh_days : en_days)[day];
}

static void think_rest(struct skill_turn *turn, int sum, const char *day) {
    skill_put(&turn->thought, "\n%d=7*%d+%d\n%d %s", sum, sum / 7, sum % 7, sum % 7, day);
}

static void make_weekday(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"{a}是星期几？",       "请问{a}是周几？",
                                     "{a}那天是星期几？",   "求{a}的星期。",
                                     "算一下{a}是星期几。", "{a}，星期几？",
                                     "{a}对应的是星期几？", "告诉我{a}是一周中的哪一天。",
                                     "{a}星期几",           "{a}是周几"};
    static const char *const en[] = {"What day of the week is {a}?",
                                     "Which weekday is {a}?",
                                     "{a}: which day of the week?",
                                     "On what weekday does {a} fall?",
                                     "Find the weekday of {a}.",
                                     "Tell me the weekday for {a}.",
                                     "What weekday was or will be {a}?",
                                     "Compute the day of the week: {a}",
                                     "What day is {a}?",
                                     "what day was {a}"};
    static const int of_month[] = {0, 3, 3, 6, 1, 4, 6, 2, 5, 0, 3, 5};
    struct skill_turn *turn = skill_turn(task);
    struct date d;
    do
        d = draw_date(draw, 1900, 2100);
    while (!skill_takes(draw, 5, "weekday %d %d %d", d.year, d.month, d.day));
    int two = d.year % 100, of_century = d.year < 2000 ? 0 : d.year < 2100 ? 6 : 4;
    int month = of_month[d.month - 1];
    if (is_leap(d.year) && d.month < 3) month = (month + 6) % 7;
    SKILL_SAY(draw, &turn->user, zh, en, date_text(draw, d));
    struct skill_text *thought = &turn->thought;
    skill_put(thought, "%d-%02d-%02d\n%d=4*%d+%d\n%02d%s: %d\n", d.year, d.month, d.day, two,
              two / 4, two % 4, d.month, star(d.year), month);
    const int parts[] = {two / 4, of_century, month, d.day};
    int sum = two;
    for (int i = 0; i < 4; i++) {
        sum = columns_short(thought, sum, '+', parts[i]);
        if (i < 3) skill_puts(thought, "\n");
    }
    think_rest(turn, sum, day_name(draw, sum % 7));
    skill_puts(&turn->answer, day_name(draw, sum % 7));
    skill_expect_answer(task, "exact");
}

static void make_weekday_after(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[2][6] = {
        {"今天是{a}，{b} 天后是星期几？", "如果今天是{a}，再过 {b} 天是星期几？",
         "{a}之后第 {b} 天是周几？", "今天{a}，过 {b} 天是星期几？",
         "假设今天{a}，{b} 天以后是星期几？", "从{a}起，{b} 天后是星期几？"},
        {"今天是{a}，{b} 天前是星期几？", "如果今天是{a}，{b} 天以前是星期几？",
         "{a}往前数 {b} 天是周几？", "今天{a}，往回 {b} 天是星期几？",
         "假设今天{a}，{b} 天之前是星期几？", "{a}的 {b} 天前是星期几？"}};
    static const char *const en[2][6] = {
        {"Today is {a}. What day is it in {b} days?",
         "If today is {a}, which weekday is {b} days later?",
         "What weekday comes {b} days after {a}?", "It is {a}. What day will it be after {b} days?",
         "{b} days from {a} is what day?", "Counting {b} days on from {a}, which weekday is it?"},
        {"Today is {a}. What day was it {b} days ago?",
         "If today is {a}, which weekday was {b} days earlier?",
         "What weekday is {b} days before {a}?", "It is {a}. What day was it {b} days back?",
         "{b} days before {a} is what day?",
         "Counting {b} days back from {a}, which weekday is it?"}};
    struct skill_turn *turn = skill_turn(task);
    int day, n, back = skill_chance(draw, 40);
    do {
        day = skill_below(draw, 7);
        n = skill_range(draw, 2, skill_chance(draw, 50) ? 30 : 400);
    } while (!skill_takes(draw, 5, "after %d %d %d", day, n, back));
    const char *values[] = {day_name(draw, day), skill_textf(draw, "%d", n)};
    skill_fill(&turn->user, (skill_zh(draw) ? zh : en)[back][skill_below(draw, 6)], values, 2);
    int rest = n % 7, at = back ? day - rest : day + rest;
    if (n < 70)
        skill_put(&turn->thought, "%d=7*%d+%d", n, n / 7, rest);
    else
        columns_divide(&turn->thought, n, 7);
    skill_put(&turn->thought, "\n%d%c%d=%d", day, back ? '-' : '+', rest, at);
    if (at < 0) skill_put(&turn->thought, "\n%d+7=%d", at, at + 7);
    if (at > 6) skill_put(&turn->thought, "\n%d-7=%d", at, at - 7);
    at = (at + 7) % 7;
    skill_put(&turn->thought, "\n%d %s", at, day_name(draw, at));
    skill_puts(&turn->answer, day_name(draw, at));
    skill_expect_answer(task, "exact");
}

/* ---- days between, and dates after days ---- */

static int think_day_of_year(struct skill_text *thought, struct date d) {
    skill_put(thought, "%d%s-%02d-%02d: ", d.year, star(d.year), d.month, d.day);
    return columns_short(thought, day_of_year(d) - d.day, '+', d.day);
}

/* The years that are gone through whole, each beside the last one, with the days from the first
 * one's beginning: "1932* 1934<: 366", a sum, "1933 1934<: 365", a sum, "1934 1934=". Returns that
 * sum. */
static int think_years(struct skill_text *thought, int from, int to, int days) {
    for (int year = from; year < to; year++) {
        int more = 365 + is_leap(year);
        skill_put(thought, "\n%d%s %d<: %d", year, star(year), to, more);
        columns_add(thought, more, days);
        days += more;
    }
    skill_put(thought, "\n%d %d=", to, to);
    return days;
}

static void make_between(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"从{a}到{b}有多少天？",     "{a}到{b}相差几天？",
                                     "{a}与{b}之间隔了多少天？", "{a}过多少天是{b}？",
                                     "算一下{a}到{b}的天数。",   "{b}是{a}之后的第几天？",
                                     "{a}和{b}相距多少天？",     "求{a}至{b}的天数差。"};
    static const char *const en[] = {"How many days are there from {a} to {b}?",
                                     "How many days lie between {a} and {b}?",
                                     "Days from {a} to {b}?",
                                     "How many days after {a} is {b}?",
                                     "Count the days from {a} to {b}.",
                                     "What is the difference in days: {a} and {b}?",
                                     "{a} to {b}: how many days?",
                                     "How long is it from {a} until {b}, in days?"};
    struct skill_turn *turn = skill_turn(task);
    struct date a, b;
    int days_a, days_b;
    do {
        a = draw_date(draw, 1900, 2098);
        b = draw_date(draw, a.year, a.year + (skill_chance(draw, 60) ? 0 : 2));
        days_a = day_of_year(a);
        days_b = day_of_year(b);
    } while ((a.year == b.year && days_b <= days_a) ||
             !skill_takes(draw, 5, "between %d %d %d %d %d %d", a.year, a.month, a.day, b.year,
                          b.month, b.day));
    SKILL_SAY(draw, &turn->user, zh, en, date_text(draw, a), date_text(draw, b));
    think_day_of_year(&turn->thought, a);
    skill_puts(&turn->thought, "\n");
    think_day_of_year(&turn->thought, b);
    int n = think_years(&turn->thought, a.year, b.year, days_b);
    columns_subtract(&turn->thought, n, days_a);
    n -= days_a;
    skill_put(&turn->answer, skill_zh(draw) ? "%d 天" : n == 1 ? "%d day" : "%d days", n);
    skill_expect_answer(task, "number");
    task->expect.bytes.len = 0;
    skill_put(&task->expect, "%d", n);
}

static void make_date_after(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {
        "{a}过 {b} 天是几月几日？",    "{a}的 {b} 天后是哪一天？",
        "{a}加 {b} 天是什么日期？",    "从{a}起再过 {b} 天是哪天？",
        "{a}之后 {b} 天的日期是？",    "求{a}往后 {b} 天的日期。",
        "今天是{a}，{b} 天后是几号？", "{a}开始，过了 {b} 天，是哪年哪月哪日？"};
    static const char *const en[] = {"What date is {b} days after {a}?",
                                     "Which date is it {b} days after {a}?",
                                     "Add {b} days to {a}.",
                                     "{a} plus {b} days is which date?",
                                     "Today is {a}. What is the date in {b} days?",
                                     "Find the date {b} days later than {a}.",
                                     "Starting on {a}, what date comes after {b} days?",
                                     "What day of which month is {b} days from {a}?"};
    struct skill_turn *turn = skill_turn(task);
    struct date d;
    int n;
    do {
        d = draw_date(draw, 1900, 2099);
        n = skill_range(draw, 2, skill_chance(draw, 60) ? 40 : 150);
    } while (!skill_takes(draw, 5, "date %d %d %d %d", d.year, d.month, d.day, n));
    SKILL_SAY(draw, &turn->user, zh, en, date_text(draw, d), skill_textf(draw, "%d", n));
    struct skill_text *thought = &turn->thought;
    skill_put(thought, "%d%s-%02d-%02d\n", d.year, star(d.year), d.month, d.day);
    d.day = columns_short(thought, d.day, '+', n);
    for (int days; d.day > (days = days_in(d.year, d.month));) {
        skill_put(thought, "\n%d>%d: ", d.day, days);
        d.day = columns_short(thought, d.day, '-', days);
        if (++d.month == 13) d.month = 1, d.year++;
        skill_put(thought, " %d%s-%02d", d.year, star(d.year), d.month);
    }
    skill_put(thought, "\n%d<=%d", d.day, days_in(d.year, d.month));
    skill_puts(&turn->answer, date_plain(draw, d));
    skill_expect_answer(task, "exact");
}

/* ---- leap years ---- */

/* 4 goes into a leap year's last two digits, or where those are 0 into its first two. */
static void think_leap(struct skill_text *thought, int year) {
    int two = year % 100 ? year % 100 : year / 100;
    skill_put(thought, "%d=4*%d+%d", two, two / 4, two % 4);
}

static void make_leap(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"{a}年是闰年吗？",
                                     "{a}年是不是闰年？",
                                     "判断{a}年是否为闰年。",
                                     "{a}年算不算闰年？",
                                     "{a}年属于闰年吗？",
                                     "请问{a}年是闰年吗？",
                                     "{a}，是闰年还是平年？是闰年答“是”。",
                                     "公历{a}年是闰年吗？"};
    static const char *const en[] = {"Is {a} a leap year?",
                                     "Was or will {a} be a leap year?",
                                     "Does February {a} have 29 days?",
                                     "Does the year {a} have 366 days?",
                                     "Leap year or not: {a}? Answer yes or no.",
                                     "Tell me whether {a} is a leap year.",
                                     "The year {a}: leap year?",
                                     "Check if {a} is a leap year."};
    struct skill_turn *turn = skill_turn(task);
    int year;
    do {
        year = skill_chance(draw, 25) ? 100 * skill_range(draw, 10, 30)
                                      : skill_range(draw, 1000, 3000);
        if (skill_chance(draw, 30)) year = year / 4 * 4;
    } while (!skill_takes(draw, 10, "leap %d", year));
    SKILL_SAY(draw, &turn->user, zh, en, skill_textf(draw, "%d", year));
    think_leap(&turn->thought, year);
    skill_puts(&turn->answer,
               is_leap(year) ? (skill_zh(draw) ? "是" : "yes") : (skill_zh(draw) ? "不是" : "no"));
    skill_expect_answer(task, "exact");
}

static void make_month_days(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {
        "{a}年{b}月有多少天？",       "{a}年{b}月共几天？",
        "请问{a}年的{b}月有几天？",   "{a}年{b}月的天数是多少？",
        "{a}年{b}月最后一天是几号？", "{a}年{b}月是 28、29、30 还是 31 天？",
        "说出{a}年{b}月的天数。",     "{a}年{b}月一共有多少天？"};
    static const char *const en[] = {
        "How many days are in {c} {a}?",   "How many days does {c} {a} have?",
        "Number of days in {c} {a}?",      "What is the last day of {c} {a}?",
        "{c} {a}: 28, 29, 30 or 31 days?", "Days in {c} {a}?",
        "How long is {c} {a}, in days?",   "Give the number of days of {c} {a}."};
    struct skill_turn *turn = skill_turn(task);
    int year, month;
    do {
        year = skill_range(draw, 1900, 2100);
        month = skill_chance(draw, 40) ? 2 : skill_range(draw, 1, 12);
    } while (!skill_takes(draw, 5, "month %d %d", year, month));
    SKILL_SAY(draw, &turn->user, zh, en, skill_textf(draw, "%d", year),
              skill_textf(draw, "%d", month), months[month - 1]);
    if (month == 2) think_leap(&turn->thought, year);
    skill_put(&turn->answer, "%d", days_in(year, month));
    skill_expect_answer(task, "number");
}

static const struct skill_group groups[] = {{"weekday", 5, make_weekday},
                                            {"weekday-after", 2, make_weekday_after},
                                            {"between", 3, make_between},
                                            {"date-after", 3, make_date_after},
                                            {"leap", 1, make_leap},
                                            {"month", 1, make_month_days},
                                            {"age", 1, calendar_make_age},
                                            {"later", 2, calendar_make_later},
                                            {"lasted", 2, calendar_make_lasted},
                                            {0}};

const struct skill skill_calendar = {.name = "calendar",
                                     .about =
                                         "weekdays, dates and days, leap years, ages, times of day",
                                     .groups = groups};
