/* Units: lengths, masses, areas, volumes, times, money, temperatures; exact factors. */
#include "skill/columns.h"
#include "skill/numerals.h"
#include "skill/skill.h"

/* One of the first is num / den of the second. */
struct unit_pair {
    const char *zh, *en; // of the larger unit; en in the plural
    const char *zh_small, *en_small;
    int num, den;
    const char *factor; // num / den as a decimal, where it is none that is whole
    int kind;           // which group
};

enum { METRIC, CHINESE, ENGLISH, TIME, MONEY };

static const struct unit_pair pairs[] = {
    {"千米", "kilometres", "米", "metres", 1000, 1, NULL, METRIC},
    {"公里", "km", "米", "m", 1000, 1, NULL, METRIC},
    {"米", "metres", "厘米", "centimetres", 100, 1, NULL, METRIC},
    {"米", "m", "毫米", "mm", 1000, 1, NULL, METRIC},
    {"米", "m", "分米", "dm", 10, 1, NULL, METRIC},
    {"厘米", "cm", "毫米", "mm", 10, 1, NULL, METRIC},
    {"千克", "kilograms", "克", "grams", 1000, 1, NULL, METRIC},
    {"吨", "tonnes", "千克", "kilograms", 1000, 1, NULL, METRIC},
    {"克", "g", "毫克", "mg", 1000, 1, NULL, METRIC},
    {"升", "litres", "毫升", "millilitres", 1000, 1, NULL, METRIC},
    {"立方米", "cubic metres", "升", "litres", 1000, 1, NULL, METRIC},
    {"公顷", "hectares", "平方米", "square metres", 10000, 1, NULL, METRIC},
    {"平方千米", "square kilometres", "公顷", "hectares", 100, 1, NULL, METRIC},
    {"平方米", "square metres", "平方厘米", "square centimetres", 10000, 1, NULL, METRIC},
    {"平方米", "square metres", "平方分米", "square decimetres", 100, 1, NULL, METRIC},
    {"斤", "jin", "两", "liang", 10, 1, NULL, CHINESE},
    {"斤", "jin", "克", "grams", 500, 1, NULL, CHINESE},
    {"公斤", "kilograms", "斤", "jin", 2, 1, NULL, CHINESE},
    {"两", "liang", "克", "grams", 50, 1, NULL, CHINESE},
    {"担", "dan", "斤", "jin", 100, 1, NULL, CHINESE},
    {"里", "li", "米", "metres", 500, 1, NULL, CHINESE},
    {"公里", "kilometres", "里", "li", 2, 1, NULL, CHINESE},
    {"丈", "zhang", "尺", "chi", 10, 1, NULL, CHINESE},
    {"尺", "chi", "寸", "cun", 10, 1, NULL, CHINESE},
    {"米", "metres", "尺", "chi", 3, 1, NULL, CHINESE},
    {"公顷", "hectares", "亩", "mu", 15, 1, NULL, CHINESE},
    {"里", "li", "丈", "zhang", 150, 1, NULL, CHINESE},
    {"英尺", "feet", "英寸", "inches", 12, 1, NULL, ENGLISH},
    {"码", "yards", "英尺", "feet", 3, 1, NULL, ENGLISH},
    {"英里", "miles", "码", "yards", 1760, 1, NULL, ENGLISH},
    {"英寸", "inches", "厘米", "centimetres", 254, 100, "2.54", ENGLISH},
    {"英尺", "feet", "厘米", "centimetres", 3048, 100, "30.48", ENGLISH},
    {"磅", "pounds", "盎司", "ounces", 16, 1, NULL, ENGLISH},
    {"英石", "stone", "磅", "pounds", 14, 1, NULL, ENGLISH},
    {"加仑", "gallons", "夸脱", "quarts", 4, 1, NULL, ENGLISH},
    {"夸脱", "quarts", "品脱", "pints", 2, 1, NULL, ENGLISH},
    {"打", "dozen", "个", "pieces", 12, 1, NULL, ENGLISH},
    {"小时", "hours", "分钟", "minutes", 60, 1, NULL, TIME},
    {"分钟", "minutes", "秒", "seconds", 60, 1, NULL, TIME},
    {"小时", "hours", "秒", "seconds", 3600, 1, NULL, TIME},
    {"天", "days", "小时", "hours", 24, 1, NULL, TIME},
    {"周", "weeks", "天", "days", 7, 1, NULL, TIME},
    {"年", "years", "个月", "months", 12, 1, NULL, TIME},
    {"刻钟", "quarter-hours", "分钟", "minutes", 15, 1, NULL, TIME},
    {"世纪", "centuries", "年", "years", 100, 1, NULL, TIME},
    {"元", "yuan", "角", "jiao", 10, 1, NULL, MONEY},
    {"元", "yuan", "分", "fen", 100, 1, NULL, MONEY},
    {"角", "jiao", "分", "fen", 10, 1, NULL, MONEY},
    {"美元", "dollars", "美分", "cents", 100, 1, NULL, MONEY},
};

static bool is_power(int n) {
    while (n % 10 == 0)
        n /= 10;
    return n == 1;
}

/* The written product, the longer number first. */
static void times(struct skill_text *thought, int a, int b) {
    columns_multiply(thought, a > b ? a : b, a > b ? b : a);
}

static const char *const ask_zh[] = {"{a} {b}等于多少{c}？",  "{a} {b}是几{c}？",
                                     "把 {a} {b}换算成{c}。", "{a} {b} = ? {c}",
                                     "{a} {b}合多少{c}？",    "请将 {a} {b}换成{c}。",
                                     "{a} {b}有多少{c}？",    "单位换算：{a} {b}，化成{c}",
                                     "{a}{b}是多少{c}",       "{a}{b}等于多少{c}"};
static const char *const ask_en[] = {
    "How many {c} are {a} {b}?",    "Convert {a} {b} to {c}.",  "{a} {b} = ? {c}",
    "What is {a} {b} in {c}?",      "Express {a} {b} in {c}.",  "{a} {b} to {c}, please.",
    "{a} {b} equals how many {c}?", "Change {a} {b} into {c}.", "{a} {b} in {c}",
    "how many {c} in {a} {b}"};

static void make_pair(struct skill_draw *draw, struct skill_task *task, int kind) {
    struct skill_turn *turn = skill_turn(task);
    const struct unit_pair *pair;
    int n, tenths, up = skill_chance(draw, 45), at;
    do {
        do
            at = skill_below(draw, SKILL_COUNT(pairs));
        while (pairs[at].kind != kind);
        pair = &pairs[at];
        n = skill_number(draw, 3);
        if (!is_power(pair->num)) n = skill_range(draw, 1, pair->num < 100 ? 99 : 12);
        tenths = pair->den == 1 && (up || skill_chance(draw, 30)) ? skill_number(draw, 3) : 10 * n;
        if (kind == TIME || pair->num % 10) tenths = 10 * n;
    } while ((tenths == 10 && !skill_zh(draw)) || // "1 metres"
             !skill_takes(draw, 5, "unit %s %s %d", pair->en, pair->en_small, tenths));
    bool zh = skill_zh(draw);
    const char *large = numerals_decimal(draw, tenths, 10);
    const char *small = numerals_decimal(draw, (long long)tenths * pair->num, 10LL * pair->den);
    const char *factor = pair->factor ? pair->factor : skill_textf(draw, "%d", pair->num);
    const char *name = zh ? pair->zh : pair->en, *name_small = zh ? pair->zh_small : pair->en_small;
    SKILL_SAY(draw, &turn->user, ask_zh, ask_en, up ? small : large, up ? name_small : name,
              up ? name : name_small);
    skill_put(&turn->thought, up ? "%s/%s" : "%s*%s", up ? small : large, factor);
    if (!pair->factor && !is_power(pair->num) && tenths % 10 == 0) {
        if (up)
            columns_divide(&turn->thought, tenths / 10 * pair->num, pair->num);
        else
            times(&turn->thought, tenths / 10, pair->num);
    }
    skill_put(&turn->thought, "\n=%s", up ? large : small);
    skill_puts(&turn->answer, up ? large : small);
    skill_expect_answer(task, "number");
}

static void make_metric(struct skill_draw *draw, struct skill_task *task) {
    make_pair(draw, task, METRIC);
}
static void make_chinese(struct skill_draw *draw, struct skill_task *task) {
    make_pair(draw, task, CHINESE);
}
static void make_english(struct skill_draw *draw, struct skill_task *task) {
    make_pair(draw, task, ENGLISH);
}
static void make_time(struct skill_draw *draw, struct skill_task *task) {
    make_pair(draw, task, TIME);
}
static void make_money(struct skill_draw *draw, struct skill_task *task) {
    make_pair(draw, task, MONEY);
}

/* ---- two units at once ---- */

struct unit_chain { // 2 hours 15 minutes
    const char *zh[2], *en[2];
    int factor;
};

static const struct unit_chain chains[] = {
    {{"米", "厘米"}, {"m", "cm"}, 100},         {{"千克", "克"}, {"kg", "g"}, 1000},
    {{"千米", "米"}, {"km", "m"}, 1000},        {{"升", "毫升"}, {"l", "ml"}, 1000},
    {{"小时", "分钟"}, {"h", "min"}, 60},       {{"分钟", "秒"}, {"min", "s"}, 60},
    {{"天", "小时"}, {"days", "hours"}, 24},    {{"周", "天"}, {"weeks", "days"}, 7},
    {{"英尺", "英寸"}, {"feet", "inches"}, 12}, {{"斤", "两"}, {"jin", "liang"}, 10},
    {{"元", "分"}, {"yuan", "fen"}, 100},       {{"元", "角"}, {"yuan", "jiao"}, 10},
    {{"丈", "尺"}, {"zhang", "chi"}, 10},       {{"年", "个月"}, {"years", "months"}, 12},
};

static void make_joined(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[2][4] = {{"{a} {c} {b} {d}等于多少{d}？",
                                          "把 {a} {c} {b} {d}化成{d}。", "{a} {c} {b} {d} = ? {d}",
                                          "{a} {c} {b} {d}一共是几{d}？"},
                                         {"{e} {d}等于几{c}几{d}？", "把 {e} {d}化成{c}和{d}。",
                                          "{e} {d} = ? {c} ? {d}", "{e} {d}是多少{c}多少{d}？"}};
    static const char *const en[2][4] = {
        {"How many {d} are {a} {c} {b} {d}?", "Convert {a} {c} {b} {d} to {d}.",
         "{a} {c} {b} {d} = ? {d}", "What is {a} {c} {b} {d} in {d} alone?"},
        {"How many {c} and {d} are {e} {d}?", "Write {e} {d} as {c} and {d}.",
         "{e} {d} = ? {c} ? {d}", "Express {e} {d} in {c} and {d}."}};
    struct skill_turn *turn = skill_turn(task);
    int at, n, rest, apart = skill_chance(draw, 50);
    do {
        at = skill_below(draw, SKILL_COUNT(chains));
        n = skill_number(draw, 2);
        rest = skill_range(draw, 1, chains[at].factor - 1);
    } while (((n == 1 || rest == 1) && !skill_zh(draw)) ||
             !skill_takes(draw, 5, "joined %d %d %d", at, n, rest));
    const struct unit_chain *chain = &chains[at];
    const char *const *names = skill_zh(draw) ? chain->zh : chain->en;
    int factor = chain->factor, all = n * factor + rest;
    const char *values[] = {skill_textf(draw, "%d", n), skill_textf(draw, "%d", rest), names[0],
                            names[1], skill_textf(draw, "%d", all)};
    skill_open(draw, &turn->user);
    skill_fill(&turn->user, (skill_zh(draw) ? zh : en)[apart][skill_below(draw, 4)], values, 5);
    if (apart) {
        if (is_power(factor))
            skill_put(&turn->thought, "%d=%d*%d+%d", all, factor, n, rest);
        else
            columns_divide(&turn->thought, all, factor);
        skill_put(&turn->answer, "%d %s %d %s", n, names[0], rest, names[1]);
        skill_expect_answer(task, "numbers");
    } else {
        if (is_power(factor))
            skill_put(&turn->thought, "%d*%d=%d", n, factor, n * factor);
        else
            times(&turn->thought, n, factor);
        columns_add(&turn->thought, n * factor, rest);
        skill_put(&turn->answer, "%d", all);
        skill_expect_answer(task, "number");
    }
}

/* 3元5角2分 */
static void make_coins(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[2][4] = {
        {"{a} 元 {b} 角 {c} 分等于多少分？", "把 {a} 元 {b} 角 {c} 分化成分。",
         "{a} 元 {b} 角 {c} 分 = ? 分", "{a} 元 {b} 角 {c} 分一共几分？"},
        {"{d} 分等于几元几角几分？", "把 {d} 分化成元、角、分。", "{d} 分 = ? 元 ? 角 ? 分",
         "{d} 分是多少元多少角多少分？"}};
    static const char *const en[2][4] = {
        {"How many fen are {a} yuan {b} jiao {c} fen?", "Convert {a} yuan {b} jiao {c} fen to fen.",
         "{a} yuan {b} jiao {c} fen = ? fen", "What is {a} yuan {b} jiao {c} fen in fen?"},
        {"How many yuan, jiao and fen are {d} fen?", "Write {d} fen as yuan, jiao and fen.",
         "{d} fen = ? yuan ? jiao ? fen", "Express {d} fen in yuan, jiao and fen."}};
    struct skill_turn *turn = skill_turn(task);
    int yuan, jiao, fen, apart = skill_chance(draw, 50);
    do {
        yuan = skill_number(draw, 2);
        jiao = skill_below(draw, 10);
        fen = skill_below(draw, 10);
    } while (!skill_takes(draw, 5, "coins %d %d %d", yuan, jiao, fen));
    int all = 100 * yuan + 10 * jiao + fen;
    const char *values[] = {skill_textf(draw, "%d", yuan), skill_textf(draw, "%d", jiao),
                            skill_textf(draw, "%d", fen), skill_textf(draw, "%d", all)};
    skill_open(draw, &turn->user);
    skill_fill(&turn->user, (skill_zh(draw) ? zh : en)[apart][skill_below(draw, 4)], values, 4);
    if (apart) {
        skill_put(&turn->thought, "%d=100*%d+10*%d+%d", all, yuan, jiao, fen);
        skill_put(&turn->answer, skill_zh(draw) ? "%d 元 %d 角 %d 分" : "%d yuan %d jiao %d fen",
                  yuan, jiao, fen);
        skill_expect_answer(task, "numbers");
    } else {
        skill_put(&turn->thought, "%d*100+%d*10+%d=%d+%d+%d=%d", yuan, jiao, fen, 100 * yuan,
                  10 * jiao, fen, all);
        skill_put(&turn->answer, "%d", all);
        skill_expect_answer(task, "number");
    }
}

static void make_temperature(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[2][6] = {
        {"{a}°C 是多少华氏度？", "{a} 摄氏度等于多少华氏度？", "把 {a}°C 换算成华氏度。",
         "{a}°C = ? °F", "摄氏 {a} 度合华氏几度？", "将 {a} 摄氏度化成华氏度。"},
        {"{b}°F 是多少摄氏度？", "{b} 华氏度等于多少摄氏度？", "把 {b}°F 换算成摄氏度。",
         "{b}°F = ? °C", "华氏 {b} 度合摄氏几度？", "将 {b} 华氏度化成摄氏度。"}};
    static const char *const en[2][6] = {
        {"What is {a}°C in Fahrenheit?", "Convert {a} degrees Celsius to Fahrenheit.",
         "{a}°C = ? °F", "{a} degrees Celsius is how many degrees Fahrenheit?",
         "Express {a}°C in °F.", "How warm is {a}°C in Fahrenheit?"},
        {"What is {b}°F in Celsius?", "Convert {b} degrees Fahrenheit to Celsius.", "{b}°F = ? °C",
         "{b} degrees Fahrenheit is how many degrees Celsius?", "Express {b}°F in °C.",
         "How warm is {b}°F in Celsius?"}};
    struct skill_turn *turn = skill_turn(task);
    int celsius, to_celsius = skill_chance(draw, 40);
    do
        celsius = to_celsius ? 5 * skill_range(draw, -20, 60) : skill_range(draw, -60, 200);
    while (!skill_takes(draw, 10, "temperature %d", celsius));
    int above = 18 * celsius, fahrenheit = above + 320; // in tenths
    const char *values[] = {skill_textf(draw, "%d", celsius),
                            numerals_decimal(draw, fahrenheit, 10)};
    skill_fill(&turn->user, (skill_zh(draw) ? zh : en)[to_celsius][skill_below(draw, 6)], values,
               2);
    struct skill_text *thought = &turn->thought;
    int size = celsius < 0 ? -celsius : celsius, difference = above / 10; // whole, to Celsius
    if (to_celsius) {
        skill_put(thought, "%s-32=%d", values[1], difference);
        if (fahrenheit >= 320) columns_subtract(thought, fahrenheit / 10, 32);
        columns_divide(thought, size / 5 * 9, 9);
        if (size > 5) columns_multiply(thought, size / 5, 5);
        skill_put(thought, "\n%d", celsius);
    } else {
        skill_put(thought, "%d*18", celsius);
        if (size > 1) columns_multiply(thought, size > 18 ? size : 18, size > 18 ? 18 : size);
        skill_put(thought, "\n%s+32=%s", numerals_decimal(draw, above, 10), values[1]);
    }
    skill_puts(&turn->answer, values[!to_celsius]);
    skill_expect_answer(task, "number");
}

static const struct skill_group groups[] = {{"metric", 4, make_metric},
                                            {"chinese", 3, make_chinese},
                                            {"english", 2, make_english},
                                            {"time", 2, make_time},
                                            {"money", 1, make_money},
                                            {"coins", 1, make_coins},
                                            {"joined", 3, make_joined},
                                            {"temperature", 1, make_temperature},
                                            {0}};

const struct skill skill_units = {.name = "units",
                                  .about =
                                      "metric, Chinese and English units, time, money, temperature",
                                  .groups = groups};
