/* What the public objects are made of. */
#ifndef JL_API_SELF_H
#define JL_API_SELF_H

#include <stdatomic.h>

#include "session/chat_form.h"
#include "session/memory_plan.h"
#include "session/sampler.h"
#include "session/session_file.h"

struct jl_model {
    struct model *model;
    struct tokenizer *tokenizer;  // NULL: the file has none that can be read
    struct jl_error no_tokenizer; // why, then
    struct chat_form form;        // empty where there is no template
    struct jl_error no_template;  // JL_OK, or why the template there is cannot be read
    struct end_tokens ends;
    char numeric_class[CLASS_NAME_BYTES];
};

struct jl_cancel {
    atomic_bool flag;
};

struct jl_engine {
    const struct jl_model *model;
    struct backend *backend;
    struct exec *exec;
    struct session_set *sessions;
};

struct jl_session {
    struct jl_engine *engine;
    struct session *session;
};

struct jl_sampler {
    const struct jl_model *model;
    struct sampler *sampler;
    struct sample_scratch *scratch;
};

struct jl_decoder {
    struct token_stream stream;
    char *text;
    size_t len, cap;
};

enum jl_status jl_need_tokenizer(const struct jl_model *model, struct jl_error *err);
enum jl_status jl_no_memory(struct jl_error *err, const char *what);

static inline const atomic_bool *jl_cancel_flag(const struct jl_cancel *cancel) {
    return cancel ? &cancel->flag : NULL;
}

#endif
