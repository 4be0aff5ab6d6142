/* Text through a model: what `run` and `chat` share. */
#ifndef JL_CLI_TALK_H
#define JL_CLI_TALK_H

#include <stdatomic.h>

#include "cli/engine.h"
#include "cli/sampling.h"
#include "session/generate.h"
#include "text/tokenizer.h"

struct talk {
    struct engine engine;
    struct tokenizer *tokenizer;
    struct session_set *sessions;
    struct session *session;
    struct end_tokens ends; // of an answer
    struct sample_scratch *scratch;
};

struct talk_options {
    struct engine_options engine;
    struct draft_options draft;
    int n_ctx; // most tokens of the session; 0: the model's context, or what fits into memory
};
enum jl_status talk_open(const char *path, const struct talk_options *options, struct talk *out,
                         struct jl_error *err);
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

struct talk_request {
    struct sampling sampling;
    int n;                     // at most so many tokens
    const atomic_bool *cancel; // may be NULL
};

/* Tokens after what the session holds (session/generate.h). */
enum jl_status talk_generate(struct talk *talk, const struct talk_request *request,
                             const struct generate_sink *sink, struct generate_result *result,
                             struct jl_error *err);

#endif
