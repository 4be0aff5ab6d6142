#include "skill/task.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text/json_escape.h"

/* ---- writing ---- */

struct skill_turn *skill_turn(struct skill_task *task) {
    return &task->turns[task->n_turn++];
}

static void append(struct skill_text *text, const char *bytes, size_t n) {
    if (!buffer_append(&text->bytes, bytes, n)) text->no_memory = true;
}

void skill_puts(struct skill_text *text, const char *bytes) { append(text, bytes, strlen(bytes)); }

void skill_put(struct skill_text *text, const char *fmt, ...) {
    va_list args, again;
    char small[256];
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, fmt, args);
    if (n >= 0 && (size_t)n < sizeof small) {
        append(text, small, (size_t)n);
    } else if (n < 0 || !buffer_reserve(&text->bytes, (size_t)n + 1)) {
        text->no_memory = true;
    } else {
        vsnprintf(text->bytes.data + text->bytes.len, (size_t)n + 1, fmt, again);
        text->bytes.len += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

void skill_fill(struct skill_text *text, const char *phrase, const char *const *values, int n) {
    const char *brace;
    for (; (brace = strchr(phrase, '{')); phrase = brace + (brace[1] == '{' ? 2 : 3)) {
        append(text, phrase, (size_t)(brace - phrase));
        int index = brace[1] - 'a';
        if (brace[1] == '{')
            append(text, "{", 1);
        else if (index >= 0 && index < n && brace[2] == '}')
            skill_puts(text, values[index]);
        else
            break; // a phrase that names what it was not given: seen by the tests
    }
    skill_puts(text, phrase);
}

void skill_say(struct skill_draw *draw, struct skill_text *text, struct skill_phrases phrases,
               const char *const *values, int n) {
    bool zh = skill_zh(draw);
    int index = skill_below(draw, zh ? phrases.n_zh : phrases.n_en);
    skill_fill(text, (zh ? phrases.zh : phrases.en)[index], values, n);
}

void skill_open(struct skill_draw *draw, struct skill_text *text) {
    static const char *const zh[] = {"请问：",     "问题：", "问：",     "请回答：",
                                     "帮我想想：", "题目：", "想一想：", "请教一下："};
    static const char *const en[] = {
        "Question: ",           "Please answer: ", "Tell me: ",  "Think about this: ",
        "Here is a question. ", "Solve this: ",    "A puzzle: ", "Help me with this: "};
    if (skill_chance(draw, 30))
        skill_puts(text, skill_zh(draw) ? skill_pick(draw, zh) : skill_pick(draw, en));
}

void skill_expect_answer(struct skill_task *task, const char *check) {
    const struct skill_text *answer = &task->turns[task->n_turn - 1].answer;
    append(&task->expect, answer->bytes.data, answer->bytes.len);
    task->check = check;
}

/* ---- memory ---- */

enum { N_TEXT = 3 * SKILL_MOST_TURNS + 2 };

static void list_texts(struct skill_task *task, struct skill_text *out[N_TEXT]) {
    int n = 0;
    for (int i = 0; i < SKILL_MOST_TURNS; i++) {
        out[n++] = &task->turns[i].user;
        out[n++] = &task->turns[i].thought;
        out[n++] = &task->turns[i].answer;
    }
    out[n++] = &task->expect;
    out[n] = &task->text;
}

void skill_task_clear(struct skill_task *task) {
    struct skill_text *texts[N_TEXT];
    list_texts(task, texts);
    for (int i = 0; i < N_TEXT; i++) {
        texts[i]->bytes.len = 0;
        texts[i]->no_memory = false;
    }
    task->group = task->check = NULL;
    task->n_turn = 0;
    task->n_prompt = 0;
}

void skill_task_free(struct skill_task *task) {
    struct skill_text *texts[N_TEXT];
    list_texts(task, texts);
    for (int i = 0; i < N_TEXT; i++)
        buffer_free(&texts[i]->bytes);
    *task = (struct skill_task){0};
}

bool skill_task_complete(const struct skill_task *task) {
    for (int i = 0; i < task->n_turn; i++)
        if (task->turns[i].user.no_memory || task->turns[i].thought.no_memory ||
            task->turns[i].answer.no_memory)
            return false;
    return !task->expect.no_memory && !task->text.no_memory;
}

/* ---- lines ---- */

static bool put_bytes(struct byte_buffer *out, const char *text) {
    return buffer_append(out, text, strlen(text));
}

/* `key` with the punctuation before and behind it, then the text as a JSON string. */
static bool put_string(struct byte_buffer *out, const char *key, const char *text, size_t n) {
    bool ok = put_bytes(out, key) && buffer_append(out, "\"", 1);
    size_t begin = 0;
    for (size_t i = 0; ok && i < n; i++) {
        char escaped[JSON_ESCAPE_BYTES];
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7F) continue;
        int len = json_escape_char(c, true, escaped);
        ok =
            buffer_append(out, text + begin, i - begin) && buffer_append(out, escaped, (size_t)len);
        begin = i + 1;
    }
    return ok && buffer_append(out, text + begin, n - begin) && buffer_append(out, "\"", 1);
}

static bool put_text(struct byte_buffer *out, const char *key, const struct skill_text *text) {
    return put_string(out, key, text->bytes.data ? text->bytes.data : "", text->bytes.len);
}

static bool put_messages(struct byte_buffer *out, const struct skill_task *task, bool last_answer) {
    bool ok = put_bytes(out, "{\"messages\": [");
    for (int i = 0; ok && i < task->n_turn; i++) {
        const struct skill_turn *turn = &task->turns[i];
        ok = put_text(out,
                      i ? ", {\"role\": \"user\", \"content\": "
                        : "{\"role\": \"user\", \"content\": ",
                      &turn->user) &&
             put_bytes(out, "}");
        if (!ok || (i == task->n_turn - 1 && !last_answer)) break;
        ok = put_bytes(out, ", {\"role\": \"assistant\"") &&
             (!turn->thought.bytes.len ||
              put_text(out, ", \"reasoning_content\": ", &turn->thought)) &&
             put_text(out, ", \"content\": ", &turn->answer) && put_bytes(out, "}");
    }
    return ok && put_bytes(out, "]");
}

static enum jl_status written(bool ok, struct jl_error *err) {
    return ok ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory for a task");
}

enum jl_status skill_task_train_line(const struct skill_task *task, struct byte_buffer *out,
                                     struct jl_error *err) {
    bool ok = task->text.bytes.len ? put_text(out, "{\"text\": ", &task->text)
                                   : put_messages(out, task, true);
    return written(ok && put_bytes(out, "}\n"), err);
}

/* A text: what is given of it, and the rest, which is scored. */
static bool put_scored(struct byte_buffer *out, const struct skill_task *task) {
    const char *text = task->text.bytes.data;
    size_t n = task->n_prompt;
    return put_string(out, "{\"prompt\": ", text, n) &&
           put_string(out, ", \"expect\": ", text + n, task->text.bytes.len - n);
}

enum jl_status skill_task_eval_line(const struct skill_task *task, struct byte_buffer *out,
                                    struct jl_error *err) {
    bool ok = task->text.bytes.len ? put_scored(out, task)
                                   : put_messages(out, task, false) &&
                                         put_text(out, ", \"expect\": ", &task->expect);
    ok = ok && put_string(out, ", \"check\": ", task->check, strlen(task->check)) &&
         put_bytes(out, ", \"group\": \"") && put_bytes(out, task->group) &&
         put_bytes(out, task->tongue == SKILL_ZH ? ".zh\"}\n" : ".en\"}\n");
    return written(ok, err);
}
