/* Talk: what a small model says about itself and about what it does not know, from a file of
 * questions and replies (models/fry/talk.txt says how it is written). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "skill/skill.h"

#define MOST_BYTES (1 << 20)

struct texts {
    const char **items;
    int n;
};
struct word_list {
    const char *name;
    struct texts words;
};
struct intent {
    const char *name;
    enum skill_tongue tongue;
    struct texts asked, said;
};
struct talk {
    struct word_list *lists;
    struct intent *intents;
    int n_list, n_intent;
};

/* ---- the file ---- */

struct reader {
    const char *path;
    int line;
    struct arena *arena;
    struct talk *talk;
    int n_most; // lines: no list is longer
    struct jl_error *err;
};

static enum jl_status fault(const struct reader *r, const char *what) {
    return jl_fail(r->err, JL_ERR_FORMAT, "%s:%d: %s", r->path, r->line, what);
}

static enum jl_status no_memory(const struct reader *r) {
    return jl_fail(r->err, JL_ERR_MEMORY, "out of memory reading %s", r->path);
}

/* `@name` and words with spaces between, or with bars where words have spaces. */
static enum jl_status add_list(struct reader *r, char *line) {
    char *rest = line, *name = strtok_r(line, " ", &rest);
    const char *between = strchr(rest, '|') ? "|" : " ";
    struct word_list *list = &r->talk->lists[r->talk->n_list++];
    size_t n = strlen(rest);
    list->name = name;
    list->words.items = arena_calloc(r->arena, n / 2 + 1, sizeof *list->words.items);
    if (!list->words.items) return no_memory(r);
    for (char *word; (word = strtok_r(rest, between, &rest));)
        list->words.items[list->words.n++] = word;
    return list->words.n && *name ? JL_OK : fault(r, "a list wants a name and words");
}

static enum jl_status begin_intent(struct reader *r, char *name) {
    char *end = strchr(name, ']');
    size_t n = end ? (size_t)(end - name) : 0;
    struct intent *intent = &r->talk->intents[r->talk->n_intent++];
    if (n < 4 || end[1] || (strncmp(end - 3, "_zh", 3) != 0 && strncmp(end - 3, "_en", 3) != 0))
        return fault(r, "an intent is [name_zh] or [name_en]");
    *end = 0;
    intent->name = name;
    intent->tongue = end[-2] == 'z' ? SKILL_ZH : SKILL_EN;
    intent->asked.items = arena_calloc(r->arena, (size_t)r->n_most, sizeof *intent->asked.items);
    intent->said.items = arena_calloc(r->arena, (size_t)r->n_most, sizeof *intent->said.items);
    return intent->asked.items && intent->said.items ? JL_OK : no_memory(r);
}

static enum jl_status add_line(struct reader *r, char *line) {
    if (!*line || *line == '#') return JL_OK;
    if (*line == '@') return add_list(r, line + 1);
    if (*line == '[') return begin_intent(r, line + 1);
    if ((*line != '?' && *line != '=') || line[1] != ' ' || !line[2])
        return fault(r, "a line begins with #, @, [, `? ` or `= `");
    if (!r->talk->n_intent) return fault(r, "a text before the first [intent]");
    struct intent *intent = &r->talk->intents[r->talk->n_intent - 1];
    struct texts *to = *line == '?' ? &intent->asked : &intent->said;
    to->items[to->n++] = line + 2;
    return JL_OK;
}

static const struct word_list *find_list(const struct talk *talk, const char *name, size_t n) {
    for (int i = 0; i < talk->n_list; i++)
        if (strlen(talk->lists[i].name) == n && !memcmp(talk->lists[i].name, name, n))
            return &talk->lists[i];
    return NULL;
}

static bool is_noise(const char *name, size_t n) { return n == 5 && !memcmp(name, "noise", 5); }

/* Every {name} is a list; replies name only what their questions may have. */
static enum jl_status check_names(const struct reader *r, const struct texts *texts) {
    for (int i = 0; i < texts->n; i++)
        for (const char *at = texts->items[i]; (at = strchr(at, '{')); at++) {
            size_t n = strcspn(at + 1, "}");
            if (!find_list(r->talk, at + 1, n) && !is_noise(at + 1, n))
                return jl_fail(r->err, JL_ERR_FORMAT, "%s: '%s' names a list that is not there",
                               r->path, texts->items[i]);
        }
    return JL_OK;
}

/* Whether every question can be answered: one that names nothing wants a reply that does not. */
static bool has_fit(const struct intent *intent) {
    bool plain_asked = false, plain_said = false;
    for (int i = 0; i < intent->asked.n; i++)
        plain_asked = plain_asked || !strchr(intent->asked.items[i], '{');
    for (int i = 0; i < intent->said.n; i++)
        plain_said = plain_said || !strchr(intent->said.items[i], '{');
    return plain_said || !plain_asked;
}

static enum jl_status read_lines(struct reader *r, char *text) {
    r->n_most = 1;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        r->n_most++;
    size_t n = (size_t)r->n_most;
    r->talk->lists = arena_calloc(r->arena, n, sizeof *r->talk->lists);
    r->talk->intents = arena_calloc(r->arena, n, sizeof *r->talk->intents);
    if (!r->talk->lists || !r->talk->intents) return no_memory(r);
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        r->line++;
        JL_TRY(add_line(r, line));
    }
    if (!r->talk->n_intent) return fault(r, "there is no [intent]");
    bool tongue[2] = {false, false};
    for (int i = 0; i < r->talk->n_intent; i++) {
        const struct intent *intent = &r->talk->intents[i];
        tongue[intent->tongue] = true;
        if (!intent->asked.n || !intent->said.n)
            return jl_fail(r->err, JL_ERR_FORMAT, "%s: [%s] wants questions and replies", r->path,
                           intent->name);
        JL_TRY(check_names(r, &intent->asked));
        JL_TRY(check_names(r, &intent->said));
        if (!has_fit(intent))
            return jl_fail(r->err, JL_ERR_FORMAT,
                           "%s: every reply of [%s] names what is not asked about", r->path,
                           intent->name);
    }
    if (!tongue[SKILL_ZH] || !tongue[SKILL_EN])
        return jl_fail(r->err, JL_ERR_FORMAT, "%s wants an [intent_zh] and an [intent_en]",
                       r->path);
    return JL_OK;
}

static enum jl_status read_text(const char *path, char **text, size_t *size, struct jl_error *err) {
    struct jl_error inner = {0};
    enum jl_status status = file_read(path, MOST_BYTES, text, size, &inner);
    if (status == JL_OK) return JL_OK;
    return jl_fail(err, status, "%s; the data folder (--data) must hold talk.txt", inner.message);
}

static enum jl_status load(const char *folder, struct arena *arena, const void **tables,
                           struct jl_error *err) {
    char *path = file_path_in(folder, "talk.txt"), *text = NULL, *kept;
    size_t size;
    struct talk *talk = arena_calloc(arena, 1, sizeof *talk);
    struct reader r = {.path = path, .arena = arena, .talk = talk, .err = err};
    *tables = talk;
    enum jl_status status = JL_ERR_MEMORY;
    if (!path || !talk)
        status = jl_fail(err, JL_ERR_MEMORY, "out of memory for talk");
    else
        status = read_text(path, &text, &size, err);
    if (status == JL_OK) {
        kept = arena_strndup(arena, text, size);
        status = kept ? read_lines(&r, kept) : no_memory(&r);
    }
    free(text);
    free(path);
    return status;
}

/* ---- a turn ---- */

/* Signs that mean nothing together. */
static const char *noise(struct skill_draw *draw) {
    static const char *const letters[] = {"a", "s", "d", "f", "j", "k", "l", "q", "w", "e",
                                          "r", "t", "z", "x", "v", "b", "n", "m", "g", "h"};
    static const char *const signs[] = {"!", "?", ".", ",", ";",  "~",
                                        "#", "@", "&", "*", "。", "？"};
    static const char *const han[] = {"的", "啊", "吧", "呢", "嘛", "哦", "咯", "哇", "嗯", "呀",
                                      "东", "石", "吃", "红", "走", "大", "口", "手", "电", "下"};
    const char *text = "";
    int kind = skill_below(draw, 3), n = skill_range(draw, 2, 9);
    for (int i = 0; i < n; i++)
        text = skill_textf(draw, "%s%s", text,
                           kind == 0   ? skill_pick(draw, letters)
                           : kind == 1 ? skill_pick(draw, signs)
                                       : skill_pick(draw, han));
    return text;
}

/* What is drawn for a question, and stands in its reply, too. */
struct word {
    const char *name;
    size_t n_name;
    const char *text;
};

static struct word draw_word(const struct talk *talk, struct skill_draw *draw, const char *asked) {
    const char *open = strchr(asked, '{');
    struct word word = {0};
    if (!open) return word;
    word.name = open + 1;
    word.n_name = strcspn(open + 1, "}");
    const struct word_list *list = find_list(talk, word.name, word.n_name);
    word.text = list ? list->words.items[skill_below(draw, list->words.n)] : noise(draw);
    return word;
}

static void fill(struct skill_text *out, const char *phrase, const struct word *word) {
    while (*phrase) {
        size_t plain = strcspn(phrase, "{");
        skill_put(out, "%.*s", (int)plain, phrase);
        phrase += plain;
        if (!*phrase) break;
        skill_puts(out, word->text ? word->text : "");
        phrase += strcspn(phrase, "}");
        phrase += *phrase == '}';
    }
}

/* Whether the reply names nothing that was not asked about. */
static bool fits(const char *said, const struct word *word) {
    return word->text || !strchr(said, '{');
}

/* Any of the intent's replies is right. */
static void expect(struct skill_task *task, const struct intent *intent, const struct word *word) {
    task->check = "regex";
    task->expect.bytes.len = 0;
    skill_puts(&task->expect, "^(?:");
    for (int i = 0; i < intent->said.n; i++) {
        if (!fits(intent->said.items[i], word)) continue;
        skill_puts(&task->expect, i ? "|\\Q" : "\\Q");
        fill(&task->expect, intent->said.items[i], word);
        skill_puts(&task->expect, "\\E");
    }
    skill_puts(&task->expect, ")$");
}

static void say(const struct talk *talk, struct skill_draw *draw, struct skill_task *task) {
    struct skill_turn *turn = skill_turn(task);
    const struct intent *intent;
    const char *asked, *said;
    struct word word;
    do {
        do
            intent = &talk->intents[skill_below(draw, talk->n_intent)];
        while (intent->tongue != draw->tongue);
        asked = intent->asked.items[skill_below(draw, intent->asked.n)];
        word = draw_word(talk, draw, asked);
    } while (
        !skill_takes(draw, 5, "talk %s %s %s", intent->name, asked, word.text ? word.text : ""));
    do
        said = intent->said.items[skill_below(draw, intent->said.n)];
    while (!fits(said, &word));
    fill(&turn->user, asked, &word);
    fill(&turn->answer, said, &word);
    expect(task, intent, &word);
}

static void make_say(struct skill_draw *draw, struct skill_task *task) {
    say(draw->tables, draw, task);
}

static void make_turns(struct skill_draw *draw, struct skill_task *task) {
    for (int n = skill_range(draw, 2, SKILL_MOST_TURNS); n > 0; n--)
        say(draw->tables, draw, task);
}

static const struct skill_group groups[] = {{"say", 3, make_say}, {"turns", 1, make_turns}, {0}};

const struct skill skill_talk = {.name = "talk",
                                 .about = "small talk, and saying what one does not know",
                                 .load = load,
                                 .groups = groups};
