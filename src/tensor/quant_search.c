/* What the searches share; blocks with one factor. */
#include "tensor/quant_search.h"

#include <math.h>
#include <string.h>

void quant_put_run(struct qblock *block, const struct quant_form *form, const float *x, int run,
                   int scale, int min) {
    float raised[QUANT_RUN_MOST], level[QUANT_RUN_MOST];
    float step = block->d * (float)scale, low = block->dmin * (float)min;
    for (int i = 0; i < form->run; i++)
        raised[i] = x[form->run * run + i] + low;
    quant_levels_near(&form->levels, raised, step != 0 ? 1 / step : 0, level, form->run);
    for (int i = 0; i < form->run; i++)
        block->q[form->run * run + i] = (int8_t)level[i];
    for (int j = 0; j < form->run / QBLOCK_RUN; j++) {
        block->scale[form->run / QBLOCK_RUN * run + j] = (int16_t)scale;
        block->min[form->run / QBLOCK_RUN * run + j] = (int16_t)min;
    }
}

float quant_fit_factor(const float *value, const float *weight, int n, int most) {
    float top = 0, best = INFINITY, best_d = 0;
    for (int j = 0; j < n; j++)
        top = fabsf(value[j]) > top ? fabsf(value[j]) : top;
    for (int i = 0; i < 24 && top > 0; i++) { // the largest at 70 % to 102 % of the range
        float d = quant_f16(top / ((float)most * (1.02f - 0.014f * (float)i))), miss = 0;
        if (d == 0) d = 0x1p-24f; // the smallest there is: fewer integers then do
        for (int j = 0; j < n; j++) {
            float size = fabsf(value[j]), q = quant_rint(size / d);
            float off = size - d * (q < (float)most ? q : (float)most);
            miss += weight[j] * off * off;
        }
        if (!(miss < best)) continue;
        best = miss;
        best_d = d;
    }
    return best_d;
}

/* ---- one factor ---- */

/* The f16 numbers around an ideal one. */
enum { NEAR = 3 };
static void f16_around(float x, float near[NEAR]) {
    uint16_t middle = f16_from_f32(x), magnitude = middle & 0x7fffu;
    near[0] = f32_from_f16(middle);
    near[1] = magnitude > 0 ? f32_from_f16((uint16_t)(middle - 1)) : near[0];
    near[2] = magnitude < 0x7bffu ? f32_from_f16((uint16_t)(middle + 1)) : near[0];
}

static void one_scale(const struct quant_form *form, struct quant_run run, struct qblock *out) {
    float d[NEAR], best = INFINITY;
    f16_around(quant_fit_scale(run, &form->levels), d);
    for (int i = 0; i < NEAR; i++) {
        float error = quant_scale_error(run, &form->levels, d[i]);
        if (!(error < best)) continue;
        best = error;
        out->d = d[i];
    }
}

static void one_line(const struct quant_form *form, struct quant_run run, struct qblock *out) {
    float d[NEAR], m[NEAR], best = INFINITY, unused;
    struct quant_line line = quant_fit_line(run, form->levels.high, true);
    f16_around(line.scale, d);
    f16_around(line.min, m);
    for (int i = 0; i < NEAR * NEAR; i++) {
        line = (struct quant_line){d[i / NEAR], m[i % NEAR]};
        float error = quant_line_error(run, form->levels.high, line, &unused);
        if (!(error < best)) continue;
        best = error;
        out->d = line.scale;
        out->dmin = line.min;
    }
}

void quant_search_one(const struct quant_form *form, const float *x, const float *w,
                      struct qblock *out) {
    struct quant_run run = {x, w, form->size};
    *out = (struct qblock){0};
    if (form->most_min)
        one_line(form, run, out);
    else
        one_scale(form, run, out);
    quant_put_run(out, form, x, 0, 1, form->most_min);
}
