/* Superblocks with sub-scales and minima: x is near d * scale_j * q - dmin * min_j.
 *
 * Each run's ideal line first; then factors d and dmin that all of them are near multiples of;
 * then, in turn, the best integers for the factors by what they really cost, and the best factors
 * for the integers. */
#include <math.h>

#include "tensor/quant_search.h"

enum { MOST_RUNS = 16, ROUNDS = 3, WIDE = 2 };

struct attempt {
    float d, dmin, error;
    int scale[MOST_RUNS], min[MOST_RUNS];
};

static struct quant_run run_at(const struct quant_form *form, const float *x, const float *w,
                               int j) {
    return (struct quant_run){x + form->run * j, w + form->run * j, form->run};
}

struct pair {
    int scale, min;
    float error;
};

/* Pairs with one scale: the minimum that is best for the quants that the ideal one gives, and
 * `reach` more on either side. */
static void try_minima(const struct quant_form *form, struct quant_run run, const struct attempt *a,
                       float ideal, int scale, int reach, struct pair *best) {
    float step = a->d * (float)scale, wanted, unused;
    int most = form->levels.high, first = 0, last = 0;
    quant_line_error(run, most, (struct quant_line){step, ideal}, &wanted);
    if (a->dmin > 0) {
        int below = quant_clamp(floorf(wanted / a->dmin), 0, form->most_min);
        first = below > reach ? below - reach : 0;
        last = below + 1 + reach < form->most_min ? below + 1 + reach : form->most_min;
    }
    for (int min = first; min <= last; min++) {
        struct quant_line line = {step, a->dmin * (float)min};
        float error = quant_line_error(run, most, line, &unused);
        if (error < best->error) *best = (struct pair){scale, min, error};
    }
}

static struct pair best_pair(const struct quant_form *form, struct quant_run run,
                             const struct attempt *a, struct quant_line ideal, int reach) {
    struct pair best = {0, 0, INFINITY};
    int middle = a->d > 0 ? quant_clamp(ideal.scale / a->d, 0, form->scale_high) : 0;
    for (int scale = middle - reach - 1; scale <= middle + reach + 1; scale++)
        if (scale >= 0 && scale <= form->scale_high)
            try_minima(form, run, a, ideal.min, scale, reach, &best);
    return best;
}

static void best_integers(const struct quant_form *form, const float *x, const float *w,
                          const struct quant_line *ideal, int reach, struct attempt *a) {
    a->error = 0;
    for (int j = 0; j < form->size / form->run; j++) {
        struct pair pair = best_pair(form, run_at(form, x, w, j), a, ideal[j], reach);
        a->scale[j] = pair.scale;
        a->min[j] = pair.min;
        a->error += pair.error;
    }
}

/* The best d and dmin for an attempt's integers, by weighted least squares. */
static void best_factors(const struct quant_form *form, const float *x, const float *w,
                         const struct attempt *a, float *d, float *dmin) {
    double ss = 0, sm = 0, mm = 0, sx = 0, mx = 0; // s: scale * q; m: min
    for (int j = 0; j < form->size / form->run; j++) {
        struct quant_run run = run_at(form, x, w, j);
        float raised[QUANT_RUN_MOST], v[QUANT_RUN_MOST];
        float step = a->d * (float)a->scale[j], min = a->dmin * (float)a->min[j];
        for (int i = 0; i < run.n; i++)
            raised[i] = run.x[i] + min;
        quant_levels_near(&form->levels, raised, step > 0 ? 1 / step : 0, v, run.n);
        for (int i = 0; i < run.n; i++) {
            double s = (double)(v[i] * (float)a->scale[j]), m = a->min[j];
            double cost = (double)run.w[i], value = (double)run.x[i];
            ss += cost * s * s;
            sm += cost * s * m;
            mm += cost * m * m;
            sx += cost * s * value;
            mx += cost * m * value;
        }
    }
    double det = ss * mm - sm * sm;
    if (det > 0) {
        *d = (float)((sx * mm - mx * sm) / det);
        *dmin = (float)((sx * sm - mx * ss) / det);
    } else if (ss > 0) {
        *d = (float)(sx / ss);
    }
}

void quant_search_line(const struct quant_form *form, const float *x, const float *w,
                       struct qblock *out) {
    struct quant_line ideal[MOST_RUNS];
    float scale[MOST_RUNS], min[MOST_RUNS], weight[MOST_RUNS];
    int n_run = form->size / form->run;
    for (int j = 0; j < n_run; j++) {
        struct quant_run run = run_at(form, x, w, j);
        ideal[j] = quant_fit_line(run, form->levels.high, false);
        scale[j] = ideal[j].scale > 0 ? ideal[j].scale : 0;
        min[j] = ideal[j].min;
        weight[j] = 0;
        for (int i = 0; i < run.n; i++) // as the mean square of q does not vary much
            weight[j] += run.w[i];
    }
    struct attempt best = {.error = INFINITY};
    float d = quant_fit_factor(scale, weight, n_run, form->scale_high);
    float dmin = quant_fit_factor(min, weight, n_run, form->most_min);
    for (int round = 0; round < ROUNDS; round++) {
        struct attempt a = {.d = quant_f16(d), .dmin = quant_f16(dmin)};
        best_integers(form, x, w, ideal, round == 0 ? 0 : WIDE, &a);
        if (a.error < best.error)
            best = a;
        else if (round > 0)
            break;
        best_factors(form, x, w, &best, &d, &dmin);
    }
    *out = (struct qblock){.d = best.d, .dmin = best.dmin};
    for (int j = 0; j < n_run; j++)
        quant_put_run(out, form, x, j, best.scale[j], best.min[j]);
}
