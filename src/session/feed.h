/* Feeding sequences: tokens of several sequences into one pass, states advanced together. */
#ifndef JL_SESSION_FEED_H
#define JL_SESSION_FEED_H

#include "model/exec.h"
#include "session/state.h"

/* Tokens that one sequence adds to a pass. */
struct feed {
    struct state *state;
    const int32_t *tokens;
    int n_token;
    int n_logits;  // of so many of its last tokens the logits are wanted
    float *hidden; // (n_token, n_embd): hidden states after the output norm; NULL: not wanted
};

/* One pass over all feeds, in order. logits: (rows that want some, n_vocab), feed after feed.
 * States grow their pages first and advance only on success. Feeds with no tokens are skipped. */
enum jl_status feed_forward(struct exec *exec, const struct feed *feeds, int n_feed,
                            const atomic_bool *cancel, float *logits, struct jl_error *err);

/* Positions of one sequence that the model has passed through, for its prediction layer. */
struct feed_ahead {
    struct state *state;
    const int32_t *tokens; // (n): the token after each position
    const float *hidden;   // (n, n_embd): what feed_forward gave for each
    int first, n;          // positions first .. first + n-1, those before them being done
    int n_logits;          // of so many of the last ones the logits are wanted
    float *last_hidden;    // (n_embd): the layer's own hidden state of the last one; NULL
};

/* One pass of an executor of exec_create_mtp. logits: (n_logits, n_vocab), of the token after
 * tokens[i]. A position that is not stored yet needs state_reserve. */
enum jl_status feed_ahead(struct exec *mtp, const struct feed_ahead *feed,
                          const atomic_bool *cancel, float *logits, struct jl_error *err);

/* A prompt through passes of at most `chunk` rows; the logits of its last row. */
enum jl_status feed_prompt(struct exec *exec, struct state *state, const int32_t *tokens,
                           int n_token, int chunk, const atomic_bool *cancel, float *last_logits,
                           struct jl_error *err);

#endif
