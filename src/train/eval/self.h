/* The inside of eval_run, for the files eval*.c. */
#ifndef JL_TRAIN_EVAL_SELF_H
#define JL_TRAIN_EVAL_SELF_H

#include "train/eval/eval.h"

struct eval_work {
    const struct eval_model *model;
    const struct eval_tasks *tasks;
    const struct eval_options *options;
    struct eval_result *results;
    struct eval_totals *totals;
    struct jl_error *err;
};

/* The failure `inner` as one of a task. */
enum jl_status eval_task_fail(const struct eval_work *work, int64_t task, enum jl_status status,
                              const char *what);

/* A prompt as text: what the template makes of messages, or the words themselves. */
struct eval_prompt {
    struct chat_rendered rendered; // of a conversation
    struct tokenizer_text text;    // its own `user` in rendered
    int flags;                     // of encoding
};
enum jl_status eval_prompt_make(const struct eval_work *work, int64_t task,
                                struct eval_prompt *out);
void eval_prompt_free(struct eval_prompt *prompt);
enum jl_status eval_prompt_encode(const struct eval_work *work, const struct eval_prompt *prompt,
                                  struct token_ids *ids);

enum jl_status eval_answers(struct eval_work *work); // eval_answer.c
enum jl_status eval_scores(struct eval_work *work);  // eval_score.c

#endif
