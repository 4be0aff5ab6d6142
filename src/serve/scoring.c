#include "serve/scoring.h"

#include <stdlib.h>

enum jl_status scoring_begin(const int32_t *ids, int n, int n_top, int n_vocab, struct scoring *out,
                             struct jl_error *err) {
    if (n_top > n_vocab) n_top = n_vocab;
    *out = (struct scoring){.ids = ids,
                            .n = n,
                            .n_vocab = n_vocab,
                            .n_top = n_top,
                            .logprobs = calloc((size_t)n, sizeof *out->logprobs),
                            .top = calloc((size_t)n * (size_t)n_top + 1, sizeof *out->top)};
    if (out->logprobs && out->top) return JL_OK;
    scoring_end(out);
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for log-probabilities");
}

void scoring_end(struct scoring *scoring) {
    free(scoring->logprobs);
    free(scoring->top);
    *scoring = (struct scoring){0};
}

void scoring_rows(struct scoring *scoring, const struct scheduler_rows *rows) {
    for (int i = 0; i < rows->n; i++) {
        int at = rows->first + i + 1;
        if (at == scoring->n) return; // the last row foretells what is not there
        const float *logits = rows->logits + (size_t)i * (size_t)scoring->n_vocab;
        scoring->logprobs[at] =
            sample_logprobs(logits, rows->scratch, scoring->ids[at], scoring->n_top,
                            scoring->top + (size_t)at * (size_t)scoring->n_top);
    }
}

double scoring_sum(const struct scoring *scoring) {
    double sum = 0;
    for (int i = 1; i < scoring->n; i++)
        sum += scoring->logprobs[i];
    return sum;
}
