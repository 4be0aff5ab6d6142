#include "cli/adapters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "model/own.h"

static enum jl_status parse_one(const char *text, struct adapter_path *out, char **path,
                                struct jl_error *err) {
    *path = strdup(text);
    if (!*path) return jl_fail(err, JL_ERR_MEMORY, "out of memory for --adapter");
    *out = (struct adapter_path){*path, 1.0f};
    char *at = strrchr(*path, '@'), *end;
    if (!at || file_exists(text)) return JL_OK;
    out->scale = strtof(at + 1, &end);
    if (end == at + 1 || *end || !isfinite(out->scale))
        return jl_fail(err, JL_ERR_USAGE,
                       "--adapter %s: there is no such file, and '%s' is no scale; write "
                       "PATH@SCALE, such as adapter@0.5",
                       text, at + 1);
    *at = 0;
    return JL_OK;
}

enum jl_status adapters_parse(const struct cli_list *list, struct adapters *out,
                              struct jl_error *err) {
    *out = (struct adapters){0};
    for (; out->n < list->n; out->n++) {
        int i = out->n;
        enum jl_status status = parse_one(list->items[i], &out->items[i], &out->paths[i], err);
        if (status == JL_OK) continue;
        free(out->paths[i]);
        adapters_free(out);
        return status;
    }
    return JL_OK;
}

void adapters_free(struct adapters *adapters) {
    for (int i = 0; i < adapters->n; i++)
        free(adapters->paths[i]);
    adapters->n = 0;
}

enum jl_status adapters_load(const char *path, const struct class_request *request,
                             const struct cli_list *list, struct model **out,
                             struct jl_error *err) {
    struct adapters adapters;
    *out = NULL;
    JL_TRY(adapters_parse(list, &adapters, err));
    enum jl_status status = adapter_model_load(path, request, adapters.items, adapters.n, out, err);
    adapters_free(&adapters);
    return status;
}

/* ---- merged ---- */

/* Of the first matrix that an adapter may stand on. */
static enum dtype matrix_type(const struct model *model) {
    const char *why;
    for (int layer = 0; layer < model->hp.n_layer; layer++)
        for (int i = ROLE_NONE + 1; i < ROLE_COUNT; i++) {
            enum role_id role = (enum role_id)i;
            if (role_row(role)->group != GROUP_MATRIX || !model_weight(model, role, layer) ||
                !adapter_can(model, role, layer, &why))
                continue;
            const struct weight *w = model_weight(model, role, layer);
            const struct tensor_info *t = model_file_find(model->file, w->name);
            if (t) return t->dtype;
        }
    return DTYPE_F32;
}

static enum jl_status merge(struct model *model, const struct adapters *adapters,
                            struct jl_error *err) {
    struct adapter *opened[CLI_LIST_MAX];
    struct adapter_use uses[CLI_LIST_MAX];
    enum jl_status status = JL_OK;
    int n = 0;
    while (n < adapters->n && status == JL_OK) {
        status = adapter_open(model, adapters->items[n].path, &opened[n], err);
        if (status == JL_OK) {
            uses[n] = (struct adapter_use){opened[n], adapters->items[n].scale};
            n++;
        }
    }
    if (status == JL_OK) status = adapter_merge(model, uses, n, err);
    while (n > 0)
        adapter_free(opened[--n]);
    return status;
}

enum jl_status adapters_load_merged(const char *path, const struct cli_list *list,
                                    struct model **out, enum dtype *dtype, struct jl_error *err) {
    struct adapters adapters;
    *out = NULL;
    JL_TRY(adapters_parse(list, &adapters, err));
    enum jl_status status = model_load_owned(path, NULL, DTYPE_F32, out, err);
    if (status == JL_OK) {
        *dtype = matrix_type(*out);
        status = merge(*out, &adapters, err);
    }
    adapters_free(&adapters);
    if (status == JL_OK) return JL_OK;
    model_free(*out);
    *out = NULL;
    return status;
}
