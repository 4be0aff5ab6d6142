#include "model/model.h"

#include <stdlib.h>

#include "model/own.h"

/* act bf16 is the default when some matrix is BF16 or FP8. */
static bool has_bf16_matrix(const struct model *model) {
    for (int layer = 0; layer <= hparams_n_block(&model->hp); layer++)
        for (int role = ROLE_NONE + 1; role < ROLE_COUNT; role++) {
            const struct weight *w = &model->weights[(size_t)layer * ROLE_COUNT + (size_t)role];
            bool wants_bf16 = w->dtype == DTYPE_BF16 || w->dtype == DTYPE_F8_E4M3;
            if (w->data && wants_bf16 && w->n_out > 1) return true;
        }
    return false;
}

bool model_weight_shared(const struct model *model, const struct weight *w) {
    return w->id != (int)(w - model->weights);
}

static size_t weight_bytes(const struct weight *w) {
    return w->stride * (size_t)w->n_out * (size_t)(w->n_expert ? w->n_expert : 1);
}

size_t model_weight_bytes(const struct model *model) {
    size_t bytes = 0;
    for (int layer = 0; layer <= hparams_n_block(&model->hp); layer++)
        for (int role = ROLE_NONE + 1; role < ROLE_COUNT; role++) {
            const struct weight *w = &model->weights[(size_t)layer * ROLE_COUNT + (size_t)role];
            if (w->data && !model_weight_shared(model, w)) bytes += weight_bytes(w);
        }
    for (int i = 0; i < model->n_adapter; i++)
        bytes += weight_bytes(&model->adapters[i].a) + weight_bytes(&model->adapters[i].b);
    return bytes;
}

/* dtype: of owned matrices; DTYPE_COUNT: weights stay in the file. */
static enum jl_status load(const char *path, const struct class_request *request, enum dtype dtype,
                           struct model **out, struct jl_error *err) {
    static const struct class_request none;
    enum jl_status status;
    struct model *model = calloc(1, sizeof *model);
    *out = NULL;
    if (!model) return jl_fail(err, JL_ERR_MEMORY, "out of memory opening %s", path);
    status = model_file_open(path, &model->file, err);
    if (status == JL_OK) status = model_choose_family(model, err);
    if (status == JL_OK) status = hparams_read(model->file, model->family, &model->hp, err);
    if (status == JL_OK) status = model_bind(model, err);
    if (status == JL_OK && dtype != DTYPE_COUNT) status = model_own(model, dtype, err);
    if (status == JL_OK)
        status = class_resolve(request ? request : &none, has_bf16_matrix(model), &model->cls, err);
    if (status == JL_OK) status = model_plan(model, err);
    if (status != JL_OK) {
        model_free(model);
        return status;
    }
    *out = model;
    return JL_OK;
}

enum jl_status model_load(const char *path, const struct class_request *request, struct model **out,
                          struct jl_error *err) {
    return load(path, request, DTYPE_COUNT, out, err);
}

enum jl_status model_load_owned(const char *path, const struct class_request *request,
                                enum dtype dtype, struct model **out, struct jl_error *err) {
    return load(path, request, dtype, out, err);
}

void model_free(struct model *model) {
    if (!model) return;
    if (!model->base) model_file_free(model->file);
    model_free(model->own_base);
    arena_free(&model->arena);
    free(model);
}
