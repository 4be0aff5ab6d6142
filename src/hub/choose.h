/* Which files of a repository make a model: a folder of config.json, safetensors and tokenizer, or
 * one GGUF model with all its parts. Never pickles, never what nobody here reads. */
#ifndef JL_HUB_CHOOSE_H
#define JL_HUB_CHOOSE_H

#include <stdbool.h>

#include "hub/listing.h"

struct hub_choice {
    const struct hub_file **files; // of the listing; first the small ones, parts in order
    size_t n;
    bool gguf;
    const char *pick; // of a GGUF model: the path of its (first) file; else NULL
};

struct hub_question {
    const struct hub_listing *listing; // finished
    const char *repo;                  // for errors
    const char *pick;                  // as in hub_name; NULL: the folder, or the only GGUF model
    const char *index;                 // model.safetensors.index.json; NULL: not there
    size_t index_size;
    void (*tell)(void *ctx, const char *line); // a line for each model that could be meant, or NULL
    void *ctx;
};

/* Does the answer depend on model.safetensors.index.json? It says which files hold the weights. */
bool hub_choose_needs_index(const struct hub_question *question);

enum jl_status hub_choose(const struct hub_question *question, struct arena *arena,
                          struct hub_choice *out, struct jl_error *err);

/* Does `pick` ("Q4_K_M", "FILE.gguf", "FOLDER/FILE.gguf", without ".gguf" too) mean the GGUF model
 * whose (first) file is `path`? Types in any case, as whole words of the name. */
bool hub_pick_means(const char *pick, const char *path);

/* `path` without ".gguf" and without "-00001-of-00003"; in the arena. */
const char *hub_gguf_stem(const char *path, struct arena *arena);

/* "Q4_K_M" at the end of a stem, "" when the name does not end in a type. */
const char *hub_gguf_type(const char *stem);

#endif
