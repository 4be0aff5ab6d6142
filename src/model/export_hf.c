#include "model/export_hf.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "format/config.h"
#include "format/json_text.h"
#include "format/report.h"
#include "model/export_bound.h"
#include "model/export_said.h"

/* ---- tensors ---- */

enum dtype export_hf_dtype(const struct export_hf_options *options, const struct export_tensor *t) {
    return options->convert && !t->widened ? options->dtype : t->dtype;
}

static enum jl_status check_type(const struct model *model, const struct export_tensor *t,
                                 enum dtype dtype, struct jl_error *err) {
    if (dtype_row(dtype)->safetensors) return JL_OK;
    return report_fail(err, JL_ERR_USAGE, model->file->path,
                       "tensor '%s' is %s, which a folder cannot hold; ask for BF16, F16 or F32",
                       t->name, dtype_name(dtype));
}

/* Large elements first, so that none lies across its own size; else in the order of the list. */
static bool sort_tensors(const struct export_hf_options *options, struct export_list *list,
                         struct arena *arena) {
    struct export_tensor *sorted = arena_calloc(arena, list->n, sizeof *sorted);
    size_t n = 0;
    if (!sorted) return false;
    for (int bytes = 4; bytes >= 1; bytes /= 2)
        for (size_t i = 0; i < list->n; i++)
            if (dtype_row(export_hf_dtype(options, &list->items[i]))->bytes == bytes)
                sorted[n++] = list->items[i];
    list->items = sorted;
    return true;
}

enum jl_status export_hf_tensors(const struct model *model, const struct export_hf_options *options,
                                 struct arena *arena, struct export_list *out,
                                 struct jl_error *err) {
    struct export_bound bound = {.model = model,
                                 .kind = MODEL_FILE_HF,
                                 .stored = options->stored,
                                 .ctx = options->ctx,
                                 .convert = options->convert,
                                 .arena = arena,
                                 .out = out,
                                 .err = err};
    if (options->convert && !export_hf_dtype_name(options->dtype))
        return jl_fail(err, JL_ERR_USAGE, "a folder's matrices are F32, BF16 or F16, not %s",
                       dtype_name(options->dtype));
    JL_TRY(export_bound(&bound));
    for (size_t i = 0; i < out->n; i++)
        JL_TRY(check_type(model, &out->items[i], export_hf_dtype(options, &out->items[i]), err));
    if (sort_tensors(options, out, arena)) return JL_OK;
    return report_no_memory(err, model->file->path, "the list of tensors");
}

/* ---- config.json ---- */

const char *export_hf_dtype_name(enum dtype dtype) {
    switch (dtype) {
    case DTYPE_F32: return "float32";
    case DTYPE_BF16: return "bfloat16";
    case DTYPE_F16: return "float16";
    default: return NULL;
    }
}

/* The type of the embeddings stands for that of the model: FP8 is never theirs. */
static const char *type_of(const struct model *model, const struct export_hf_options *options) {
    if (options->convert) return export_hf_dtype_name(options->dtype);
    return export_hf_dtype_name(model_weight(model, ROLE_TOK_EMBD, -1)->dtype);
}

static bool is_f8(const struct export_hf_options *options, const struct export_list *list) {
    for (size_t i = 0; i < list->n; i++)
        if (export_hf_dtype(options, &list->items[i]) == DTYPE_F8_E4M3) return true;
    return false;
}

static enum jl_status read_config(const struct model *model, json_t **out, struct jl_error *err) {
    char *text = NULL, *path = file_path_in(model->file->path, "config.json");
    size_t size;
    if (!path) return report_no_memory(err, model->file->path, "its configuration");
    enum jl_status status = file_read_regular(path, CONFIG_MAX_BYTES, &text, &size, err);
    if (status == JL_OK) status = json_text_parse(text, size, path, out, err);
    free(text);
    free(path);
    return status;
}

/* Configurations of newer programs call it "dtype". */
static bool set_type(json_t *config, const char *type) {
    bool newer = json_object_get(config, "dtype") && !json_object_get(config, "torch_dtype");
    return !type ||
           json_object_set_new(config, newer ? "dtype" : "torch_dtype", json_string(type)) == 0;
}

static enum jl_status edit_config(const struct model *model,
                                  const struct export_hf_options *options,
                                  const struct export_list *list, json_t *config,
                                  struct jl_error *err) {
    if (!is_f8(options, list)) json_object_del(config, "quantization_config");
    if (set_type(config, type_of(model, options))) return JL_OK;
    return report_no_memory(err, model->file->path, "its configuration");
}

enum jl_status export_hf_config(const struct model *model, const struct export_hf_options *options,
                                const struct export_list *list, json_t **out,
                                struct jl_error *err) {
    struct hparams said;
    enum jl_status status;
    *out = NULL;
    if (model->file->kind == MODEL_FILE_HF) {
        status = read_config(model, out, err);
    } else {
        JL_TRY(export_said(model, &said, err));
        status = export_hf_hparams(model->family, &said, model->file->path, out, err);
    }
    if (status == JL_OK) status = edit_config(model, options, list, *out, err);
    if (status == JL_OK) return JL_OK;
    json_decref(*out);
    *out = NULL;
    return status;
}
