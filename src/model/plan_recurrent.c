/* Recurrent layers: where the state of each stands in a sequence's buffer. State is f32 whatever
 * the class, and a matrix begins at a cache line. */
#include <math.h>

#include "model/model.h"
#include "tensor/recur.h"

/* Of the makers' code: added to the sum of squares of a head of q or k. */
#define L2_EPS 1e-6f

static bool place(size_t *at, size_t n, size_t floats, size_t *out) {
    size_t bytes;
    *out = *at;
    return size_mul(n, floats, &bytes) && size_mul(bytes, sizeof(float), &bytes) &&
           size_add(*at, bytes, at) && size_add(*at, 63, at) && ((*at &= ~(size_t)63), true);
}

enum jl_status plan_recurrent(struct model *model, struct jl_error *err) {
    const struct hparams *hp = &model->hp;
    size_t at = 0;
    for (int i = 0; i < hp->n_layer; i++) {
        if (!layer_set_has(&hp->recurrent, i)) continue;
        if (!model->delta)
            model->delta = arena_calloc(&model->arena, (size_t)hp->n_layer, sizeof *model->delta);
        if (!model->delta)
            return jl_fail(err, JL_ERR_MEMORY, "out of memory planning recurrent state");
        struct delta_spec *spec = &model->delta[i];
        *spec = (struct delta_spec){
            .n_head_k = hp->delta_head_k,
            .n_head_v = hp->delta_head_v,
            .d_k = hp->delta_dim_k,
            .d_v = hp->delta_dim_v,
            .n_tap = hp->delta_tap,
            .q_scale = (float)(1 / sqrt((double)hp->delta_dim_k)),
            .norm_eps = L2_EPS,
        };
        if (!place(&at, (size_t)hp->delta_tap - 1, (size_t)hparams_dim(hp, DIM_DELTA_QKV),
                   &spec->conv_at) ||
            !place(&at, (size_t)spec->n_head_v, delta_state_floats(spec->d_k, spec->d_v),
                   &spec->matrix_at))
            return jl_fail(err, JL_ERR_LIMIT, "%s: the recurrent state overflows",
                           model->file->path);
    }
    model->recurrent_bytes = at;
    return JL_OK;
}
