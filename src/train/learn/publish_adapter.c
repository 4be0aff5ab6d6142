/* Adapters that were learned, as files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/adapter.h"
#include "session/export_folder.h"
#include "train/learn/publish.h"

struct adapter_call {
    const struct learner *learner;
    const char *base;
    struct backend *backend;
    const struct adapter *adapter;
};

static enum jl_status write_adapter(void *ctx, const char *path, struct jl_error *err) {
    const struct adapter_call *call = ctx;
    const struct model *model = learner_model(call->learner);
    const struct class_request cls = publish_class(model);
    const struct adapter_path use = {path, 1.0f};
    struct model *again;
    JL_TRY(adapter_write_folder(model->base, call->adapter, path, err));
    JL_TRY(adapter_model_load(call->base, &cls, &use, 1, &again, err));
    enum jl_status status = publish_compare(model, again, call->backend, err);
    model_free(again);
    return status;
}

enum jl_status publish_adapter(const struct learner *learner, const char *base,
                               struct backend *backend, const char *path, struct jl_error *err) {
    struct adapter *adapter;
    char file[4096];
    JL_TRY(adapter_of_model(learner_model(learner), 0, &adapter, err));
    struct adapter_call call = {learner, base, backend, adapter};
    enum jl_status status = publish_into(path, write_adapter, &call, err);
    snprintf(file, sizeof file, "%s.gguf", path);
    if (status == JL_OK)
        status = adapter_write_gguf(learner_model(learner)->base, adapter, file, err);
    adapter_free(adapter);
    return status;
}

struct merged_call {
    struct model *model;
    struct pool *pool;
};

static enum jl_status write_merged(void *ctx, const char *path, struct jl_error *err) {
    const struct merged_call *call = ctx;
    const struct export_folder_options options = {0};
    return export_folder_write(call->model, &options, path, call->pool, err);
}

enum jl_status publish_merged(const struct learner *learner, const char *base, enum dtype dtype,
                              struct pool *pool, const char *path, struct jl_error *err) {
    struct adapter *adapter;
    struct merged_call call = {NULL, pool};
    JL_TRY(adapter_of_model(learner_model(learner), 0, &adapter, err));
    const struct adapter_use use = {adapter, 1.0f};
    enum jl_status status = model_load_owned(base, NULL, dtype, &call.model, err);
    if (status == JL_OK) status = adapter_merge(call.model, &use, 1, err);
    if (status == JL_OK) status = publish_into(path, write_merged, &call, err);
    model_free(call.model);
    adapter_free(adapter);
    return status;
}
