/* What tokenizer_config.json says beside a tokenizer.model: special tokens, what is put around a
 * text, and tokens that the model does not have. */
#ifndef JL_TEXT_SP_CONFIG_H
#define JL_TEXT_SP_CONFIG_H

#include <jansson.h>

#include "base/arena.h"
#include "text/tokenizer/sp_model.h"

struct sp_added {
    int32_t id;
    const char *text; // in the arena
    size_t len;
    bool special, lstrip, rstrip, single_word;
};

struct sp_config {
    const char *bos, *eos; // NULL: the model's own; in the arena
    bool add_bos, add_eos;
    bool prefix;      // false takes the model's dummy space away
    bool prefix_once; // the dummy space only at the start of a text, not behind each special token
    struct sp_added *added; // in the arena
    int n_added;
};

/* `json` may be NULL: then everything is as the classes of Llama tokenizers have it. */
enum jl_status sp_config_read(const char *json, size_t len, struct arena *arena,
                              struct sp_config *config, struct jl_error *err);

#endif
