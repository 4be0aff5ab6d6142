/* Writes the folder of step 0: a configuration, random weights, and a tokenizer's files. */
#ifndef JL_SESSION_FRESH_FOLDER_H
#define JL_SESSION_FRESH_FOLDER_H

#include "base/pool.h"
#include "model/init.h"
#include "session/folder_tensors.h"

struct fresh_folder_options {
    struct init_options init;
    /* A folder with a tokenizer, or a tokenizer's file; NULL: the model has none. Its number of
     * tokens is the model's where the configuration does not say vocab_size, its marks of beginning
     * and end are where that names none. */
    const char *tokenizer;
    size_t shard_bytes; // of data in one file of weights; 0: one file
    struct folder_progress progress;
};

/* The folder is whole or absent; something that has its name already is refused. Its bytes depend
 * on the options alone. */
enum jl_status fresh_folder_write(const struct fresh_folder_options *options, const char *path,
                                  struct pool *pool, struct jl_error *err);

#endif
