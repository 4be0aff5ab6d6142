#include "skill/hand.h"

#include <ctype.h>
#include <string.h>

/* ---- one text for another ---- */

static const char *copy(struct skill_draw *draw, const struct skill_text *text) {
    return skill_textf(draw, "%.*s", (int)text->bytes.len, text->bytes.len ? text->bytes.data : "");
}

static void replace(struct skill_draw *draw, struct skill_text *text, const char *from,
                    const char *to) {
    const char *rest = copy(draw, text), *at;
    size_t n = strlen(from);
    text->bytes.len = 0;
    for (; (at = strstr(rest, from)); rest = at + n)
        skill_put(text, "%.*s%s", (int)(at - rest), rest, to);
    skill_puts(text, rest);
}

static bool has(struct skill_draw *draw, const struct skill_text *text, const char *part) {
    return strstr(copy(draw, text), part) != NULL;
}

static bool ends(const struct skill_text *text, const char *end) {
    size_t n = strlen(end);
    return text->bytes.len >= n && !memcmp(text->bytes.data + text->bytes.len - n, end, n);
}

/* ---- what may change ---- */

/* Half-width marks within Chinese. A mark that ends the text has no space behind it. */
static void half_width(struct skill_draw *draw, struct skill_text *text) {
    static const char *const wide[] = {"，", "。", "？", "：", "！", "；"};
    static const char *const half[] = {",", ".", "?", ":", "!", ";"};
    const char *behind = skill_chance(draw, 50) ? " " : "";
    for (int i = 0; i < SKILL_COUNT(wide); i++)
        replace(draw, text, wide[i], skill_textf(draw, "%s%s", half[i], behind));
    while (ends(text, " "))
        text->bytes.len--;
}

static void quotes(struct skill_draw *draw, struct skill_text *text) {
    static const char *const open[] = {"「", "\"", "‘", "『", ""};
    static const char *const close[] = {"」", "\"", "’", "』", ""};
    int way = skill_below(draw, SKILL_COUNT(open));
    replace(draw, text, "“", open[way]);
    replace(draw, text, "”", close[way]);
}

/* The signs of a keyboard. A text with fractions keeps its ÷. */
static void signs(struct skill_draw *draw, struct skill_text *text) {
    replace(draw, text, "×", skill_chance(draw, 50) ? "*" : "x");
    if (!has(draw, text, "/")) replace(draw, text, "÷", "/");
    if (!skill_chance(draw, 50)) return;
    static const char *const spaced[] = {" + ", " - ", " * ", " x ", " / ", " ÷ "};
    static const char *const close[] = {"+", "-", "*", "x", "/", "÷"};
    for (int i = 0; i < SKILL_COUNT(spaced); i++)
        replace(draw, text, spaced[i], close[i]);
}

static void no_end(struct skill_text *text) {
    static const char *const marks[] = {"。", "？", "！", ".", "?", "!"};
    for (int i = 0; i < SKILL_COUNT(marks); i++)
        if (ends(text, marks[i]) && text->bytes.len > strlen(marks[i])) { // else: a lone "?"
            text->bytes.len -= strlen(marks[i]);
            return;
        }
}

/* Only words that can be no name and no thing that is counted or spelled. */
static void small_letter(struct skill_text *text) {
    static const char *const first[] = {
        "What",    "Which",     "How",     "Is",   "Are",   "Can",  "Could", "Please",
        "Give",    "Find",      "Write",   "Sort", "Make",  "Tell", "Use",   "Get",
        "Convert", "Calculate", "Compute", "Add",  "Count", "Do",   "Does",  "Express"};
    for (int i = 0; i < SKILL_COUNT(first); i++) {
        size_t n = strlen(first[i]);
        if (text->bytes.len > n && !memcmp(text->bytes.data, first[i], n) &&
            text->bytes.data[n] == ' ')
            text->bytes.data[0] = (char)tolower((unsigned char)text->bytes.data[0]);
    }
}

static void courtesy_before(struct skill_draw *draw, struct skill_text *text) {
    static const char *const zh[] = {"你好，", "你好！", "麻烦你，", "老师，", "鱼苗，", "hi，"};
    static const char *const en[] = {"Hi, ", "Hello! ", "Hey, ", "Hi Fry, ", "Fry, ", "Now: "};
    const char *question = copy(draw, text);
    text->bytes.len = 0;
    skill_put(text, "%s%s", skill_zh(draw) ? skill_pick(draw, zh) : skill_pick(draw, en), question);
}

/* Only behind a question mark: behind a list or a line it could be taken for a part of it. */
static void courtesy_behind(struct skill_draw *draw, struct skill_text *text) {
    static const char *const zh[] = {"谢谢", "谢谢！", "快告诉我。", "请写出过程。"};
    static const char *const en[] = {" Thanks!", " Thank you.", " Show your work.", " please"};
    if (ends(text, "？") || ends(text, "?"))
        skill_puts(text, skill_zh(draw) ? skill_pick(draw, zh) : skill_pick(draw, en));
}

void skill_hand(struct skill_draw *draw, struct skill_text *question) {
    if (!skill_chance(draw, 30)) return;
    if (skill_chance(draw, 40))
        no_end(question);
    else if (skill_chance(draw, 15))
        courtesy_behind(draw, question);
    if (skill_chance(draw, 25)) courtesy_before(draw, question);
    if (skill_chance(draw, 60)) signs(draw, question);
    if (skill_zh(draw)) {
        if (skill_chance(draw, 40)) half_width(draw, question);
        if (skill_chance(draw, 40)) quotes(draw, question);
    } else if (skill_chance(draw, 40)) {
        small_letter(question);
    }
}
