/* Transposed copies of weights: dX = dY W is a linear step by the transposed matrix. */
#include <stdlib.h>

#include "backend/cpu/tape.h"
#include "base/arena.h"

struct turned_weight {
    struct weight w;
    uint8_t *data; // n_expert matrices, or one; NULL: none
    size_t stride, matrix_bytes;
};

struct backend_turned {
    struct backend *backend;
    struct turned_weight *weights; // (n_weight), by id
    int n_weight;
};

static bool can_turn(const struct step *step) {
    return (step->op == OP_LINEAR || step->op == OP_LINEAR_ADD || step->op == OP_EXPERTS) &&
           (step->w.dtype == DTYPE_F32 || step->w.dtype == DTYPE_BF16);
}

static int matrices(const struct weight *w) { return w->n_expert ? w->n_expert : 1; }

static enum jl_status add(struct backend_turned *turned, const struct step *step,
                          struct jl_error *err) {
    struct turned_weight *t = &turned->weights[step->w.id];
    size_t element = step->w.dtype == DTYPE_F32 ? 4 : 2, bytes;
    if (t->data) return JL_OK;
    t->w = step->w;
    t->stride = ((size_t)step->w.n_out * element + 63) / 64 * 64;
    if (!size_mul(t->stride, (size_t)step->w.n_in, &t->matrix_bytes) ||
        !size_mul(t->matrix_bytes, (size_t)matrices(&t->w), &bytes))
        return jl_fail(err, JL_ERR_LIMIT, "the transposed copy of '%s' overflows", step->w.name);
    t->data = cpu_alloc_zeroed(bytes);
    if (t->data) return JL_OK;
    return jl_fail(err, JL_ERR_MEMORY, "out of memory: the transposed copy of '%s' needs %zu bytes",
                   step->w.name, bytes);
}

enum jl_status backend_turned_create(struct backend *backend, const struct step_list *const *plans,
                                     int n_plan, int n_weight, const struct weight_grad *grads,
                                     struct backend_turned **out, struct jl_error *err) {
    struct backend_turned *turned = calloc(1, sizeof *turned);
    enum jl_status status = JL_OK;
    *out = NULL;
    if (turned) turned->weights = calloc((size_t)n_weight, sizeof *turned->weights);
    if (!turned || !turned->weights) {
        free(turned);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for transposed weights");
    }
    turned->backend = backend;
    turned->n_weight = n_weight;
    for (int p = 0; p < n_plan; p++)
        for (int i = 0; i < plans[p]->n_step && status == JL_OK; i++) {
            const struct step *step = &plans[p]->steps[i];
            if (can_turn(step) && grads[step->w.id].data) status = add(turned, step, err);
        }
    if (status != JL_OK) {
        backend_turned_free(turned);
        return status;
    }
    backend_turned_refresh(turned);
    *out = turned;
    return JL_OK;
}

void backend_turned_free(struct backend_turned *turned) {
    if (!turned) return;
    for (int i = 0; i < turned->n_weight; i++)
        free(turned->weights[i].data);
    free(turned->weights);
    free(turned);
}

size_t backend_turned_bytes(const struct backend_turned *turned) {
    size_t bytes = 0;
    for (int i = 0; i < turned->n_weight; i++)
        if (turned->weights[i].data)
            bytes += turned->weights[i].matrix_bytes * (size_t)matrices(&turned->weights[i].w);
    return bytes;
}

void backend_turned_refresh(struct backend_turned *turned) {
    for (int i = 0; i < turned->n_weight; i++) {
        const struct turned_weight *t = &turned->weights[i];
        enum xfmt form = t->w.dtype == DTYPE_F32 ? XFMT_F32 : XFMT_BF16;
        size_t element = form == XFMT_F32 ? 4 : 2;
        for (int m = 0; t->data && m < matrices(&t->w); m++) {
            const struct transpose_args args = {
                .x = t->w.experts ? t->w.experts[m] : t->w.data,
                .y = t->data + (size_t)m * t->matrix_bytes,
                .x_stride = t->w.stride / element,
                .y_stride = t->stride / element,
                .rows = t->w.n_out,
                .cols = t->w.n_in,
            };
            cpu_turn(turned->backend, &args, form);
        }
    }
}

struct turned_view cpu_turned(const struct backend_turned *turned, const struct weight *w,
                              int expert) {
    const struct turned_weight *t = turned ? &turned->weights[w->id] : NULL;
    if (!t || !t->data) return (struct turned_view){0};
    return (struct turned_view){t->data + (size_t)(expert < 0 ? 0 : expert) * t->matrix_bytes,
                                t->stride, w->dtype};
}
