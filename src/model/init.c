#include "model/init.h"

#include <math.h>
#include <string.h>

#include "base/fmath.h"
#include "base/rng.h"
#include "format/report.h"
#include "model/export_place.h"
#include "model/init_config.h"
#include "tensor/quant.h"

/* ---- which values a role gets ---- */

/* Recurrent layers as their makers begin them: the decay exp(A_log) is uniform below 16, dt_bias is
 * 1, and the convolution is uniform within 1/sqrt(taps), as PyTorch's is (Qwen3-Next's and
 * flash-linear-attention's modelling code). */
static void choose(const struct hparams *hp, enum role_id role, enum role_transform transform,
                   double std, struct init_tensor *t) {
    bool vector = role_row(role)->rows == DIM_ONE;
    t->kind = vector ? INIT_CONSTANT : INIT_NORMAL;
    t->size = std;
    switch (role) {
    case ROLE_ATTN_O:
    case ROLE_DELTA_OUT:
    case ROLE_FFN_DOWN:
    case ROLE_EXP_DOWN:
    case ROLE_SHEXP_DOWN: t->size = std / sqrt(2.0 * hp->n_layer); return;
    case ROLE_SHEXP_SWITCH: t->kind = INIT_NORMAL; return;
    case ROLE_DELTA_A:
        t->kind = INIT_LOG_UNIFORM;
        t->size = 16;
        return;
    case ROLE_DELTA_DT_B: t->size = 1; return;
    case ROLE_DELTA_CONV:
        t->kind = INIT_UNIFORM;
        t->size = 1 / sqrt((double)hp->delta_tap);
        return;
    default: break;
    }
    if (!vector) return;
    bool norm = strstr(role_row(role)->gguf, "norm") != NULL;
    t->size = norm && transform != ADD_ONE ? 1 : 0;
}

/* ---- the list ---- */

/* FNV-1a, 64 bits: a tensor's values do not depend on which others there are. */
static uint64_t hash_name(const char *name) {
    uint64_t hash = 14695981039346656037u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 1099511628211u;
    return hash;
}

struct lister {
    const struct init_options *options;
    struct init_plan *plan;
    double std;
    struct jl_error *err;
};

static enum jl_status add(struct lister *l, const struct export_role *of, int expert) {
    const struct hparams *hp = &l->plan->hp;
    const struct role_row *row = role_row(of->role);
    struct init_tensor *t = &l->plan->tensors[l->plan->n];
    struct export_place place;
    if (!export_place(l->plan->family, MODEL_FILE_HF, of->role, of->layer, expert, &place))
        return report_fail(l->err, JL_ERR_UNSUPPORTED, l->options->path,
                           "%s has no place in a folder", row->id);
    if (place.part) return JL_OK; // of a tensor that is listed already
    *t = (struct init_tensor){
        .name = arena_strdup(&l->plan->arena, place.name),
        .dtype = export_widened(of->role) ? DTYPE_F32 : l->options->dtype,
        .seed = l->options->seed,
    };
    if (!t->name) return report_no_memory(l->err, l->options->path, "tensor names");
    choose(hp, of->role, place.transform, l->std, t);
    t->n_dim =
        export_dims(MODEL_FILE_HF, of->role, &place, row->scope == SCOPE_EXPERTS ? hp->n_expert : 0,
                    hparams_dim(hp, row->rows), hparams_dim(hp, row->cols), t->dim);
    l->plan->n++;
    return JL_OK;
}

static int n_expert_of(const struct hparams *hp, enum role_id role) {
    return role_row(role)->scope == SCOPE_EXPERTS ? hp->n_expert : 1;
}

/* Does each expert have a tensor of its own? */
static bool is_apart(const struct family *family, const struct export_role *of) {
    struct export_place place;
    return export_place(family, MODEL_FILE_HF, of->role, of->layer, 0, &place) && place.apart;
}

/* Layer by layer, and large elements first: the order in which an export of the model has them. */
static enum jl_status list_tensors(struct lister *l) {
    struct init_plan *plan = l->plan;
    struct export_roles roles;
    size_t most = 0;
    JL_TRY(export_roles(plan->family, &plan->hp, MODEL_FILE_HF, &plan->arena, &roles, l->err));
    for (size_t i = 0; i < roles.n; i++)
        most += (size_t)n_expert_of(&plan->hp, roles.items[i].role);
    plan->tensors = arena_calloc(&plan->arena, most + 1, sizeof *plan->tensors);
    if (!plan->tensors) return report_no_memory(l->err, l->options->path, "the list of tensors");
    for (int widened = 1; widened >= 0; widened--)
        for (int layer = -1; layer < hparams_n_block(&plan->hp); layer++)
            for (size_t i = 0; i < roles.n; i++) {
                const struct export_role *of = &roles.items[i];
                bool first = export_widened(of->role) || l->options->dtype == DTYPE_F32;
                if (of->layer != layer || first != (widened == 1)) continue;
                int n = is_apart(plan->family, of) ? n_expert_of(&plan->hp, of->role) : 1;
                for (int e = 0; e < n; e++)
                    JL_TRY(add(l, of, e));
            }
    return JL_OK;
}

enum jl_status init_plan_make(const struct init_options *options, struct init_plan *out,
                              struct jl_error *err) {
    struct lister lister = {.options = options, .plan = out, .err = err};
    *out = (struct init_plan){0};
    if (options->dtype != DTYPE_F32 && options->dtype != DTYPE_BF16)
        return report_fail(err, JL_ERR_USAGE, options->path,
                           "a new model's matrices are F32 or BF16, not %s",
                           dtype_name(options->dtype));
    enum jl_status status = init_config_read(options, out, &lister.std, err);
    if (status == JL_OK) status = list_tensors(&lister);
    if (status == JL_OK) status = init_config_write(options, lister.std, out, err);
    if (status != JL_OK) init_plan_free(out);
    return status;
}

void init_plan_free(struct init_plan *plan) {
    json_decref(plan->config);
    arena_free(&plan->arena);
    *plan = (struct init_plan){0};
}

/* ---- values ---- */

#define TAU 6.283185307179586476925286766559

static double unit(uint32_t word) { return ((double)word + 0.5) * 0x1p-32; } // in (0, 1)

/* Box and Muller's pair. */
void init_normals(const uint32_t words[2], double out[2]) {
    double sine, cosine, radius = sqrt(-2 * fmath_log64(unit(words[0])));
    fmath_sincos64(TAU * unit(words[1]), &sine, &cosine);
    out[0] = radius * cosine;
    out[1] = radius * sine;
}

static void draw(enum init_kind kind, const uint32_t words[4], double out[4]) {
    if (kind == INIT_NORMAL) {
        init_normals(words, out);
        init_normals(words + 2, out + 2);
        return;
    }
    for (int i = 0; i < 4; i++)
        out[i] = kind == INIT_UNIFORM ? 2 * unit(words[i]) - 1 : unit(words[i]);
}

static void random_row(const struct init_tensor *t, int64_t row, float *x) {
    uint64_t name = hash_name(t->name);
    const struct rng_key key = {.seed = t->seed,
                                .sequence = (uint32_t)name,
                                .position = (uint32_t)row,
                                .purpose = RNG_INIT};
    int64_t n = t->dim[t->n_dim - 1];
    for (int64_t i = 0; i < n; i += 4) {
        uint32_t words[4];
        double values[4];
        rng_block(&key, (name >> 40) << 32 | (uint64_t)(i / 4), words);
        draw(t->kind, words, values);
        for (int64_t k = 0; k < 4 && i + k < n; k++) {
            double value = t->size * values[k];
            x[i + k] = (float)(t->kind == INIT_LOG_UNIFORM ? fmath_log64(value) : value);
        }
    }
}

void init_row(const struct init_tensor *t, int64_t row, uint8_t *out, float *scratch) {
    int64_t n = t->dim[t->n_dim - 1];
    if (t->kind != INIT_CONSTANT)
        random_row(t, row, scratch);
    else
        for (int64_t i = 0; i < n; i++)
            scratch[i] = (float)t->size;
    dtype_quantize_plain(t->dtype, scratch, out, n);
}
