/* What a model can do: tasks answered and scored, many of them in each pass.
 *
 * Nothing of a result depends on which tasks share a pass, how many do, or the number of threads:
 * an answer is that of the task alone. docs/eval.md has the rules. */
#ifndef JL_TRAIN_EVAL_EVAL_H
#define JL_TRAIN_EVAL_EVAL_H

#include <stdatomic.h>

#include "base/pool.h"
#include "session/chat_form.h"
#include "session/generate.h"
#include "train/eval/tasks.h"

/* One answer of the model. */
struct eval_answer {
    char *text; // n_text bytes and a NUL, heap; in a conversation without the thought
    char *thought;
    size_t n_text, n_thought; // thought NULL: none
    int n_token;              // without the end
    enum generate_finish finish;
    bool right;
    // Where they are recorded, heap: the tokens that were chosen, the end among them, and how
    // likely each was at the temperature of the draw, in nats, over the whole vocabulary.
    int32_t *ids;
    double *logprobs; // (n_id)
    int n_id;
};

/* A text after a prompt. */
struct eval_score {
    double logprob; // natural logarithm, the sum over its tokens
    int n_token;
};

/* What came of a task. Arrays are heap. */
struct eval_result {
    int32_t *ids; // the prompt's
    int n_id;
    struct dialect_start start;  // where the prompt of a conversation leaves off
    struct eval_answer *answers; // (n_sample), of EVAL_ANSWER
    struct eval_score *scores;   // (n_choice), or 1 of EVAL_LOSS
    int chosen;                  // EVAL_CHOICE
    int n_right, n_sample;       // 0 of 0 for EVAL_LOSS
};

struct eval_options {
    const struct sample_params *params;
    uint64_t seed;
    int n_sample;   // answers to each task that has one
    bool record;    // tokens and log-probabilities, too; params draw at a temperature above 0
    int n_parallel; // tasks in a pass, fewer where memory is short
    size_t limit;   // bytes that may be used; 0: what is available
    void (*step)(void *ctx, const char *what, int64_t done, int64_t total); // may be NULL
    void *ctx;
    const atomic_bool *cancel; // may be NULL
};

/* Whom it asks; all of it the caller's. */
struct eval_model {
    struct exec *exec;
    struct backend *backend;
    struct pool *pool;
    const struct tokenizer *tokenizer;
    const struct chat_form *form;   // tmpl NULL: no conversations
    const struct end_tokens *ends;  // of a text
    const struct end_tokens *turns; // of a turn of a conversation
};

struct eval_totals {
    double answer_seconds, score_seconds;
    int64_t n_prompt, n_answer, n_scored; // tokens: read of prompts, chosen, scored
    int64_t n_reused;                     // of prompts, not read again
    int n_parallel;
};

/* results: (tasks->n), zeroed; to be freed after a failure, too. Messages name file and line. */
enum jl_status eval_run(const struct eval_model *model, const struct eval_tasks *tasks,
                        const struct eval_options *options, struct eval_result *results,
                        struct eval_totals *totals, struct jl_error *err);
void eval_results_free(struct eval_result *results, int64_t n); // NULL is fine

/* ---- figures ---- */

struct eval_interval {
    double low, high;
};
/* Wilson's (1927), of 95 %: `right` may be a fraction. n 0: from 0 to 1. */
struct eval_interval eval_wilson(double right, int64_t n);

#endif
