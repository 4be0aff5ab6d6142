/* Writes a loaded model as a Hugging Face folder: config.json, weights, and the files of its
 * tokenizer. */
#ifndef JL_SESSION_EXPORT_FOLDER_H
#define JL_SESSION_EXPORT_FOLDER_H

#include "base/pool.h"
#include "model/export_hf.h"
#include "session/folder_tensors.h"

struct export_folder_options {
    struct export_hf_options tensors;
    size_t shard_bytes; // of data in one file of weights; 0: one file
    bool no_tokenizer;  // it is left out
    struct folder_progress progress;
};

/* The folder is whole or absent; something that has its name already is refused. Read again it is
 * the same model: the same bound weights, unless a conversion was asked for, and so the same
 * logits in the same numeric class. */
enum jl_status export_folder_write(const struct model *model,
                                   const struct export_folder_options *options, const char *path,
                                   struct pool *pool, struct jl_error *err);

#endif
