/* Text through a model: what `run` and `chat` share. */
#ifndef JL_CLI_TALK_H
#define JL_CLI_TALK_H

#include <stdatomic.h>

#include "cli/engine.h"
#include "cli/sampling.h"
#include "session/end_tokens.h"
#include "session/sampler.h"
#include "session/session.h"
#include "text/tokenizer.h"

struct talk {
    struct engine engine;
    struct tokenizer *tokenizer;
    struct session_set *sessions;
    struct session *session;
    struct end_tokens ends; // of an answer
    struct sample_scratch *scratch;
};

/* n_ctx: most tokens of the session; 0: the model's context, or what fits into memory. */
enum jl_status talk_open(const char *path, const struct engine_options *options, int n_ctx,
                         struct talk *out, struct jl_error *err);
#define TALK_CONTEXT_OPTION(n_ctx)                                                                 \
    {                                                                                              \
        "--ctx", "-c", CLI_INT, &(n_ctx), "N",                                                     \
            "tokens of context (default: the model's, or what fits into memory)", 1, INT32_MAX     \
    }
void talk_close(struct talk *talk);

/* What was read is kept in a file between runs (session/session_file.h). The path may be NULL; a
 * file that is not there yet is an empty session, one of another model or class an error. */
#define TALK_SESSION_OPTION(path)                                                                  \
    {                                                                                              \
        "--session", NULL, CLI_TEXT, &(path), "FILE",                                              \
            "keep what was read in FILE: the next run does not read it again", 0, 0                \
    }
enum jl_status talk_load_session(struct talk *talk, const char *path, struct jl_error *err);
enum jl_status talk_save_session(struct talk *talk, const char *path, struct jl_error *err);

/* ---- generating ---- */

enum talk_stop {
    TALK_STOP_COUNT,
    TALK_STOP_EOS,
    TALK_STOP_STRING,
    TALK_STOP_CONTEXT,
    TALK_STOP_CANCEL,
    TALK_STOP_SINK
};

/* Who takes the tokens: `text` is whole characters (len may be 0), which may be those of earlier
 * tokens that could have begun a stop string; id is TOKEN_NONE for what is flushed at the end.
 * *go_on = false stops the generation. */
struct talk_sink {
    enum jl_status (*token)(void *ctx, int32_t id, const char *text, size_t len, bool *go_on,
                            struct jl_error *err);
    void *ctx;
    // Shall a control token of this text give it? NULL: none does.
    bool (*show)(void *ctx, const char *text, size_t len);
    bool at_start; // a text of its own: without the space that some tokenizers put in front
};

struct talk_result {
    enum talk_stop why;
    int n_token; // chosen, the end token not counted
};

struct talk_request {
    struct sampling sampling;
    int n;                     // at most so many tokens
    const atomic_bool *cancel; // may be NULL
};

/* Tokens after what the session holds. Each is fed, so that the next turn follows it. */
enum jl_status talk_generate(struct talk *talk, const struct talk_request *request,
                             const struct talk_sink *sink, struct talk_result *result,
                             struct jl_error *err);

#endif
