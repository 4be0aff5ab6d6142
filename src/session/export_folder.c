#include "session/export_folder.h"

#include <stdlib.h>
#include <string.h>

#include "base/file_folder.h"
#include "format/report.h"
#include "session/folder_files.h"
#include "session/folder_tokenizer.h"
#include "session/open_tokenizer.h"
#include "tensor/quant.h"

/* ---- weights ---- */

struct row_source {
    const struct export_tensor *t;
    enum dtype dtype; // in the file
    size_t row_bytes;
};

static void fill_row(void *ctx, int64_t row, uint8_t *out, float *scratch) {
    const struct row_source *source = ctx;
    const struct export_tensor *t = source->t;
    if (source->dtype == t->dtype) {
        memcpy(out, export_row(t, row), source->row_bytes);
        return;
    }
    export_values(t, row, scratch);
    dtype_quantize_plain(source->dtype, scratch, out, t->dim[t->n_dim - 1]);
}

static enum jl_status write_tensors(const struct model *model,
                                    const struct export_folder_options *options,
                                    const struct export_list *list, const char *folder,
                                    struct pool *pool, struct jl_error *err) {
    struct folder_tensor *tensors = calloc(list->n, sizeof *tensors);
    struct row_source *sources = calloc(list->n, sizeof *sources);
    enum jl_status status = JL_OK;
    if (!tensors || !sources)
        status = report_no_memory(err, model->file->path, "the list of tensors");
    for (size_t i = 0; i < list->n && status == JL_OK; i++) {
        const struct export_tensor *t = &list->items[i];
        enum dtype dtype = export_hf_dtype(&options->tensors, t);
        sources[i] = (struct row_source){.t = t, .dtype = dtype};
        if (!dtype_row_bytes(dtype, t->dim[t->n_dim - 1], &sources[i].row_bytes))
            status = jl_fail(err, JL_ERR_LIMIT, "a row of tensor '%s' overflows", t->name);
        tensors[i] = (struct folder_tensor){.name = t->name,
                                            .dtype = dtype,
                                            .n_dim = t->n_dim,
                                            .dim = t->dim,
                                            .fill = fill_row,
                                            .ctx = &sources[i],
                                            .check = dtype != t->dtype};
    }
    if (status == JL_OK)
        status = folder_tensors_write(tensors, list->n, folder, options->shard_bytes, pool,
                                      &options->progress, err);
    free(tensors);
    free(sources);
    return status;
}

/* ---- the tokenizer ---- */

static enum jl_status write_tokenizer(const struct model *model,
                                      const struct export_folder_options *options,
                                      const char *folder, json_t *config, struct jl_error *err) {
    struct model_file *file = model->file;
    if (options->no_tokenizer) return JL_OK;
    if (file->kind == MODEL_FILE_HF) return folder_files_copy(file->path, folder, true, err);
    return open_tokenizer_exists(file) ? folder_tokenizer_write(file, folder, config, err) : JL_OK;
}

/* ---- all ---- */

static enum jl_status write_files(const struct model *model,
                                  const struct export_folder_options *options,
                                  const struct export_list *list, const char *folder,
                                  struct pool *pool, struct jl_error *err) {
    json_t *config;
    JL_TRY(export_hf_config(model, &options->tensors, list, &config, err));
    enum jl_status status = write_tokenizer(model, options, folder, config, err);
    if (status == JL_OK) status = folder_files_json(folder, "config.json", config, err);
    json_decref(config);
    if (status == JL_OK) status = write_tensors(model, options, list, folder, pool, err);
    return status;
}

enum jl_status export_folder_write(const struct model *model,
                                   const struct export_folder_options *options, const char *path,
                                   struct pool *pool, struct jl_error *err) {
    struct arena arena = {0};
    struct export_list list;
    struct file_folder folder = {0};
    enum jl_status status = export_hf_tensors(model, &options->tensors, &arena, &list, err);
    if (status == JL_OK) status = file_folder_open(path, &folder, err);
    if (status == JL_OK) status = write_files(model, options, &list, folder.tmp_path, pool, err);
    if (status == JL_OK) status = file_folder_commit(&folder, err);
    file_folder_abort(&folder);
    arena_free(&arena);
    return status;
}
