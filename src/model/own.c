#include "model/own.h"

#include <string.h>

bool own_can(enum dtype dtype) {
    return dtype == DTYPE_F32 || dtype == DTYPE_F16 || dtype == DTYPE_BF16;
}

/* What binding has widened already: it lies in the model's arena. */
static bool is_widened(enum role_id role) {
    const struct role_row *row = role_row(role);
    return row->rows == DIM_ONE || row->group == GROUP_ROUTER || row->group == GROUP_TAPS;
}

static int matrices(const struct weight *w) { return w->n_expert ? w->n_expert : 1; }

static void round_row(enum dtype dtype, const float *x, uint8_t *to, int n) {
    for (int i = 0; i < n; i++) {
        uint16_t half = bf16_from_f32(x[i]);
        if (dtype == DTYPE_F32)
            memcpy(to + 4 * i, &x[i], sizeof x[i]);
        else
            memcpy(to + 2 * i, &half, sizeof half);
    }
}

static enum jl_status copy_matrix(struct model *model, struct weight *w, enum dtype dtype,
                                  struct jl_error *err) {
    size_t stride, bytes, n = (size_t)w->n_in;
    const uint8_t **experts = NULL;
    uint8_t *data = NULL;
    float *row = arena_calloc(&model->arena, n, sizeof *row);
    if (dtype_row_bytes(dtype, w->n_in, &stride) && size_mul(stride, (size_t)w->n_out, &bytes))
        data = arena_calloc(&model->arena, (size_t)matrices(w), bytes);
    if (w->experts) experts = arena_calloc(&model->arena, (size_t)w->n_expert, sizeof *experts);
    if (!row || !data || (w->experts && !experts))
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for a copy of tensor '%s'", w->name);
    for (int m = 0; m < matrices(w); m++) {
        const uint8_t *from = w->experts ? w->experts[m] : w->data;
        uint8_t *to = data + (size_t)m * bytes;
        if (experts) experts[m] = to;
        for (int o = 0; o < w->n_out; o++) {
            dtype_dequantize(w->dtype, from + (size_t)o * w->stride, row, w->n_in);
            round_row(dtype, row, to + (size_t)o * stride, w->n_in);
        }
    }
    w->data = data;
    w->experts = experts;
    w->stride = stride;
    w->dtype = dtype;
    return JL_OK;
}

enum jl_status model_own(struct model *model, enum dtype dtype, struct jl_error *err) {
    int n = own_count(model);
    for (int i = 0; i < n; i++) {
        struct weight *w = &model->weights[i];
        if (w->data && w->id == i && own_can(w->dtype) &&
            !is_widened((enum role_id)(i % ROLE_COUNT)))
            JL_TRY(copy_matrix(model, w, dtype, err));
    }
    for (int i = 0; i < n; i++)
        if (model->weights[i].data && model->weights[i].id != i)
            model->weights[i] = model->weights[model->weights[i].id];
    return JL_OK;
}

/* Ids of the base; those of adapters follow, A and B of each pair. */
static int base_count(const struct model *model) {
    return (hparams_n_block(&model->hp) + 1) * ROLE_COUNT;
}

int own_count(const struct model *model) { return base_count(model) + 2 * model->n_adapter; }

static const struct weight *weight_at(const struct model *model, int id) {
    int at = id - base_count(model);
    if (at < 0) return &model->weights[id];
    return at % 2 ? &model->adapters[at / 2].b : &model->adapters[at / 2].a;
}

static struct own_tensor adapter_tensor(const struct model *model, int id) {
    const struct adapter_slot *slot = &model->adapters[(id - base_count(model)) / 2];
    const struct weight *w = weight_at(model, id);
    bool is_a = w == &slot->a;
    return (struct own_tensor){.role = slot->role,
                               .layer = slot->layer,
                               .w = w,
                               .n = (size_t)matrices(w) * (size_t)w->n_out * (size_t)w->n_in,
                               .learned = true,
                               .master = is_a ? slot->master : NULL,
                               .factor = is_a && slot->master ? slot->factor : 1.0f};
}

struct own_tensor own_tensor(const struct model *model, int id) {
    if (id >= base_count(model)) return adapter_tensor(model, id);
    const struct weight *w = &model->weights[id];
    int row = id / ROLE_COUNT;
    struct own_tensor t = {.role = (enum role_id)(id % ROLE_COUNT),
                           .layer = row == hparams_n_block(&model->hp) ? -1 : row,
                           .factor = 1.0f};
    if (!w->data || w->id != id) return t;
    t.w = w;
    t.n = (size_t)matrices(w) * (size_t)w->n_out * (size_t)w->n_in;
    t.learned = !model->base && own_can(w->dtype) && role_row(t.role)->group != GROUP_FIXED;
    return t;
}

/* Where element `at` stands; the rows of an owned tensor have no gaps. */
static uint8_t *place(const struct weight *w, size_t at, size_t *left) {
    size_t matrix = (size_t)w->n_out * (size_t)w->n_in, m = at / matrix;
    size_t element = w->dtype == DTYPE_F32 ? 4 : 2;
    const uint8_t *data = w->experts ? w->experts[m] : w->data;
    *left = matrix - at % matrix;
    return (uint8_t *)(uintptr_t)data + at % matrix * element;
}

#define ROUND_AT_ONCE 4096

void own_write(struct model *model, int id, size_t first, const float *x, size_t n) {
    const struct weight *w = weight_at(model, id);
    for (size_t done = 0, part; done < n; done += part) {
        uint8_t *to = place(w, first + done, &part);
        if (part > n - done) part = n - done;
        if (part > ROUND_AT_ONCE) part = ROUND_AT_ONCE;
        round_row(w->dtype, x + done, to, (int)part);
    }
}

void own_read(const struct model *model, int id, size_t first, float *x, size_t n) {
    const struct weight *w = weight_at(model, id);
    for (size_t done = 0, part; done < n; done += part) {
        const uint8_t *from = place(w, first + done, &part);
        if (part > n - done) part = n - done;
        dtype_dequantize(w->dtype, from, x + done, (int64_t)part);
    }
}
