#include "format/model_file.h"

#include <stdlib.h>
#include <string.h>

#include "format/gguf.h"
#include "format/hf.h"
#include "format/report.h"

static bool has_suffix(const char *path, const char *suffix) {
    size_t len = strlen(path), tail = strlen(suffix);
    return len >= tail && strcmp(path + len - tail, suffix) == 0;
}

static enum jl_status load(struct model_file *file, struct jl_error *err) {
    if (file_is_dir(file->path)) {
        file->kind = MODEL_FILE_HF;
        return hf_load(file, err);
    }
    if (has_suffix(file->path, ".safetensors") || has_suffix(file->path, ".json")) {
        if (file_exists(file->path)) {
            return report_fail(err, JL_ERR_USAGE, file->path,
                               "is one file of a model folder; pass the folder that holds it");
        }
    }
    file->kind = MODEL_FILE_GGUF;
    return gguf_load(file, err);
}

enum jl_status model_file_open(const char *path, struct model_file **out, struct jl_error *err) {
    *out = NULL;
    struct model_file *file = calloc(1, sizeof *file);
    if (!file) return report_no_memory(err, path, "the model");
    file->path = arena_strdup(&file->arena, path);
    enum jl_status status = file->path ? load(file, err) : report_no_memory(err, path, "the model");
    if (status != JL_OK) {
        model_file_free(file);
        return status;
    }
    *out = file;
    return JL_OK;
}

void model_file_free(struct model_file *file) {
    if (!file) return;
    for (size_t i = 0; i < file->n_map; i++)
        file_map_close(&file->maps[i]);
    arena_free(&file->arena);
    free(file);
}

const struct tensor_info *model_file_find(const struct model_file *file, const char *name) {
    return model_file_find_in(file->tensors, file->n_tensor, name);
}

const struct tensor_info *model_file_find_in(const struct tensor_info *tensors, size_t n,
                                             const char *name) {
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(name, tensors[mid].name);
        if (order == 0) return &tensors[mid];
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

size_t model_file_bytes(const struct model_file *file) {
    size_t bytes = 0;
    for (size_t i = 0; i < file->n_map; i++)
        bytes += file->maps[i].size;
    return bytes;
}
