/* Speculation for one answer: a session's next tokens are drafted, read beside the certain one, and
 * taken or dropped as the sampler decides. The answer has the bits of one without it: the sampler
 * sees the same logits in the same order. How long a draft is depends on what drafts have brought
 * so far (draft_gain.h); where they do not pay there are none. */
#ifndef JL_SESSION_SPECULATOR_H
#define JL_SESSION_SPECULATOR_H

#include "session/session.h"

struct speculator;

/* Takes what memory it needs. */
enum jl_status speculator_create(struct session *session, struct speculator **out,
                                 struct jl_error *err);
void speculator_free(struct speculator *speculator); // NULL is fine

/* As session_push; at most `wanted` tokens more will be chosen after it. */
enum jl_status speculator_push(struct speculator *speculator, int32_t id, int wanted,
                               const atomic_bool *cancel, struct jl_error *err);

struct speculation {
    int n_pass;     // of the model
    int n_drafted;  // tokens read before they were chosen
    int n_accepted; // of them chosen
};
struct speculation speculator_result(const struct speculator *speculator);

#endif
