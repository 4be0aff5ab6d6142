/* An answer from beginning to end: tokens chosen, turned into text, watched for what ends them, and
 * read by the session. What the library, `run`, `chat`, `generate` and the server have in common.
 */
#ifndef JL_SESSION_GENERATE_H
#define JL_SESSION_GENERATE_H

#include "session/end_tokens.h"
#include "session/sampler.h"
#include "session/session.h"
#include "session/speculator.h"
#include "text/patterns.h"

/* Who takes the tokens. `text` is whole characters (len may be 0), which may be those of earlier
 * tokens that could have begun a stop string; id is TOKEN_NONE for what is flushed at the end.
 * While a token is shown, session_logits are those that it was chosen from. *go_on = false: enough.
 */
struct generate_sink {
    enum jl_status (*token)(void *ctx, int32_t id, const char *text, size_t len, bool *go_on,
                            struct jl_error *err);
    void *ctx;
    // Shall a control token of this text give it? NULL: none does.
    bool (*show)(void *ctx, const char *text, size_t len);
    bool at_start; // a text of its own: without the space that some tokenizers put in front
};

struct generate_request {
    struct session *session; // its tokens are the prompt; what is pending of them is read first
    struct sampler *sampler; // which was given the prompt
    struct sample_scratch *scratch;
    const struct end_tokens *ends;     // an answer ends before one of these
    const struct tokenizer *tokenizer; // NULL: nobody wants text, and there are no stop strings
    const struct pattern_text *stop;   // (n_stop)
    size_t n_stop;
    int n;                     // at most so many tokens; 0: as many as the session holds
    const atomic_bool *cancel; // NULL: nobody
    struct generate_sink sink; // token NULL: nobody
};

enum generate_finish {
    GENERATE_LENGTH,
    GENERATE_END,
    GENERATE_STOP,
    GENERATE_CONTEXT, // the session is full
    GENERATE_CANCEL,
    GENERATE_SINK
};

struct generate_result {
    enum generate_finish finish;
    int stop;    // which of the stop strings; -1: none
    int n_token; // chosen, without the one that ends it
    struct speculation speculation;
};

/* Every token of the answer is the session's afterwards, but for one that had no more room; the
 * last one is pending: nobody knows yet whether what follows it is wanted. On failure *out tells
 * how far it came. */
enum jl_status generate_answer(const struct generate_request *request, struct generate_result *out,
                               struct jl_error *err);

/* ---- the same in steps, for many answers that share their passes ---- */

struct generating;

/* *request must stay as it is until the end; its `session` is read by the caller's passes, before
 * the first step up to its last pending token. */
enum jl_status generate_begin(const struct generate_request *request, struct generating **out,
                              struct jl_error *err);
/* The next token by the session's logits. It changes nothing but the scratch, so that several
 * answers may choose at once. */
enum jl_status generate_choose(const struct generating *g, struct sample_scratch *scratch,
                               int32_t *id, struct jl_error *err);
/* It is taken and shown. *over: it was the last one, or ends the answer. Else the session is to go
 * on with it (session_add), and a pass has to read it before the next step. */
enum jl_status generate_take(struct generating *g, int32_t id, bool *over, struct jl_error *err);
/* Shows what waited for the rest of a character or of a stop string, and frees. */
enum jl_status generate_end(struct generating *g, struct generate_result *out,
                            struct jl_error *err);

#endif
