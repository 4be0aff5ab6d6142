/* Log-probabilities of a text's own tokens, as a scan of it gives them. */
#ifndef JL_SERVE_SCORING_H
#define JL_SERVE_SCORING_H

#include "serve/scheduler.h"

struct scoring {
    const int32_t *ids; // (n) the caller's
    int n, n_vocab;
    int n_top;
    double *logprobs;           // (n) natural; the first has nothing before it and is 0
    struct sample_logprob *top; // (n, n_top) the likeliest in its place; the first are not set
};

enum jl_status scoring_begin(const int32_t *ids, int n, int n_top, int n_vocab, struct scoring *out,
                             struct jl_error *err);
void scoring_end(struct scoring *scoring); // zeroed is fine
/* For scheduler_scan, which wants logits. */
void scoring_rows(struct scoring *scoring, const struct scheduler_rows *rows);
double scoring_sum(const struct scoring *scoring); // of the text, in order

#endif
