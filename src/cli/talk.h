/* Text through a model: what `run` and `chat` share. */
#ifndef JL_CLI_TALK_H
#define JL_CLI_TALK_H

#include <stdatomic.h>

#include "cli/engine.h"
#include "text/tokenizer.h"

struct talk {
    struct engine engine;
    struct tokenizer *tokenizer;
    struct state *state;
    float *logits; // (n_vocab) of the last position fed
    int32_t eos[8];
    int n_eos;
};

enum jl_status talk_open(const char *path, const struct engine_options *options, struct talk *out,
                         struct jl_error *err);
void talk_close(struct talk *talk);

/* Adds text to the sequence: encoded, fed, logits of its end in talk->logits. */
enum jl_status talk_feed(struct talk *talk, const char *text, size_t len, const atomic_bool *cancel,
                         struct jl_error *err);

enum talk_stop { TALK_STOP_COUNT, TALK_STOP_EOS, TALK_STOP_CONTEXT, TALK_STOP_CANCEL };

/* Generates up to n tokens greedily and writes their text to stdout as it comes. */
enum jl_status talk_generate(struct talk *talk, int n, const atomic_bool *cancel,
                             enum talk_stop *why, struct jl_error *err);

#endif
