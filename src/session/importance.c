#include "session/importance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/export_place.h"

#define MAX_NAME 96

struct sums {
    char name[MAX_NAME];
    int n_in, n_matrix;
    double *values;  // (n_matrix, n_in)
    int64_t *counts; // (n_matrix)
};

struct importance {
    const struct model *model;
    struct backend_observer observer;
    struct sums **of_step; // [n_step], NULL for steps that multiply with no matrix
    struct sums *sums;
    int n;
    struct arena arena;
};

static void add_squares(const float *x, double *sums, int n) {
    for (int i = 0; i < n; i++)
        sums[i] += (double)x[i] * (double)x[i];
}

static void see(void *ctx, const struct linear_view *view) {
    const struct importance *importance = ctx;
    struct sums *sums = importance->of_step[view->step - importance->model->plan.steps];
    if (!sums) return;
    double *values = sums->values + (size_t)view->matrix * (size_t)sums->n_in;
    for (int i = 0; i < view->n; i++)
        add_squares(view->x + (size_t)i * view->stride, values, sums->n_in);
    sums->counts[view->matrix] += view->n;
}

/* The name of the step's matrix in a GGUF file: that of the role it is bound to. */
static bool name_of(const struct model *model, const struct step *step, char out[MAX_NAME]) {
    struct export_place place;
    if (model->file->kind == MODEL_FILE_GGUF)
        return snprintf(out, MAX_NAME, "%s", step->w.name) < MAX_NAME;
    for (int role = ROLE_NONE + 1; role < ROLE_COUNT; role++) {
        const struct weight *w = model_weight(model, (enum role_id)role, step->layer);
        if (!w || w->data != step->w.data) continue;
        if (!export_place(model->family, MODEL_FILE_GGUF, (enum role_id)role, step->layer, 0,
                          &place))
            return false;
        return snprintf(out, MAX_NAME, "%s", place.name) < MAX_NAME;
    }
    return false;
}

/* Parts of one tensor see the same: the first one is counted. */
static bool is_counted(const struct importance *importance, const char *name) {
    for (int i = 0; i < importance->n; i++)
        if (!strcmp(importance->sums[i].name, name)) return true;
    return false;
}

/* Matrices that the step multiplies with, 0: none that could be seen. */
static int count_matrices(const struct step *step) {
    if (step->out == REG_LA || step->out == REG_LB) return 0; // no adapters'
    switch (step->op) {
    case OP_LINEAR: return 1;
    case OP_EXPERTS: return step->w.n_expert;
    case OP_ABSORB:
    case OP_HEADS:
        return step->heads.transposed ? 0 : backend_heads_apart(step) ? step->heads.n : 1;
    default: return 0;
    }
}

static enum jl_status add_step(struct importance *importance, int i, struct jl_error *err) {
    const struct step *step = &importance->model->plan.steps[i];
    struct sums *sums = &importance->sums[importance->n];
    sums->n_matrix = count_matrices(step);
    if (sums->n_matrix == 0) return JL_OK;
    if (!name_of(importance->model, step, sums->name)) return JL_OK;
    if (is_counted(importance, sums->name)) return JL_OK;
    sums->n_in = step->w.n_in;
    sums->values = arena_calloc(&importance->arena, (size_t)sums->n_matrix * (size_t)sums->n_in,
                                sizeof *sums->values);
    sums->counts = arena_calloc(&importance->arena, (size_t)sums->n_matrix, sizeof *sums->counts);
    if (!sums->values || !sums->counts)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for an importance matrix");
    importance->of_step[i] = sums;
    importance->n++;
    return JL_OK;
}

enum jl_status importance_create(const struct model *model, struct importance **out,
                                 struct jl_error *err) {
    size_t n_step = (size_t)model->plan.n_step;
    struct importance *importance = calloc(1, sizeof *importance);
    *out = NULL;
    if (!importance) return jl_fail(err, JL_ERR_MEMORY, "out of memory for an importance matrix");
    importance->model = model;
    importance->observer = (struct backend_observer){.linear = see, .ctx = importance};
    importance->of_step = arena_calloc(&importance->arena, n_step, sizeof *importance->of_step);
    importance->sums = arena_calloc(&importance->arena, n_step, sizeof *importance->sums);
    enum jl_status status = JL_OK;
    if (!importance->of_step || !importance->sums)
        status = jl_fail(err, JL_ERR_MEMORY, "out of memory for an importance matrix");
    for (int i = 0; i < model->plan.n_step && status == JL_OK; i++)
        status = add_step(importance, i, err);
    if (status != JL_OK) {
        importance_free(importance);
        return status;
    }
    *out = importance;
    return JL_OK;
}

void importance_free(struct importance *importance) {
    if (!importance) return;
    arena_free(&importance->arena);
    free(importance);
}

const struct backend_observer *importance_observer(const struct importance *importance) {
    return &importance->observer;
}

/* ---- the result ---- */

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct imatrix_entry *)a)->name, ((const struct imatrix_entry *)b)->name);
}

static int unseen(const struct sums *sums) {
    int n = 0;
    for (int i = 0; i < sums->n_matrix; i++)
        n += sums->counts[i] == 0;
    return n;
}

static bool fill_entry(const struct sums *sums, struct arena *arena, struct imatrix_entry *entry) {
    size_t n = (size_t)sums->n_matrix * (size_t)sums->n_in;
    float *values = arena_calloc(arena, n, sizeof *values);
    float *counts = arena_calloc(arena, (size_t)sums->n_matrix, sizeof *counts);
    char *name = arena_strdup(arena, sums->name);
    if (!values || !counts || !name) return false;
    for (size_t i = 0; i < n; i++)
        values[i] = (float)sums->values[i];
    for (int i = 0; i < sums->n_matrix; i++)
        counts[i] = (float)sums->counts[i];
    *entry = (struct imatrix_entry){name, values, counts, n, (size_t)sums->n_matrix};
    return true;
}

enum jl_status importance_result(const struct importance *importance, struct arena *arena,
                                 struct imatrix *out, int *n_unseen, int *n_matrix,
                                 struct jl_error *err) {
    *out = (struct imatrix){.dataset = ""};
    *n_unseen = *n_matrix = 0;
    out->entries = arena_calloc(arena, (size_t)importance->n + 1, sizeof *out->entries);
    if (!out->entries) return jl_fail(err, JL_ERR_MEMORY, "out of memory for an importance matrix");
    for (int i = 0; i < importance->n; i++) {
        const struct sums *sums = &importance->sums[i];
        int none = unseen(sums);
        if (none == sums->n_matrix) continue;
        *n_unseen += none;
        *n_matrix += sums->n_matrix;
        if (!fill_entry(sums, arena, &out->entries[out->n++]))
            return jl_fail(err, JL_ERR_MEMORY, "out of memory for an importance matrix");
    }
    qsort(out->entries, out->n, sizeof *out->entries, by_name);
    return JL_OK;
}
