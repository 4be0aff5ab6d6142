/* Superblocks with sub-scales: x is near d * scale_j * level.
 *
 * Each run's ideal scale first; then a factor d that all of them are near multiples of; then, in
 * turn, the best integers for d by what they really cost, and the best d for the integers. */
#include <math.h>

#include "tensor/quant_search.h"

enum { MOST_RUNS = 16, ROUNDS = 4 };

struct attempt {
    float d, error;
    int scale[MOST_RUNS];
};

static struct quant_run run_at(const struct quant_form *form, const float *x, const float *w,
                               int j) {
    return (struct quant_run){x + form->run * j, w + form->run * j, form->run};
}

static float best_scale(const struct quant_form *form, struct quant_run run, float d, float ideal,
                        int *scale) {
    float best = INFINITY;
    int middle = quant_clamp(ideal / d, form->scale_low, form->scale_high);
    for (int c = middle - 1; c <= middle + 1; c++) {
        if (c < form->scale_low || c > form->scale_high) continue;
        float error = quant_scale_error(run, &form->levels, d * (float)c);
        if (!(error < best)) continue;
        best = error;
        *scale = c;
    }
    return best;
}

static void best_integers(const struct quant_form *form, const float *x, const float *w,
                          const float *ideal, struct attempt *a) {
    a->error = 0;
    for (int j = 0; j < form->size / form->run; j++) {
        a->scale[j] = 0;
        struct quant_run run = run_at(form, x, w, j);
        a->error += a->d != 0 ? best_scale(form, run, a->d, ideal[j], &a->scale[j])
                              : quant_scale_error(run, &form->levels, 0);
    }
}

/* The best d for an attempt's integers. */
static float best_factor(const struct quant_form *form, const float *x, const float *w,
                         const struct attempt *a) {
    double product = 0, square = 0;
    for (int j = 0; j < form->size / form->run; j++) {
        float v[QUANT_RUN_MOST], step = a->d * (float)a->scale[j];
        struct quant_run run = run_at(form, x, w, j);
        if (step == 0) continue;
        quant_levels_near(&form->levels, run.x, 1 / step, v, run.n);
        for (int i = 0; i < run.n; i++) {
            double value = (double)(v[i] * (float)a->scale[j]), cost = (double)run.w[i];
            product += cost * value * (double)run.x[i];
            square += cost * value * value;
        }
    }
    return square > 0 ? (float)(product / square) : a->d;
}

void quant_search_scale(const struct quant_form *form, const float *x, const float *w,
                        struct qblock *out) {
    float ideal[MOST_RUNS], weight[MOST_RUNS];
    int n_run = form->size / form->run;
    for (int j = 0; j < n_run; j++) {
        struct quant_run run = run_at(form, x, w, j);
        ideal[j] = quant_fit_scale(run, &form->levels);
        weight[j] = 0;
        for (int i = 0; i < run.n; i++) // as the mean square of levels does not vary much
            weight[j] += run.w[i];
    }
    struct attempt best = {.error = INFINITY};
    float d = quant_fit_factor(ideal, weight, n_run, form->scale_high);
    for (int round = 0; round < ROUNDS; round++) {
        struct attempt a = {.d = quant_f16(d)};
        best_integers(form, x, w, ideal, &a);
        if (!(a.error < best.error)) break;
        best = a;
        d = best_factor(form, x, w, &a);
        if (quant_f16(d) == a.d) break;
    }
    *out = (struct qblock){.d = best.d};
    for (int j = 0; j < n_run; j++)
        quant_put_run(out, form, x, j, best.scale[j], 0);
}
