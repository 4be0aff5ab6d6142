/* Letters of words and characters of sentences. Thoughts spell them, one by one. */
#include "skill/order.h"

#include <string.h>

#include "text/utf8.h"

static const char *const words[] = {
    "animal",    "answer",      "ant",        "apple",     "arrow",     "august",     "autumn",
    "baby",      "bag",         "ball",       "bamboo",    "banana",    "basket",     "beach",
    "bear",      "beautiful",   "bee",        "bell",      "bicycle",   "bird",       "black",
    "blue",      "board",       "boat",       "body",      "bonus",     "book",       "bottle",
    "box",       "boy",         "brain",      "branch",    "bread",     "bridge",     "brother",
    "brown",     "brush",       "bubble",     "bus",       "butter",    "butterfly",  "button",
    "cabbage",   "cake",        "calendar",   "camel",     "candle",    "candy",      "carrot",
    "castle",    "cat",         "chair",      "cheese",    "cherry",    "chicago",    "chicken",
    "chocolate", "christmas",   "church",     "circle",    "city",      "classroom",  "clock",
    "clothes",   "cloud",       "coat",       "coffee",    "color",     "committee",  "computer",
    "cookie",    "corn",        "cotton",     "country",   "cousin",    "cow",        "cup",
    "dance",     "daughter",    "december",   "deer",      "desk",      "dictionary", "dinner",
    "dog",       "doll",        "dollar",     "door",      "dragon",    "dream",      "dress",
    "driver",    "drum",        "duck",       "eagle",     "ear",       "earth",      "east",
    "effort",    "egg",         "elephant",   "eleven",    "engine",    "error",      "evening",
    "example",   "expression",  "eye",        "family",    "farmer",    "feather",    "february",
    "feet",      "field",       "finger",     "fire",      "fish",      "flower",     "forest",
    "fork",      "fox",         "friend",     "frog",      "fruit",     "game",       "garden",
    "ghost",     "giant",       "giraffe",    "girl",      "glass",     "gold",       "golden",
    "goose",     "grape",       "grass",      "green",     "hair",      "hammer",     "hand",
    "happiness", "hat",         "heart",      "hello",     "hill",      "honey",      "horse",
    "hotel",     "hour",        "house",      "hundred",   "hurry",     "ice",        "igloo",
    "ink",       "iron",        "island",     "jacket",    "january",   "jelly",      "juice",
    "jungle",    "kangaroo",    "kettle",     "key",       "kitchen",   "kite",       "kitten",
    "knee",      "knife",       "ladder",     "ladybug",   "lake",      "lamp",       "language",
    "laptop",    "leaf",        "leg",        "lemon",     "letter",    "level",      "library",
    "lightning", "lily",        "lion",       "little",    "lobster",   "love",       "machine",
    "magic",     "map",         "market",     "meadow",    "melon",     "milk",       "minute",
    "mirror",    "mississippi", "model",      "money",     "monkey",    "month",      "moon",
    "morning",   "mother",      "mountain",   "mouse",     "mouth",     "music",      "nail",
    "name",      "necessary",   "necklace",   "needle",    "neighbor",  "nest",       "night",
    "noodle",    "noon",        "nose",       "number",    "nurse",     "ocean",      "office",
    "oil",       "olive",       "onion",      "orange",    "owl",       "paper",      "parallel",
    "parent",    "parrot",      "party",      "pea",       "peach",     "pear",       "pencil",
    "people",    "pepper",      "pepperoni",  "person",    "phone",     "piano",      "pig",
    "pillow",    "pink",        "pizza",      "planet",    "plate",     "pocket",     "pond",
    "pool",      "potato",      "program",    "pumpkin",   "pupil",     "puppy",      "purple",
    "puzzle",    "python",      "queen",      "question",  "rabbit",    "radar",      "rain",
    "rainbow",   "raspberry",   "red",        "rice",      "ring",      "river",      "road",
    "robot",     "rocket",      "roof",       "room",      "root",      "rose",       "rule",
    "salt",      "sand",        "school",     "science",   "scissors",  "sea",        "season",
    "secret",    "seed",        "seven",      "sheep",     "shell",     "ship",       "shirt",
    "shoe",      "shoulder",    "silver",     "sister",    "sky",       "sleep",      "smile",
    "snow",      "sock",        "soldier",    "song",      "sound",     "soup",       "spider",
    "spoon",     "spring",      "square",     "squirrel",  "star",      "stomach",    "stone",
    "story",     "strawberry",  "street",     "student",   "success",   "sugar",      "summer",
    "sun",       "sunday",      "supper",     "swallow",   "sweet",     "table",      "tall",
    "tea",       "teacher",     "telephone",  "tennessee", "tennis",    "thunder",    "ticket",
    "tiger",     "today",       "toe",        "tomato",    "tomorrow",  "tongue",     "tooth",
    "town",      "toy",         "train",      "tree",      "triangle",  "tulip",      "tunnel",
    "turtle",    "twelve",      "umbrella",   "uncle",     "under",     "university", "vacuum",
    "valley",    "vegetable",   "village",    "violin",    "visit",     "voice",      "wagon",
    "wall",      "water",       "watermelon", "weather",   "wednesday", "week",       "whale",
    "wheel",     "whistle",     "wind",       "window",    "wing",      "winter",     "wolf",
    "woman",     "wood",        "word",       "world",     "worm",      "year",       "yellow",
    "yes",       "zebra",       "zero",       "zoo",
};

/* Of two clauses each sentence is made. */
static const char *const clauses[] = {
    "山上有座山",       "小河流过小村庄",     "大鱼吃小鱼",       "一天又一天",
    "春天的花开了",     "我家门前有一棵树",   "他说他不知道",     "天上的云像天上的羊",
    "人人都说家乡好",   "不是不想去",         "老师和学生一起走", "好好学习天天向上",
    "月亮出来亮堂堂",   "花园里有红花和白花", "雨下了一夜又一夜", "弟弟和妹妹在看书",
    "大家都说他人好",   "上山容易下山难",     "三个人分三个苹果", "风吹草低见牛羊",
    "早上吃早饭",       "日出东方日落西",     "看山不是山",       "我看见你看见他",
    "水上的船在水上走", "白天的天是白的",     "来来往往的人",     "一个人在一间屋",
    "小明和小红是朋友", "有山有水有人家",
};

static const char *const characters[] = {
    "天", "地", "人", "山", "水", "火", "木", "土", "日", "月", "星", "云", "风", "雨", "雪", "花",
    "草", "树", "鸟", "鱼", "虫", "马", "牛", "羊", "大", "小", "多", "少", "上", "下", "左", "右",
    "前", "后", "东", "西", "南", "北", "春", "夏", "秋", "冬", "红", "黄", "蓝", "白", "黑", "绿",
    "手", "口", "目", "耳", "心", "书", "车", "门", "家", "国", "学", "生", "老", "师", "朋", "友",
};

void order_words(struct skill_draw *draw, int k, const char **out) {
    int at[16];
    skill_choose(draw, SKILL_COUNT(words), k, at);
    for (int i = 0; i < k; i++)
        out[i] = words[at[i]];
}

/* A word of the list, or letters that are none; held out is the word itself. */
static const char *draw_word(struct skill_draw *draw) {
    const char *word;
    do {
        if (skill_chance(draw, 65)) {
            word = skill_pick(draw, words);
            continue;
        }
        int n = skill_range(draw, 3, 9), kinds = skill_range(draw, 2, 26);
        word = "";
        for (int i = 0; i < n; i++)
            word = skill_textf(draw, "%s%c", word, 'a' + skill_below(draw, 26) % kinds * 7 % 26);
    } while (!skill_takes(draw, 10, "word %s", word));
    return word;
}

static const char *draw_sentence(struct skill_draw *draw) {
    int a, b;
    do {
        a = skill_below(draw, SKILL_COUNT(clauses));
        b = skill_below(draw, SKILL_COUNT(clauses));
    } while (a == b || !skill_takes(draw, 10, "sentence %d %d", a < b ? a : b, a < b ? b : a));
    return skill_textf(draw, "%s，%s", clauses[a], clauses[b]);
}

/* The i-th character: its bytes, 0 past the end. */
static size_t next_char(const char *at) {
    uint32_t code;
    return *at ? (size_t)utf8_step(at, strlen(at), &code) : 0;
}

/* "b a1 n a2": every character, those that are `wanted` (NULL: all) with their number. Returns how
 * many these are; commas are left out. */
static int spell(struct skill_text *out, const char *text, const char *wanted) {
    int found = 0;
    bool first = true;
    for (size_t n; (n = next_char(text)); text += n) {
        if (!strncmp(text, "，", n)) continue;
        skill_put(out, "%s%.*s", first ? "" : " ", (int)n, text);
        first = false;
        if (!wanted || !strncmp(text, wanted, n)) skill_put(out, "%d", ++found);
    }
    return found;
}

static const char *reversed(struct skill_draw *draw, const char *text, const char *between) {
    const char *out = "";
    for (size_t n; (n = next_char(text)); text += n)
        out = skill_textf(draw, "%.*s%s%s", (int)n, text, *out ? between : "", out);
    return out;
}

static void give_number(struct skill_turn *turn, struct skill_task *task, int answer) {
    skill_put(&turn->answer, "%d", answer);
    skill_expect_answer(task, "number");
}

void order_make_count_letter(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"单词 {a} 里有几个字母 {b}？",
                                     "{a} 中字母 {b} 出现了几次？",
                                     "数一数 {a} 里的 {b}。",
                                     "英文单词 {a} 含有多少个 {b}？",
                                     "{a} 这个词里 {b} 有几个？",
                                     "请数出 {a} 中 {b} 的个数。",
                                     "字母 {b} 在 {a} 中出现多少次？",
                                     "{a}：有几个 {b}？",
                                     "{a}里有几个{b}"};
    static const char *const en[] = {"How many times does the letter {b} appear in {a}?",
                                     "How many {b}'s are in {a}?",
                                     "Count the letter {b} in {a}.",
                                     "In the word {a}, how often does {b} occur?",
                                     "How many letters {b} does {a} have?",
                                     "{a}: how many {b}?",
                                     "Count every {b} in the word {a}.",
                                     "What is the number of {b}'s in {a}?",
                                     "how many {b} in {a}"};
    struct skill_turn *turn = skill_turn(task);
    const char *word = draw_word(draw);
    char c = word[skill_below(draw, (int)strlen(word))];
    if (skill_chance(draw, 15)) c = (char)('a' + skill_below(draw, 26));
    const char *letter = skill_textf(draw, "%c", c);
    SKILL_SAY(draw, &turn->user, zh, en, word, letter);
    give_number(turn, task, spell(&turn->thought, word, letter));
}

void order_make_count_han(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {
        "“{a}”里有几个“{b}”字？",         "数一数：“{a}”中“{b}”出现了几次？",
        "在“{a}”这句话里，“{b}”有几个？", "“{b}”字在“{a}”中出现多少次？",
        "请数出“{a}”里“{b}”的个数。",     "{a}。这里有几个“{b}”？",
        "“{a}”含有多少个“{b}”字？",       "统计“{b}”在下面句子里的次数：{a}"};
    static const char *const en[] = {"How many times does {b} appear in \"{a}\"?",
                                     "Count the character {b} in: {a}",
                                     "How many {b} are there in \"{a}\"?",
                                     "In \"{a}\", how often does {b} occur?",
                                     "{a} - how many {b}?",
                                     "Count every {b} in the sentence \"{a}\".",
                                     "How many characters {b} does \"{a}\" contain?",
                                     "What is the number of {b} in \"{a}\"?"};
    struct skill_turn *turn = skill_turn(task);
    const char *sentence = draw_sentence(draw), *at = sentence;
    for (int skip = skill_below(draw, 12); skip > 0 && next_char(at + next_char(at)); skip--)
        at += next_char(at);
    if (!strncmp(at, "，", 3)) at += 3;
    const char *wanted = skill_textf(draw, "%.*s", (int)next_char(at), at);
    SKILL_SAY(draw, &turn->user, zh, en, sentence, wanted);
    give_number(turn, task, spell(&turn->thought, sentence, wanted));
}

void order_make_length(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"{a} 有几个字母？",   "单词 {a} 由多少个字母组成？",
                                     "{a} 这个词多长？",   "数一数 {a} 的字母数。",
                                     "{a} 一共几个字母？", "请问 {a} 含多少字母？",
                                     "{a} 的长度是多少？", "{a}：字母个数？"};
    static const char *const en[] = {"How many letters are in {a}?",    "How long is the word {a}?",
                                     "Count the letters of {a}.",       "{a} has how many letters?",
                                     "What is the length of {a}?",      "Number of letters in {a}?",
                                     "How many letters does {a} have?", "{a}: count its letters."};
    static const char *const zh_han[] = {
        "“{a}”有几个字（不算标点）？", "数一数“{a}”有多少个字，标点不算。",
        "“{a}”共几个汉字？",           "“{a}”的字数是多少（不含标点）？",
        "这句话有几个汉字：{a}",       "请数出“{a}”的汉字个数。"};
    static const char *const en_han[] = {"How many Chinese characters are in \"{a}\"?",
                                         "Count the characters, without punctuation: {a}",
                                         "\"{a}\": how many characters, not counting the comma?",
                                         "How long is \"{a}\" in Chinese characters?",
                                         "Number of Chinese characters in: {a}",
                                         "How many characters does \"{a}\" have, commas aside?"};
    struct skill_turn *turn = skill_turn(task);
    bool han = skill_chance(draw, 40);
    const char *text = han ? draw_sentence(draw) : draw_word(draw);
    if (han)
        SKILL_SAY(draw, &turn->user, zh_han, en_han, text);
    else
        SKILL_SAY(draw, &turn->user, zh, en, text);
    give_number(turn, task, spell(&turn->thought, text, NULL));
}

void order_make_reverse(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {
        "把 {a} 倒过来写。",  "{a} 反过来是什么？", "将 {a} 的字母顺序颠倒。", "倒着写 {a}",
        "{a} 从后往前拼是？", "反转单词 {a}。",     "请把 {a} 逆序写出。",     "{a} 倒序是什么？"};
    static const char *const en[] = {"Write {a} backwards.",
                                     "Reverse the word {a}.",
                                     "What is {a} spelled backwards?",
                                     "Reverse: {a}",
                                     "Spell {a} from back to front.",
                                     "Turn {a} around, letter by letter.",
                                     "Give the letters of {a} in reverse order, as one word.",
                                     "{a} in reverse?"};
    static const char *const zh_han[] = {"把“{a}”倒过来写。",     "“{a}”反过来怎么写？",
                                         "倒着写：{a}",           "将“{a}”的字序颠倒。",
                                         "“{a}”从后往前是什么？", "请逆序写出“{a}”。"};
    static const char *const en_han[] = {"Write \"{a}\" backwards.",
                                         "Reverse the characters: {a}",
                                         "What is \"{a}\" from back to front?",
                                         "Reverse \"{a}\".",
                                         "Put the characters of \"{a}\" in reverse order.",
                                         "\"{a}\" in reverse?"};
    struct skill_turn *turn = skill_turn(task);
    bool han = skill_chance(draw, 30);
    const char *text;
    if (han) {
        do {
            text = "";
            for (int n = skill_range(draw, 3, 7); n > 0; n--)
                text = skill_textf(draw, "%s%s", text, skill_pick(draw, characters));
        } while (!skill_takes(draw, 10, "han %s", text));
        SKILL_SAY(draw, &turn->user, zh_han, en_han, text);
    } else {
        text = draw_word(draw);
        SKILL_SAY(draw, &turn->user, zh, en, text);
        spell(&turn->thought, text, "");
        skill_put(&turn->thought, "\n%s", reversed(draw, text, " "));
    }
    skill_puts(&turn->answer, reversed(draw, text, ""));
    skill_expect_answer(task, "exact");
}

void order_make_palindrome(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"{a} 是回文吗？",        "{a} 正着读和倒着读一样吗？",
                                     "判断 {a} 是不是回文。", "{a} 倒过来还是它自己吗？",
                                     "请问 {a} 是否为回文？", "{a}：回文，是或不是？",
                                     "{a} 属于回文吗？",      "检查 {a} 是否回文。"};
    static const char *const en[] = {"Is {a} a palindrome?",
                                     "Does {a} read the same backwards?",
                                     "Check if {a} is a palindrome.",
                                     "Palindrome or not: {a}? Answer yes or no.",
                                     "Is {a} the same when reversed?",
                                     "{a}: a palindrome?",
                                     "Tell me whether {a} is a palindrome.",
                                     "Would {a} stay the same if you turned it around?"};
    struct skill_turn *turn = skill_turn(task);
    char text[16];
    bool digits = skill_chance(draw, 50), is = true;
    do {
        int n = skill_range(draw, 3, 7);
        for (int i = 0; i < n; i++)
            text[i] = (char)(digits ? '1' + skill_below(draw, 9) : 'a' + skill_below(draw, 26));
        for (int i = 0; i < n / 2 && skill_chance(draw, 93); i++)
            text[n - 1 - i] = text[i];
        if (skill_chance(draw, 30)) text[skill_below(draw, n)] = digits ? '7' : 'e';
        text[n] = 0;
    } while (!skill_takes(draw, 10, "palindrome %s", text));
    const char *back = reversed(draw, text, "");
    is = !strcmp(text, back);
    SKILL_SAY(draw, &turn->user, zh, en, text);
    spell(&turn->thought, text, "");
    skill_put(&turn->thought, "\n%s", reversed(draw, text, " "));
    skill_puts(&turn->answer,
               is ? (skill_zh(draw) ? "是" : "yes") : (skill_zh(draw) ? "不是" : "no"));
    skill_expect_answer(task, "exact");
}

void order_make_ends(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[2][4] = {
        {"{a} 的前 {b} 个字母是什么？", "写出 {a} 的头 {b} 个字母。", "取 {a} 开头的 {b} 个字母。",
         "{a} 最前面 {b} 个字母？"},
        {"{a} 的后 {b} 个字母是什么？", "写出 {a} 的末尾 {b} 个字母。",
         "取 {a} 结尾的 {b} 个字母。", "{a} 最后 {b} 个字母？"}};
    static const char *const en[2][4] = {
        {"What are the first {b} letters of {a}?", "Give the first {b} letters of {a}.",
         "{a}: its first {b} letters?", "Which {b} letters does {a} begin with?"},
        {"What are the last {b} letters of {a}?", "Give the last {b} letters of {a}.",
         "{a}: its last {b} letters?", "Which {b} letters does {a} end with?"}};
    struct skill_turn *turn = skill_turn(task);
    const char *word = draw_word(draw);
    int len = (int)strlen(word), n = skill_range(draw, 2, len - 1 < 4 ? len - 1 : 4);
    bool last = skill_chance(draw, 50);
    const char *values[] = {word, skill_textf(draw, "%d", n)};
    skill_open(draw, &turn->user);
    skill_fill(&turn->user, (skill_zh(draw) ? zh : en)[last][skill_below(draw, 4)], values, 2);
    spell(&turn->thought, word, NULL);
    skill_put(&turn->answer, "%.*s", n, last ? word + len - n : word);
    skill_expect_answer(task, "exact");
}

void order_make_letter_at(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"{a} 的第 {b} 个字母是什么？",
                                     "单词 {a} 第 {b} 位是哪个字母？",
                                     "{a} 中排第 {b} 的字母？",
                                     "写出 {a} 的第 {b} 个字母。",
                                     "{a}，第 {b} 个字母？",
                                     "请问 {a} 的第 {b} 个字母是？",
                                     "从左数 {a} 的第 {b} 个字母是什么？",
                                     "{a} 里第 {b} 个字母是哪个？"};
    static const char *const en[] = {"What is letter number {b} of {a}?",
                                     "Which letter is at position {b} in {a}?",
                                     "Letter {b} of the word {a}?",
                                     "Give letter {b} of {a}.",
                                     "In {a}, which letter stands at place {b}?",
                                     "{a}: letter number {b}?",
                                     "Counting from the left, what is letter {b} of {a}?",
                                     "Name the letter at place {b} of {a}."};
    struct skill_turn *turn = skill_turn(task);
    const char *word = draw_word(draw);
    int at = skill_below(draw, (int)strlen(word));
    SKILL_SAY(draw, &turn->user, zh, en, word, skill_textf(draw, "%d", at + 1));
    spell(&turn->thought, skill_textf(draw, "%.*s", at + 1, word), NULL);
    skill_put(&turn->answer, "%c", word[at]);
    skill_expect_answer(task, "exact");
}

/* What is held out are words in one phrasing: how a token is spelled is learned by seeing it. */
void order_make_spell(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"{a} 怎么拼写？", "拼写 {a}。",
                                     "请把 {a} 一个字母一个字母地拼出来。", "{a} 由哪些字母组成？",
                                     "逐个字母写出 {a}。"};
    static const char *const en[] = {
        "Spell {a}.", "How do you spell {a}?", "Spell out {a}, letter by letter.",
        "Which letters make up the word {a}?", "What are the letters of {a}?"};
    struct skill_turn *turn = skill_turn(task);
    const char *word;
    int form;
    do {
        word = skill_pick(draw, words);
        form = skill_below(draw, SKILL_COUNT(zh));
    } while (!skill_takes(draw, 10, "spell %d %s", form, word));
    skill_open(draw, &turn->user);
    skill_fill(&turn->user, skill_zh(draw) ? zh[form] : en[form], &word, 1);
    for (const char *at = word; *at; at++)
        skill_put(&turn->answer, "%s%c", at > word ? "-" : "", *at);
    skill_expect_answer(task, "exact");
}
