/* Changes of logits: computed in double, rounded to float, kept finite. A logit of -infinity is a
 * banned token and stays one. */
#ifndef JL_SESSION_PENALTY_H
#define JL_SESSION_PENALTY_H

#include "session/sample_params.h"

void penalty_subtract(float *logit, double amount); // amount: not NaN, may be infinite

void penalty_bias(const struct sample_params *params, float *logits);

/* Tokens accepted so far: ids (n), the first n_prompt of which are not the answer's. */
struct penalty_history {
    const int32_t *ids;
    int n, n_prompt;
};
/* repetition_penalty over the last repeat_last_n tokens of all, then presence_penalty and
 * frequency_penalty over the answer. marks: (n_vocab) zeros, and so again afterwards. */
void penalty_history_apply(const struct sample_params *params,
                           const struct penalty_history *history, float *logits, int32_t *marks);
bool penalty_history_matters(const struct sample_params *params);

#endif
