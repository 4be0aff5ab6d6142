/* What a model and its sessions take, before anything is taken. */
#ifndef JL_SESSION_MEMORY_PLAN_H
#define JL_SESSION_MEMORY_PLAN_H

#include "session/session.h"

struct memory_request {
    int n_seq, n_ctx;    // sequences, tokens of each; 0: 1, and the model's context or what fits
    int n_batch;         // rows of a pass
    size_t prefix_bytes; // of state kept for sessions that begin alike
    enum draft_kind draft;
    int n_draft;  // most drafted tokens of a sequence in a pass; 0: 8
    size_t limit; // bytes that may be used; 0: memory_available (base/memory.h)
};

struct memory_plan {
    size_t weights; // mapped from the file
    size_t state;   // cached state of n_seq sequences of n_ctx tokens
    size_t prefix;  // and that kept for others
    size_t work;    // registers, scratch, logits
    size_t total, available;
    struct session_options sessions; // n_ctx included
};

/* JL_ERR_UNSUPPORTED where predictions are asked for and the model makes none. JL_ERR_LIMIT where
 * the total is more than what is available, and where n_ctx is more than the model's context; *out
 * is then filled, too. */
enum jl_status memory_plan_make(const struct model *model, struct backend *backend,
                                const struct memory_request *request, struct memory_plan *out,
                                struct jl_error *err);

#endif
