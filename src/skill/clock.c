/* Ages, and times of day. */
#include "skill/calendar.h"
#include "skill/columns.h"

void calendar_make_age(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"小明{a}年出生，{b}年他多少岁？",
                                     "某人生于{a}年，到{b}年几岁？",
                                     "{a}年出生的人在{b}年是多大？（按年份相减）",
                                     "她{a}年出生，{b}年满几岁？",
                                     "一所学校{a}年建校，{b}年是建校多少年？",
                                     "爷爷{a}年出生，{b}年多少岁？",
                                     "这棵树{a}年种下，到{b}年有多少年了？",
                                     "小红生于{a}年，{b}年时几岁？"};
    static const char *const en[] = {
        "Anna was born in {a}. How old does she turn in {b}?",
        "Someone born in {a} is how old in {b} (by years alone)?",
        "Born in {a}: what age in {b}?",
        "A school was founded in {a}. How many years old is it in {b}?",
        "A tree was planted in {a}. How many years old is it in {b}?",
        "Tom was born in {a}. What is his age at the end of {b}?",
        "If a bridge opened in {a}, how old is it in {b}?",
        "Grandfather was born in {a}. How old does he turn in {b}?"};
    struct skill_turn *turn = skill_turn(task);
    int born, now;
    do {
        born = skill_range(draw, 1900, 2020);
        now = skill_range(draw, born + 1, born + 90);
    } while (!skill_takes(draw, 5, "age %d %d", born, now));
    SKILL_SAY(draw, &turn->user, zh, en, skill_textf(draw, "%d", born),
              skill_textf(draw, "%d", now));
    columns_subtract(&turn->thought, now, born);
    skill_put(&turn->answer, "%d", now - born);
    skill_expect_answer(task, "number");
}

static const char *span_text(struct skill_draw *draw, int minutes) {
    int h = minutes / 60, m = minutes % 60;
    if (skill_zh(draw)) {
        if (!h) return skill_textf(draw, "%d 分钟", m);
        return m ? skill_textf(draw, "%d 小时 %d 分钟", h, m) : skill_textf(draw, "%d 小时", h);
    }
    const char *hours = h == 1 ? "hour" : "hours", *rest = m == 1 ? "minute" : "minutes";
    if (!h) return skill_textf(draw, "%d %s", m, rest);
    return m ? skill_textf(draw, "%d %s %d %s", h, hours, m, rest)
             : skill_textf(draw, "%d %s", h, hours);
}

/* Says which is larger before anything is done about it: "6 30< ". */
static bool think_less(struct skill_text *thought, int a, int b) {
    skill_put(thought, "%d %d%c ", a, b, a < b ? '<' : a > b ? '>' : '=');
    return a < b;
}

void calendar_make_later(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[2][5] = {
        {"现在 {a}，{b}后是几点？", "{a} 出发，路上用了 {b}，几点到？", "{a} 过 {b}是什么时刻？",
         "电影 {a} 开始，放映 {b}，几点结束？", "{a} 加上 {b}是几点？"},
        {"现在 {a}，{b}前是几点？", "{a} 到达，路上用了 {b}，几点出发的？",
         "{a} 之前 {b}是什么时刻？", "电影 {a} 结束，放映了 {b}，几点开始的？",
         "{a} 减去 {b}是几点？"}};
    static const char *const en[2][5] = {
        {"It is {a}. What time is it in {b}?",
         "A train leaves at {a} and travels {b}. When does it arrive?",
         "What time is {b} after {a}?", "A film starts at {a} and lasts {b}. When does it end?",
         "{a} plus {b} is what time?"},
        {"It is {a}. What time was it {b} ago?",
         "A train arrives at {a} after {b}. When did it leave?", "What time is {b} before {a}?",
         "A film ends at {a} and lasted {b}. When did it start?", "{a} minus {b} is what time?"}};
    struct skill_turn *turn = skill_turn(task);
    int at, span, back = skill_chance(draw, 40);
    do {
        at = skill_below(draw, 24 * 60);
        span = skill_range(draw, 1, skill_chance(draw, 70) ? 300 : 900);
        if (skill_chance(draw, 50)) at = at / 5 * 5, span = span / 5 * 5 + 5;
    } while (!skill_takes(draw, 5, "later %d %d %d", at, span, back));
    const char *values[] = {skill_textf(draw, "%d:%02d", at / 60, at % 60), span_text(draw, span)};
    skill_open(draw, &turn->user);
    skill_fill(&turn->user, (skill_zh(draw) ? zh : en)[back][skill_below(draw, 5)], values, 2);
    struct skill_text *thought = &turn->thought;
    int hours = at / 60, minutes = at % 60, dh = span / 60, dm = span % 60;
    char op = back ? '-' : '+';
    skill_put(thought, "%d:%02d%c%d:%02d\n", hours, minutes, op, dh, dm);
    bool carried = back && think_less(thought, minutes, dm);
    if (carried) {
        minutes = columns_short(thought, minutes, '+', 60);
        skill_puts(thought, " ");
    }
    minutes = columns_short(thought, minutes, op, dm);
    if (minutes > 59) {
        carried = true;
        skill_puts(thought, " ");
        minutes = columns_short(thought, minutes, '-', 60);
    }
    skill_puts(thought, "\n");
    if (carried) {
        dh = columns_short(thought, dh, '+', 1);
        skill_puts(thought, " ");
    }
    if (back && think_less(thought, hours, dh)) {
        hours = columns_short(thought, hours, '+', 24);
        skill_puts(thought, " ");
    }
    hours = columns_short(thought, hours, op, dh);
    if (hours > 23) {
        skill_puts(thought, " ");
        hours = columns_short(thought, hours, '-', 24);
    }
    skill_put(&turn->answer, "%d:%02d", hours, minutes);
    skill_expect_answer(task, "exact");
}

void calendar_make_lasted(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"从 {a} 到 {b} 有多久？",
                                     "{a} 上课，{b} 下课，这节课多长？",
                                     "{a} 出发，{b} 到达，用了多长时间？",
                                     "{a} 至 {b} 经过多少时间？",
                                     "电影 {a} 开始，{b} 结束，放了多久？",
                                     "{a} 到 {b} 相隔几小时几分钟？",
                                     "商店 {a} 开门，{b} 关门，营业多久？",
                                     "他 {a} 睡，{b} 醒，睡了多久？"};
    static const char *const en[] = {
        "How long is it from {a} to {b}?",
        "A lesson runs from {a} to {b}. How long is it?",
        "A bus leaves at {a} and arrives at {b}. How long does it take?",
        "How much time passes between {a} and {b}?",
        "A film starts at {a} and ends at {b}. How long is it?",
        "{a} to {b}: how many hours and minutes?",
        "A shop opens at {a} and closes at {b}. How long is it open?",
        "He slept from {a} to {b}. How long did he sleep?"};
    struct skill_turn *turn = skill_turn(task);
    int from, to;
    do {
        from = skill_below(draw, 24 * 60);
        to = skill_below(draw, 24 * 60);
        if (skill_chance(draw, 50)) from = from / 5 * 5, to = to / 5 * 5;
    } while (from == to || !skill_takes(draw, 5, "lasted %d %d", from, to));
    SKILL_SAY(draw, &turn->user, zh, en, skill_textf(draw, "%d:%02d", from / 60, from % 60),
              skill_textf(draw, "%d:%02d", to / 60, to % 60));
    struct skill_text *thought = &turn->thought;
    int h = to / 60, m = to % 60;
    skill_put(thought, "%d:%02d-%d:%02d\n", h, m, from / 60, from % 60);
    bool borrowed = think_less(thought, m, from % 60);
    if (borrowed) {
        m = columns_short(thought, m, '+', 60);
        skill_puts(thought, " ");
    }
    m = columns_short(thought, m, '-', from % 60);
    skill_puts(thought, "\n");
    int gone = from / 60; // and an hour more where the minutes borrowed it
    if (borrowed) {
        gone = columns_short(thought, gone, '+', 1);
        skill_puts(thought, " ");
    }
    if (think_less(thought, h, gone)) {
        h = columns_short(thought, h, '+', 24);
        skill_puts(thought, " ");
    }
    h = columns_short(thought, h, '-', gone);
    skill_puts(&turn->answer, span_text(draw, 60 * h + m));
    skill_expect_answer(task, "numbers");
}
