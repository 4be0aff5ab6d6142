/* Where the parts of a projection stand, and in which order the steps after it want them. */
#include "model/model.h"

/* From each of n groups `in_step` wide, `width` elements from in_at on, side by side. */
static struct take_spec part(int n, int width, int in_step, int in_at) {
    return (struct take_spec){
        .n = n, .width = width, .in_step = in_step, .in_at = in_at, .out_step = width};
}

void plan_take(const struct hparams *hp, enum take_id id, struct step *step) {
    int heads = hp->n_head, d = hp->head_dim_k;
    // A recurrent layer's projections go key head by key head, with the values that share it.
    int keys = hp->delta_head_k, d_k = hp->delta_dim_k;
    int group = keys ? hp->delta_head_v / keys : 0, values = group * hp->delta_dim_v;
    int all = 2 * d_k + 2 * values;
    switch (id) {
    case TAKE_NOPE: step->take = part(heads, d - hp->n_rot, d, 0); break;
    case TAKE_QUERY: step->take = part(heads, d, 2 * d, 0); break;
    case TAKE_GATE: step->take = part(heads, d, 2 * d, d); break;
    case TAKE_QKV:
        step->take = part(keys, d_k, all, 0);
        step->more[0] = part(keys, d_k, all, d_k);
        step->more[1] = part(keys, values, all, 2 * d_k);
        break;
    case TAKE_Z: step->take = part(keys, values, all, 2 * d_k + values); break;
    case TAKE_BETA: step->take = part(keys, group, 2 * group, 0); break;
    case TAKE_ALPHA: step->take = part(keys, group, 2 * group, group); break;
    case TAKE_NONE: break;
    }
    step->out_width = step->take.n * step->take.width;
    for (int i = 0; i < TAKE_MORE; i++) {
        step->more[i].out_at = step->out_width;
        step->out_width += step->more[i].n * step->more[i].width;
    }
    if (id == TAKE_NOPE) { // a vector each
        step->out_slots = step->take.n;
        step->out_width = step->take.width;
    }
}
