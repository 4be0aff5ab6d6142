/* A model with adapters: a plan of its own over the file and the weights of its base. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/report.h"
#include "model/adapter_self.h"
#include "model/own.h"

/* ---- binding ---- */

static int32_t n_pairs(const struct adapter_use *uses, int n) {
    int64_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += uses[i].adapter->n;
    return sum < 1 << 24 ? (int32_t)sum : -1;
}

static enum jl_status no_memory(const struct model *model, struct jl_error *err) {
    return adapter_no_memory(model->file->path, err);
}

static const char *name_of(struct model *model, const struct adapter_slot *slot, char half) {
    char role[BIND_NAME], name[BIND_NAME + 32], number[16] = "";
    bind_put_name(role, role_row(slot->role)->gguf, slot->layer, 0);
    if (slot->use) snprintf(number, sizeof number, "%d", slot->use + 1);
    snprintf(name, sizeof name, "%s.lora_%c%s", role, half, number);
    return arena_strdup(&model->arena, name);
}

/* n numbers: the matrix, or the experts' one after the other. */
static bool put_matrix(struct model *model, struct weight *w, const float *from, size_t n,
                       float factor) {
    float *to = arena_calloc(&model->arena, n, sizeof *to);
    w->dtype = DTYPE_F32;
    w->stride = (size_t)w->n_in * sizeof *to;
    w->data = (const uint8_t *)to;
    if (!to) return false;
    adapter_scale(from, factor, n, to);
    if (!w->n_expert) return true;
    const uint8_t **experts = arena_calloc(&model->arena, (size_t)w->n_expert, sizeof *experts);
    for (int e = 0; experts && e < w->n_expert; e++)
        experts[e] = w->data + (size_t)e * (size_t)w->n_out * w->stride;
    w->experts = experts;
    return experts != NULL;
}

/* A without its factor, which is what moves. */
static bool keep_master(struct model *model, struct adapter_slot *slot,
                        const struct adapter_pair *pair, float factor) {
    slot->alpha = pair->alpha;
    slot->factor = factor;
    if (factor == 1.0f) return true; // A itself
    slot->master = arena_calloc(&model->arena, adapter_n_a(pair), sizeof *slot->master);
    if (slot->master) memcpy(slot->master, pair->a, adapter_n_a(pair) * sizeof *slot->master);
    return slot->master != NULL;
}

struct binding {
    const struct adapter_use *uses;
    int n;
    bool learn;
};

static enum jl_status bind_pair(struct model *model, const struct binding *binding, int number,
                                const struct adapter_pair *pair, struct jl_error *err) {
    const struct adapter_use *use = &binding->uses[number];
    struct adapter_slot *slot = &model->adapters[model->n_adapter];
    const char *why;
    bool lookup = adapter_is_lookup(pair->role);
    float factor = adapter_factor_at(pair, use->scale);
    if (!adapter_fits(model, pair) || !adapter_can(model, pair->role, pair->layer, &why))
        return report_fail(err, JL_ERR_USAGE, model->file->path,
                           "adapter %s was opened for another base",
                           report_quote_str(use->adapter->name).text);
    *slot = (struct adapter_slot){.role = pair->role, .layer = pair->layer, .use = number};
    slot->alpha = pair->rank;
    slot->factor = 1.0f;
    int id = (hparams_n_block(&model->hp) + 1) * ROLE_COUNT + 2 * model->n_adapter;
    slot->a = (struct weight){.name = name_of(model, slot, 'a'),
                              .id = id,
                              .n_out = lookup ? pair->n_in : pair->rank,
                              .n_in = lookup ? pair->rank : pair->n_in,
                              .n_expert = pair->n_expert};
    slot->b = (struct weight){.name = name_of(model, slot, 'b'),
                              .id = id + 1,
                              .n_out = pair->n_out,
                              .n_in = pair->rank,
                              .n_expert = pair->n_expert};
    if (!slot->a.name || !slot->b.name ||
        !put_matrix(model, &slot->a, pair->a, adapter_n_a(pair), factor) ||
        !put_matrix(model, &slot->b, pair->b, adapter_n_b(pair), 1.0f) ||
        (binding->learn && !keep_master(model, slot, pair, factor)))
        return no_memory(model, err);
    model->n_adapter++;
    return JL_OK;
}

static enum jl_status check_scale(const struct adapter_use *use, struct jl_error *err) {
    if (isfinite(use->scale)) return JL_OK;
    return jl_fail(err, JL_ERR_USAGE, "adapter %s: its scale is not a finite number",
                   report_quote_str(use->adapter->name).text);
}

static enum jl_status fill(struct model *model, const struct binding *binding,
                           struct jl_error *err) {
    const struct adapter_use *uses = binding->uses;
    int pairs = n_pairs(uses, binding->n);
    if (pairs < 0) return jl_fail(err, JL_ERR_LIMIT, "too many adapters");
    model->adapters = arena_calloc(&model->arena, (size_t)pairs + 1, sizeof *model->adapters);
    if (!model->adapters) return no_memory(model, err);
    for (int i = 0; i < binding->n; i++) {
        JL_TRY(check_scale(&uses[i], err));
        for (int k = 0; k < uses[i].adapter->n; k++)
            JL_TRY(bind_pair(model, binding, i, &uses[i].adapter->pairs[k], err));
    }
    return model_plan(model, err);
}

static enum jl_status stand_on(const struct model *base, const struct binding *binding,
                               struct model **out, struct jl_error *err) {
    *out = NULL;
    if (base->base)
        return jl_fail(err, JL_ERR_USAGE, "%s: a model with adapters is no base for further ones",
                       base->file->path);
    struct model *model = calloc(1, sizeof *model);
    if (!model) return no_memory(base, err);
    *model = (struct model){.file = base->file,
                            .family = base->family,
                            .hp = base->hp,
                            .cls = base->cls,
                            .weights = base->weights,
                            .ignored = base->ignored,
                            .n_ignored = base->n_ignored,
                            .tied = base->tied,
                            .base = base};
    enum jl_status status = fill(model, binding, err);
    if (status != JL_OK) {
        model_free(model);
        return status;
    }
    *out = model;
    return JL_OK;
}

enum jl_status adapter_model(const struct model *base, const struct adapter_use *uses, int n,
                             struct model **out, struct jl_error *err) {
    return stand_on(base, &(struct binding){uses, n, false}, out, err);
}

/* ---- opening ---- */

/* The model keeps its base; on failure the base is gone, too. */
static enum jl_status finish(struct model *base, const struct binding *binding, struct model **out,
                             struct jl_error *err) {
    enum jl_status status = stand_on(base, binding, out, err);
    if (status == JL_OK)
        (*out)->own_base = base;
    else
        model_free(base);
    return status;
}

enum jl_status adapter_model_load(const char *path, const struct class_request *request,
                                  const struct adapter_path *adapters, int n, struct model **out,
                                  struct jl_error *err) {
    struct model *base;
    *out = NULL;
    JL_TRY(model_load(path, request, &base, err));
    if (n == 0) {
        *out = base;
        return JL_OK;
    }
    struct adapter **opened = calloc((size_t)n, sizeof *opened);
    struct adapter_use *uses = calloc((size_t)n, sizeof *uses);
    enum jl_status status = opened && uses ? JL_OK : no_memory(base, err);
    for (int i = 0; i < n && status == JL_OK; i++) {
        status = adapter_open(base, adapters[i].path, &opened[i], err);
        uses[i] = (struct adapter_use){opened[i], adapters[i].scale};
    }
    if (status == JL_OK)
        status = finish(base, &(struct binding){uses, n, false}, out, err);
    else
        model_free(base);
    for (int i = 0; opened && i < n; i++)
        adapter_free(opened[i]);
    free(opened);
    free(uses);
    return status;
}

enum jl_status adapter_model_learn(const char *path, const struct class_request *request,
                                   const struct adapter_request *fresh, struct model **out,
                                   struct jl_error *err) {
    struct model *base;
    struct adapter *adapter;
    *out = NULL;
    JL_TRY(model_load(path, request, &base, err));
    enum jl_status status = adapter_fresh(base, fresh, &adapter, err);
    if (status != JL_OK) {
        model_free(base);
        return status;
    }
    const struct adapter_use use = {adapter, 1.0f};
    status = finish(base, &(struct binding){&use, 1, true}, out, err);
    adapter_free(adapter);
    return status;
}

/* ---- back ---- */

static const float *floats(const struct weight *w) { return (const float *)(const void *)w->data; }

enum jl_status adapter_of_model(const struct model *model, int use, struct adapter **out,
                                struct jl_error *err) {
    struct adapter *adapter = adapter_new("adapter", model->n_adapter);
    *out = NULL;
    if (!adapter) return no_memory(model, err);
    for (int i = 0; i < model->n_adapter; i++) {
        const struct adapter_slot *slot = &model->adapters[i];
        struct adapter_pair *pair = &adapter->pairs[adapter->n];
        bool lookup = adapter_is_lookup(slot->role);
        if (slot->use != use) continue;
        *pair = (struct adapter_pair){.role = slot->role,
                                      .layer = slot->layer,
                                      .n_expert = slot->a.n_expert,
                                      .rank = slot->b.n_in,
                                      .n_in = lookup ? slot->a.n_out : slot->a.n_in,
                                      .n_out = slot->b.n_out,
                                      .alpha = slot->alpha};
        if (!adapter_room(adapter, pair)) {
            adapter_free(adapter);
            return no_memory(model, err);
        }
        memcpy(pair->a, slot->master ? slot->master : floats(&slot->a),
               adapter_n_a(pair) * sizeof *pair->a);
        memcpy(pair->b, floats(&slot->b), adapter_n_b(pair) * sizeof *pair->b);
        adapter->n++;
    }
    *out = adapter;
    return JL_OK;
}
