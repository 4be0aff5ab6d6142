#include "session/penalty.h"

#include <float.h>
#include <math.h>

static float rounded(double x) {
    if (x > (double)FLT_MAX) return FLT_MAX;
    if (x < -(double)FLT_MAX) return -FLT_MAX;
    return (float)x;
}

void penalty_subtract(float *logit, double amount) {
    if (*logit > -INFINITY) *logit = rounded((double)*logit - amount);
}

void penalty_bias(const struct sample_params *params, float *logits) {
    for (int32_t i = 0; i < params->n_bias; i++) {
        struct sample_bias bias = params->bias[i];
        if (bias.bias == -INFINITY)
            logits[bias.id] = -INFINITY;
        else
            penalty_subtract(&logits[bias.id], -(double)bias.bias);
    }
}

/* Each token once, however often it occurred (Keskar et al., "CTRL", 2019, as the others have it:
 * a negative logit is multiplied). */
static void repetition(const struct sample_params *params, const struct penalty_history *history,
                       float *logits, int32_t *marks) {
    int first = 0, n = history->n;
    if (params->repeat_last_n >= 0 && n > params->repeat_last_n) first = n - params->repeat_last_n;
    for (int i = first; i < n; i++) {
        int32_t id = history->ids[i];
        if (marks[id]++ || logits[id] == -INFINITY) continue;
        double logit = (double)logits[id], penalty = params->repetition_penalty;
        logits[id] = rounded(logit > 0 ? logit / penalty : logit * penalty);
    }
    for (int i = first; i < n; i++)
        marks[history->ids[i]] = 0;
}

static void occurrence(const struct sample_params *params, const struct penalty_history *history,
                       float *logits, int32_t *marks) {
    for (int i = history->n_prompt; i < history->n; i++)
        marks[history->ids[i]]++;
    for (int i = history->n_prompt; i < history->n; i++) {
        int32_t id = history->ids[i];
        if (!marks[id]) continue;
        penalty_subtract(&logits[id],
                         params->frequency_penalty * (double)marks[id] + params->presence_penalty);
        marks[id] = 0;
    }
}

bool penalty_history_matters(const struct sample_params *params) {
    return (params->repetition_penalty != 1 && params->repeat_last_n != 0) ||
           params->presence_penalty != 0 || params->frequency_penalty != 0;
}

void penalty_history_apply(const struct sample_params *params,
                           const struct penalty_history *history, float *logits, int32_t *marks) {
    if (params->repetition_penalty != 1) repetition(params, history, logits, marks);
    if (params->presence_penalty != 0 || params->frequency_penalty != 0)
        occurrence(params, history, logits, marks);
}
