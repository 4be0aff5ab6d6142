/* An opened model: named, typed, bounds-checked tensors over read-only maps, and metadata.
 *
 * model_file_open takes a GGUF file (v2 or v3, the first of a split set opens all) or a Hugging
 * Face folder (config.json, generation_config.json, model.safetensors or an index with shards).
 * All bytes are hostile until checked here: every offset, count, size, type and string. Tensor
 * data is never copied. */
#ifndef JL_FORMAT_MODEL_FILE_H
#define JL_FORMAT_MODEL_FILE_H

#include "base/arena.h"
#include "base/file.h"
#include "base/status.h"
#include "format/meta.h"
#include "tensor/dtype.h"

#define TENSOR_MAX_DIM 4

struct tensor_info {
    const char *name;
    enum dtype dtype;
    int n_dim;                   // 1..4 (a scalar is one dimension of 1)
    int64_t dim[TENSOR_MAX_DIM]; // outermost first; dim[n_dim-1] is contiguous
    const uint8_t *data;         // into a map; unaligned in Hugging Face files
    size_t bytes;                // exactly what dtype and dims need
    const char *file;            // for messages
};

enum model_file_kind { MODEL_FILE_GGUF, MODEL_FILE_HF };

struct model_file {
    enum model_file_kind kind;
    char *path;              // as given
    struct meta *meta;       // root object: GGUF key/values, or config.json
    struct meta *generation; // generation_config.json, NULL when absent
    struct tensor_info *tensors;
    size_t n_tensor; // sorted by name
    struct file_map *maps;
    size_t n_map;
    struct arena arena; // owns names, metadata, tables
};

enum jl_status model_file_open(const char *path, struct model_file **out, struct jl_error *err);
void model_file_free(struct model_file *file); // NULL is fine
const struct tensor_info *model_file_find(const struct model_file *file, const char *name);
/* The same in a list that is sorted by name. */
const struct tensor_info *model_file_find_in(const struct tensor_info *tensors, size_t n,
                                             const char *name);
size_t model_file_bytes(const struct model_file *file); // of all maps

#endif
