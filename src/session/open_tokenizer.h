/* Where a model file and its tokenizer meet: GGUF metadata, the files of a folder, or a tokenizer's
 * file by itself. */
#ifndef JL_SESSION_OPEN_TOKENIZER_H
#define JL_SESSION_OPEN_TOKENIZER_H

#include "base/status.h"
#include "format/model_file.h"
#include "text/tokenizer.h"

/* Of an opened model. */
enum jl_status open_tokenizer(struct model_file *file, struct tokenizer **out,
                              struct jl_error *err);

/* Of a path, with or without weights: a GGUF file, a folder, or a tokenizer.json, a rank file or a
 * tokenizer.model. `pre` names the pre-tokenizer where the file does not (rank files); NULL when
 * nobody said. */
enum jl_status open_tokenizer_path(const char *path, const char *pre, struct tokenizer **out,
                                   struct jl_error *err);

/* Whether a model has files or keys of a tokenizer at all, readable or not. */
bool open_tokenizer_exists(struct model_file *file);

/* What a GGUF file's tokenizer is made of, of the kinds that have a file in folders; texts point
 * into the file's map. */
struct open_tokenizer_spec {
    bool is_bpe; // bpe, else spm
    struct spm_spec spm;
    struct bpe_spec bpe;
    struct token_entry *tokens; // heap
    struct bpe_merge_text *merges;
};
enum jl_status open_tokenizer_spec(struct model_file *file, struct open_tokenizer_spec *out,
                                   struct jl_error *err);
void open_tokenizer_spec_free(struct open_tokenizer_spec *spec); // zeroed is fine

/* The parts of the two. */
enum jl_status open_tokenizer_gguf(struct model_file *file, const char *pre, struct tokenizer **out,
                                   struct jl_error *err);
bool open_tokenizer_in_folder(const char *folder);
enum jl_status open_tokenizer_folder(const char *folder, const char *pre, struct tokenizer **out,
                                     struct jl_error *err);
/* A tokenizer.json, rank file or tokenizer.model, told apart by their bytes. */
enum jl_status open_tokenizer_file(const char *path, const char *pre, struct tokenizer **out,
                                   struct jl_error *err);

#endif
