/* What a model under training goes on with: the ordinary way to an answer, over the weights as they
 * are now. Reads the model and nothing else. */
#ifndef JL_TRAIN_RUN_SPEAK_H
#define JL_TRAIN_RUN_SPEAK_H

#include "model/exec.h"
#include "session/end_tokens.h"
#include "text/buffer.h"

struct speak_request {
    const struct model *model;
    struct backend *backend;
    const struct tokenizer *tokenizer;
    const struct end_tokens *ends;
    const char *prompt;
    uint64_t seed;             // where the model's own settings ask for a draw
    int n;                     // at most so many tokens
    const atomic_bool *cancel; // NULL: nobody
};

/* Appends the text behind the prompt. Nothing of the model is kept: its weights may change between
 * two calls. */
enum jl_status speak_text(const struct speak_request *request, struct byte_buffer *out,
                          struct jl_error *err);

#endif
