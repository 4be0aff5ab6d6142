/* Logic: comparisons in a chain, what follows from "all", "no" and "if", who tells the truth. */
#include "skill/logic.h"

#include <string.h>

#include "skill/names.h"
#include "skill/skill.h"

static const char *in_tongue(const struct skill_draw *draw, const char *zh, const char *en) {
    return skill_zh(draw) ? zh : en;
}

/* ---- chains ---- */

struct comparison { // more and less of it; the most and the least
    const char *zh[2], *en[2], *zh_top[2], *en_top[2];
};

static const struct comparison comparisons[] = {
    {{"高", "矮"}, {"taller", "shorter"}, {"最高", "最矮"}, {"the tallest", "the shortest"}},
    {{"年纪大", "年纪小"},
     {"older", "younger"},
     {"年纪最大", "年纪最小"},
     {"the oldest", "the youngest"}},
    {{"跑得快", "跑得慢"},
     {"faster", "slower"},
     {"跑得最快", "跑得最慢"},
     {"the fastest", "the slowest"}},
    {{"重", "轻"}, {"heavier", "lighter"}, {"最重", "最轻"}, {"the heaviest", "the lightest"}},
    {{"有钱", "穷"}, {"richer", "poorer"}, {"最有钱", "最穷"}, {"the richest", "the poorest"}},
    {{"力气大", "力气小"},
     {"stronger", "weaker"},
     {"力气最大", "力气最小"},
     {"the strongest", "the weakest"}},
};

static const char *yes_no(const struct skill_draw *draw, bool yes) {
    return yes ? in_tongue(draw, "是", "yes") : in_tongue(draw, "不是", "no");
}

/* From one of them down to the least, up to the most, then all: each step looks up what was said.
 */
static void think_chain(struct skill_draw *draw, struct skill_text *thought,
                        const char *const *names, int n, int from) {
    skill_puts(thought, "\n");
    for (int i = from; i < n; i++)
        skill_put(thought, "%s>", names[i]);
    skill_puts(thought, "-\n");
    for (int i = from; i >= 0; i--)
        skill_put(thought, "%s<", names[i]);
    skill_put(thought, "-\n%s", skill_list_words(draw, names, n, ">"));
}

static void make_chain(struct skill_draw *draw, struct skill_task *task) {
    struct skill_turn *turn = skill_turn(task);
    const char *names[NAMES_MOST];
    int said[NAMES_MOST], n, kind, ask, a, b;
    do { // names[0] is the most, and so on
        n = skill_range(draw, 3, 5);
        names_draw(draw, n, names);
        kind = skill_below(draw, SKILL_COUNT(comparisons));
        ask = skill_below(draw, 4);
        a = skill_below(draw, n);
        b = skill_below(draw, n);
    } while (a == b ||
             !skill_takes(draw, 10, "chain %d %s", kind, skill_list_words(draw, names, n, " ")));
    const struct comparison *compare = &comparisons[kind];
    for (int i = 0; i < n - 1; i++)
        said[i] = i;
    skill_shuffle(draw, said, n - 1);
    skill_open(draw, &turn->user);
    for (int i = 0; i < n - 1; i++) {
        const char *more = names[said[i]], *less = names[said[i] + 1];
        bool turned = skill_chance(draw, 50);
        const char *first = turned ? less : more, *second = turned ? more : less;
        if (skill_zh(draw))
            skill_put(&turn->user, "%s%s比%s%s", i ? "，" : "", first, second, compare->zh[turned]);
        else
            skill_put(&turn->user, "%s%s is %s than %s.", i ? " " : "", first, compare->en[turned],
                      second);
        skill_put(&turn->thought, "%s%s>%s %s<%s", i ? "\n" : "", more, less, less, more);
    }
    think_chain(draw, &turn->thought, names, n, said[0]);
    skill_puts(&turn->user, in_tongue(draw, "。", " "));
    if (ask < 2) {
        static const char *const zh[] = {"谁{a}？", "他们当中谁{a}？", "{a}的是谁？",
                                         "请说出谁{a}。"};
        static const char *const en[] = {"Who is {a}?", "Which of them is {a}?",
                                         "Name the one who is {a}.", "Of all these, who is {a}?"};
        SKILL_SAY(draw, &turn->user, zh, en,
                  skill_zh(draw) ? compare->zh_top[ask] : compare->en_top[ask]);
        skill_puts(&turn->answer, names[ask ? n - 1 : 0]);
    } else if (ask == 2) {
        bool down = skill_chance(draw, 50);
        if (skill_zh(draw))
            skill_put(&turn->user, "%s比%s%s吗？", names[a], names[b], compare->zh[down]);
        else
            skill_put(&turn->user, "Is %s %s than %s?", names[a], compare->en[down], names[b]);
        skill_puts(&turn->answer, yes_no(draw, (a < b) != down));
    } else {
        const char *between = in_tongue(draw, "、", ", ");
        if (skill_zh(draw))
            skill_put(&turn->user, "从%s到%s排列。", compare->zh_top[0], compare->zh_top[1]);
        else
            skill_put(&turn->user, "List them from %s to %s.", compare->en_top[0],
                      compare->en_top[1]);
        skill_puts(&turn->answer, skill_list_words(draw, names, n, between));
    }
    skill_expect_answer(task, ask == 3 ? "list" : "exact");
}

/* ---- all and no ---- */

struct kinds { // each is one of the next: in Chinese, and in English in the singular and plural
    const char *zh[3], *en[3], *en_all[3];
    bool person; // the first may be several things at once
};

static const struct kinds ladders[] = {
    {{"蜜蜂", "昆虫", "动物"}, {"a bee", "an insect", "an animal"}, {"bees", "insects", "animals"}},
    {{"松树", "树", "植物"}, {"a pine", "a tree", "a plant"}, {"pines", "trees", "plants"}},
    {{"小提琴", "乐器", "东西"},
     {"a violin", "an instrument", "a thing"},
     {"violins", "instruments", "things"}},
    {{"苹果", "水果", "食物"}, {"an apple", "a fruit", "a food"}, {"apples", "fruits", "foods"}},
    {{"偶数", "整数", "有理数"},
     {"an even number", "an integer", "a rational number"},
     {"even numbers", "integers", "rational numbers"}},
    {{"词典", "书", "印刷品"},
     {"a dictionary", "a book", "a printed work"},
     {"dictionaries", "books", "printed works"}},
    {{"库里", "达姆", "奥索"}, {"a koori", "a dam", "an osso"}, {"kooris", "dams", "ossos"}},
    {{"湖", "水体", "地貌"},
     {"a lake", "a body of water", "a landform"},
     {"lakes", "bodies of water", "landforms"}},
    {{"猫", "动物", "生物"},
     {"a cat", "an animal", "a living thing"},
     {"cats", "animals", "living things"}},
    {{"麻雀", "鸟", "动物"},
     {"a sparrow", "a bird", "an animal"},
     {"sparrows", "birds", "animals"}},
    {{"玫瑰", "花", "植物"}, {"a rose", "a flower", "a plant"}, {"roses", "flowers", "plants"}},
    {{"医生", "大学毕业生", "会读书的人"},
     {"a doctor", "a graduate", "a reader"},
     {"doctors", "graduates", "readers"},
     true},
    {{"正方形", "长方形", "四边形"},
     {"a square", "a rectangle", "a quadrilateral"},
     {"squares", "rectangles", "quadrilaterals"}},
    {{"鲤鱼", "鱼", "水里的东西"},
     {"a carp", "a fish", "a swimmer"},
     {"carps", "fishes", "swimmers"}},
    {{"木格", "瓦拉", "提米"}, {"a moog", "a walla", "a timi"}, {"moogs", "wallas", "timis"}},
    {{"钢琴家", "音乐家", "艺术家"},
     {"a pianist", "a musician", "an artist"},
     {"pianists", "musicians", "artists"},
     true},
    {{"卡车", "汽车", "机器"},
     {"a truck", "a vehicle", "a machine"},
     {"trucks", "vehicles", "machines"}},
    {{"苏布", "罗卡", "内比"}, {"a soob", "a roka", "a nebby"}, {"soobs", "rokas", "nebbies"}},
    {{"队长", "队员", "学生"},
     {"a captain", "a player", "a student"},
     {"captains", "players", "students"},
     true},
    {{"诗", "文章", "作品"}, {"a poem", "a text", "a work"}, {"poems", "texts", "works"}},
};

/* What is said of "it", and what is asked; whether that follows: 1 yes, 0 no, -1 neither. */
static const struct form {
    bool none;   // no X is a Y, not: all X are Y
    bool top;    // it is, or is not, the last of the ladder; else the first
    bool denied; // it is not
    int follows; // that it is the other one
} forms[] = {
    {false, false, false, 1}, {false, true, false, -1}, {true, false, false, 0},
    {true, true, false, 0},   {false, false, true, -1}, {false, true, true, 0},
};

static const char *follows_text(const struct skill_draw *draw, int follows) {
    return follows < 0 ? in_tongue(draw, "不一定", "not necessarily") : yes_no(draw, follows);
}

/* What a task is about: the names of a ladder, or of two things that have nothing in common. */
struct subject {
    const char *zh[3], *en[3], *en_all[3];
    int n;
};

static struct subject take_subject(const struct kinds *k, const struct kinds *other, int low,
                                   int high) {
    struct subject out = {.n = other ? 2 : high - low + 1};
    for (int i = 0; i < out.n; i++) {
        const struct kinds *from = other && i ? other : k;
        int at = other ? 0 : low + i;
        out.zh[i] = from->zh[at];
        out.en[i] = from->en[at];
        out.en_all[i] = from->en_all[at];
    }
    return out;
}

static void say_rules(struct skill_draw *draw, struct skill_text *out, const struct subject *s,
                      bool none) {
    for (int i = 0; i + 1 < s->n; i++)
        if (skill_zh(draw))
            skill_put(out,
                      none                     ? "没有任何%s是%s。"
                      : skill_chance(draw, 50) ? "所有%s都是%s。"
                                               : "凡是%s都是%s。",
                      s->zh[i], s->zh[i + 1]);
        else
            skill_put(out, none ? "No %s are %s. " : "All %s are %s. ", s->en_all[i],
                      s->en_all[i + 1]);
}

/* The rules, then the step from what is said to what is asked. */
static void think_rules(struct skill_draw *draw, struct skill_text *out, const struct form *form,
                        const char *const *names, int n, const char *said, const char *asked) {
    const char *denied = form->denied ? in_tongue(draw, "非", "not ") : "",
               *arrow = form->none ? "≠" : "→";
    for (int i = 0; i + 1 < n; i++)
        skill_put(out, "%s%s%s%s", i ? "\n" : "", names[i], arrow, names[i + 1]);
    skill_put(out, "\n%s%s%s%s%s%s", denied, said, arrow, denied, asked,
              form->follows < 0 ? " ?" : "");
}

static void make_syllogism(struct skill_draw *draw, struct skill_task *task) {
    struct skill_turn *turn = skill_turn(task);
    int at, n, from, it, other;
    bool two, apart;
    do {
        at = skill_below(draw, SKILL_COUNT(ladders));
        other = skill_below(draw, SKILL_COUNT(ladders));
        n = skill_below(draw, SKILL_COUNT(forms));
        two = !forms[n].none && skill_chance(draw, 50);
        from = two || forms[n].none ? 0 : skill_below(draw, 2);
        it = 'A' + skill_below(draw, 26);
        apart = at != other && !ladders[at].person && !ladders[other].person;
        if (!forms[n].none) other = -1;
    } while ((forms[n].none && !apart) ||
             !skill_takes(draw, 10, "syllogism %d %d %d %d %d %c", at, other, n, two, from, it));
    const struct form *form = &forms[n];
    struct subject s =
        take_subject(&ladders[at], other < 0 ? NULL : &ladders[other], from, two ? 2 : from + 1);
    const char *const *names = skill_zh(draw) ? s.zh : s.en;
    const char *said = names[form->top ? s.n - 1 : 0], *asked = names[form->top ? 0 : s.n - 1];
    skill_open(draw, &turn->user);
    say_rules(draw, &turn->user, &s, form->none);
    if (skill_zh(draw))
        skill_put(&turn->user, "%c %s是%s。%c 是%s吗？", it, form->denied ? "不" : "", said, it,
                  asked);
    else
        skill_put(&turn->user, "%c is %s%s. Is %c %s?", it, form->denied ? "not " : "", said, it,
                  asked);
    think_rules(draw, &turn->thought, form, names, s.n, said, asked);
    skill_puts(&turn->answer, follows_text(draw, form->follows));
    skill_expect_answer(task, "exact");
}

/* ---- if ---- */

struct clause {
    const char *zh, *zh_not, *en, *en_not, *en_ask;
};

static const struct clause clauses[] = {
    {"下雨了", "没有下雨", "it rains", "it does not rain", "does it rain"},
    {"灯亮了", "灯没有亮", "the lamp is on", "the lamp is not on", "is the lamp on"},
    {"地面湿了", "地面没有湿", "the ground is wet", "the ground is not wet", "is the ground wet"},
    {"门开了", "门没有开", "the door is open", "the door is not open", "is the door open"},
    {"铃响了", "铃没有响", "the bell rings", "the bell does not ring", "does the bell ring"},
    {"猫叫了", "猫没有叫", "the cat meows", "the cat does not meow", "does the cat meow"},
    {"刮风了", "没有刮风", "the wind blows", "the wind does not blow", "does the wind blow"},
    {"船开走了", "船没有开走", "the boat leaves", "the boat does not leave", "does the boat leave"},
    {"商店开门了", "商店没有开门", "the shop is open", "the shop is not open", "is the shop open"},
    {"钟停了", "钟没有停", "the clock stops", "the clock does not stop", "does the clock stop"},
    {"水开了", "水没有开", "the water boils", "the water does not boil", "does the water boil"},
    {"旗升起了", "旗没有升起", "the flag is up", "the flag is not up", "is the flag up"},
    {"下雪了", "没有下雪", "it snows", "it does not snow", "does it snow"},
    {"鸟飞走了", "鸟没有飞走", "the bird flies away", "the bird does not fly away",
     "does the bird fly away"},
    {"电话响了", "电话没有响", "the phone rings", "the phone does not ring", "does the phone ring"},
    {"车停了", "车没有停", "the car stops", "the car does not stop", "does the car stop"},
    {"花开了", "花没有开", "the flower blooms", "the flower does not bloom",
     "does the flower bloom"},
    {"孩子笑了", "孩子没有笑", "the child laughs", "the child does not laugh",
     "does the child laugh"},
    {"冰化了", "冰没有化", "the ice melts", "the ice does not melt", "does the ice melt"},
    {"机器转了", "机器没有转", "the machine runs", "the machine does not run",
     "does the machine run"},
};

static void make_if(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {
        "如果{a}，那么{b}。现在{c}。{d}吗？", "只要{a}，那么{b}。已知{c}。{d}吗？",
        "规则：若{a}，则{b}。事实：{c}。问：{d}吗？", "要是{a}，一定{b}。现在{c}。{d}吗？"};
    static const char *const en[] = {"If {a}, then {b}. Now {c}. So {d}?",
                                     "Whenever {a}, {b}. We know that {c}. Then {d}?",
                                     "Rule: if {a}, {b}. Fact: {c}. Question: {d}?",
                                     "It is always so: if {a}, {b}. Today {c}. So {d}?"};
    struct skill_turn *turn = skill_turn(task);
    int p, q, top, denied;
    do {
        p = skill_below(draw, SKILL_COUNT(clauses));
        q = skill_below(draw, SKILL_COUNT(clauses));
        top = skill_below(draw, 2);
        denied = skill_below(draw, 2);
    } while (p == q || !skill_takes(draw, 10, "if %d %d %d %d", p, q, top, denied));
    bool is_zh = skill_zh(draw);
    const struct clause *said = &clauses[top ? q : p], *asked = &clauses[top ? p : q];
    int follows = top ? (denied ? 0 : -1) : (denied ? -1 : 1);
    const char *fact =
        is_zh ? (denied ? said->zh_not : said->zh) : (denied ? said->en_not : said->en);
    const char *conclusion =
        is_zh ? (denied ? asked->zh_not : asked->zh) : (denied ? asked->en_not : asked->en);
    skill_open(draw, &turn->user);
    SKILL_SAY(draw, &turn->user, zh, en, is_zh ? clauses[p].zh : clauses[p].en,
              is_zh ? clauses[q].zh : clauses[q].en, fact, is_zh ? asked->zh : asked->en_ask);
    skill_put(&turn->thought, "%s→%s", is_zh ? clauses[p].zh : clauses[p].en,
              is_zh ? clauses[q].zh : clauses[q].en);
    skill_put(&turn->thought, "\n%s→%s%s", fact, conclusion, follows < 0 ? " ?" : "");
    skill_puts(&turn->answer, !follows && is_zh ? "没有" : follows_text(draw, follows));
    skill_expect_answer(task, "exact");
}

/* ---- who did it ---- */

struct statement {
    int who; // it says of
    bool did;
};

static int count_true(const struct statement *said, int n, int culprit) {
    int count = 0;
    for (int i = 0; i < n; i++)
        count += (said[i].who == culprit) == said[i].did;
    return count;
}

/* The only one of n with whom `wanted` statements are true, or -1. */
static int only_culprit(const struct statement *said, int n, int wanted) {
    int found = -1;
    for (int i = 0; i < n; i++) {
        if (count_true(said, n, i) != wanted) continue;
        if (found >= 0) return -1;
        found = i;
    }
    return found;
}

static void make_truth(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"打碎了花瓶", "吃了蛋糕",   "关了灯",
                                     "写了这封信", "拿走了钥匙", "画了这幅画"};
    static const char *const en[] = {"broke the vase",   "ate the cake", "turned off the light",
                                     "wrote the letter", "took the key", "painted the picture"};
    struct skill_turn *turn = skill_turn(task);
    struct statement said[4];
    const char *names[4];
    int n, wanted, culprit, deed = skill_below(draw, SKILL_COUNT(zh));
    do {
        const char *spelled = "";
        n = skill_range(draw, 3, 4);
        wanted = skill_range(draw, 1, n - 1);
        names_draw(draw, n, names);
        for (int i = 0; i < n; i++) {
            said[i] = (struct statement){skill_below(draw, n), skill_chance(draw, 50)};
            spelled = skill_textf(draw, "%s %d%d", spelled, said[i].who, said[i].did);
        }
        culprit = only_culprit(said, n, wanted);
        if (culprit >= 0 && !skill_takes(draw, 10, "truth %d %d%s", n, wanted, spelled))
            culprit = -1;
    } while (culprit < 0);
    const char *did = skill_zh(draw) ? zh[deed] : en[deed];
    skill_open(draw, &turn->user);
    if (skill_zh(draw))
        skill_put(&turn->user, "%s中有一个人%s。", skill_list_words(draw, names, n, "、"), did);
    else
        skill_put(&turn->user, "One of %s %s.", skill_list_words(draw, names, n, ", "), did);
    for (int i = 0; i < n; i++) {
        bool self = said[i].who == i;
        const char *who = self ? in_tongue(draw, "我", "I") : names[said[i].who];
        if (skill_zh(draw))
            skill_put(&turn->user, "%s说：“%s%s。”", names[i], said[i].did ? "是" : "不是", who);
        else if (self)
            skill_put(&turn->user, " %s says: \"It was %s.\"", names[i],
                      said[i].did ? "me" : "not me");
        else
            skill_put(&turn->user, " %s says: \"It was %s%s.\"", names[i],
                      said[i].did ? "" : "not ", who);
    }
    if (skill_zh(draw))
        skill_put(&turn->user, "其中恰好有 %d 个人说了真话。是谁？", wanted);
    else
        skill_put(&turn->user, " Exactly %d of them %s the truth. Who was it?", wanted,
                  wanted == 1 ? "tells" : "tell");
    for (int i = 0; i <= culprit; i++) {
        skill_put(&turn->thought, "%s%s:", i ? "\n" : "", names[i]);
        for (int j = 0; j < n; j++) // what each says, and whether it is then true
            skill_put(&turn->thought, " %s%s %c", said[j].did ? "" : "~", names[said[j].who],
                      (said[j].who == i) == said[j].did ? 'T' : 'F');
        skill_put(&turn->thought, " %d", count_true(said, n, i));
    }
    skill_puts(&turn->answer, names[culprit]);
    skill_expect_answer(task, "exact");
}

static const struct skill_group groups[] = {{"chain", 4, make_chain},
                                            {"syllogism", 3, make_syllogism},
                                            {"if", 2, make_if},
                                            {"truth", 2, make_truth},
                                            {"next", 3, logic_make_next},
                                            {"odd-one", 1, logic_make_odd_one},
                                            {"row", 2, logic_make_row},
                                            {"set", 2, logic_make_set},
                                            {0}};

const struct skill skill_logic = {
    .name = "logic",
    .about = "chains, what follows, who tells the truth, next in a row, seats, sets",
    .groups = groups};
