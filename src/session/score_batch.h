/* Log-probabilities of given tokens, many texts a pass. Bits do not depend on which texts share a
 * pass, nor on how a text is cut into passes. */
#ifndef JL_SESSION_SCORE_BATCH_H
#define JL_SESSION_SCORE_BATCH_H

#include "base/pool.h"
#include "session/feed.h"

struct score_token {
    double logprob; // natural logarithm, of the raw distribution or of the scaled one
    bool likeliest; // it is what sample_greedy takes
};

/* ids (n): those from `first` on are scored, given all before them; 1 <= first <= n. */
struct score_text {
    const int32_t *ids;
    int n, first;
    struct score_token *tokens; // (n - first), out
};

/* What the passes run with; all of it the caller's. */
struct score_batch {
    struct exec *exec;
    struct state **states; // (n_state): so many texts at once, at most the executor's rows; what
    int n_state;           // they hold is dropped
    float *logits;         // (n_row, n_vocab): so many tokens are scored in a pass at most
    int n_row;
    double scale;      // of the logits, 1 / temperature; 0: the raw distribution
    struct pool *pool; // shares out the rows of a pass; NULL: the caller's thread has them all
    void (*step)(void *ctx, int64_t done, int64_t total); // after each pass: texts; may be NULL
    void *ctx;
    const atomic_bool *cancel; // may be NULL
};

enum jl_status score_texts(const struct score_batch *batch, const struct score_text *texts,
                           int64_t n, struct jl_error *err);

#endif
