/* A task as its maker writes it, and the two lines of JSON that can be made of it. */
#ifndef JL_SKILL_TASK_H
#define JL_SKILL_TASK_H

#include <stdbool.h>

#include "base/status.h"
#include "skill/draw.h"
#include "text/buffer.h"

#define SKILL_MOST_TURNS 4

struct skill_text {
    struct byte_buffer bytes; // no NUL at the end
    bool no_memory;
};

struct skill_turn {
    struct skill_text user, thought, answer; // an empty thought: none
};

struct skill_task {
    const char *group; // its name
    enum skill_tongue tongue;
    struct skill_turn turns[SKILL_MOST_TURNS]; // the last one is judged
    int n_turn;
    const char *check; // the verifier's name
    struct skill_text expect;
    // A text to learn from, or to be scored behind its first `n_prompt` bytes; then no turns.
    struct skill_text text;
    size_t n_prompt;
};

/* The next turn, empty, for its maker to write into. At most SKILL_MOST_TURNS. */
struct skill_turn *skill_turn(struct skill_task *task);

/* Appends. Failures are noted in the text. */
void skill_put(struct skill_text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void skill_puts(struct skill_text *text, const char *bytes);

/* Appends `phrase` with {a} as values[0], {b} as values[1] and so on; {{ is a brace. n values. */
void skill_fill(struct skill_text *text, const char *phrase, const char *const *values, int n);

/* One of the phrases of the task's tongue, filled: SKILL_SAY(draw, &turn->user, zh, en, a, b). Both
 * are arrays of phrases; at least one value. */
struct skill_phrases {
    const char *const *zh, *const *en;
    int n_zh, n_en;
};
void skill_say(struct skill_draw *draw, struct skill_text *text, struct skill_phrases phrases,
               const char *const *values, int n);
#define SKILL_SAY(draw, text, zh, en, ...)                                                         \
    skill_say(draw, text, (struct skill_phrases){zh, en, SKILL_COUNT(zh), SKILL_COUNT(en)},        \
              (const char *const[]){__VA_ARGS__},                                                  \
              SKILL_COUNT(((const char *const[]){__VA_ARGS__})))

/* Three times of ten: an opening such as "Question: ", where a group has few phrases of its own. */
void skill_open(struct skill_draw *draw, struct skill_text *text);

/* What is expected is the answer as it stands so far, judged by the verifier `check`. */
void skill_expect_answer(struct skill_task *task, const char *check);

void skill_task_clear(struct skill_task *task);          // memory stays
void skill_task_free(struct skill_task *task);           // zeroed is fine
bool skill_task_complete(const struct skill_task *task); // no text lacked memory

/* A line, with its newline, appended: a conversation or a text to learn from (docs/train-data.md),
 * or a task of `jinlin eval` (docs/eval.md) whose group is "add.zh" or "add.en"; of a text, its
 * loss. JL_ERR_MEMORY. */
enum jl_status skill_task_train_line(const struct skill_task *task, struct byte_buffer *out,
                                     struct jl_error *err);
enum jl_status skill_task_eval_line(const struct skill_task *task, struct byte_buffer *out,
                                    struct jl_error *err);

#endif
