/* See quant_fit.h. */
#include "tensor/quant_fit.h"

#include <math.h>
#include <string.h>

/* ---- four at a time: plain lanes, so that the order of all sums is written down here ---- */

typedef float quad __attribute__((vector_size(16)));
typedef int32_t quad_mask __attribute__((vector_size(16)));
enum { LANES = 4 };

static quad load(const float *p) {
    quad v;
    memcpy(&v, p, sizeof v);
    return v;
}

static quad all(float x) { return (quad){x, x, x, x}; }

static double join(quad sum) { return (double)((sum[0] + sum[2]) + (sum[1] + sum[3])); }

/* ---- levels ---- */

static float clamp(float x, float low, float high) {
    x = x > low ? x : low; // NaN: low
    return x < high ? x : high;
}

/* Nearest integers to (x + shift) * inverse. */
static void near_integers(const float *x, float shift, float inverse, float low, float high,
                          float *v, int n) {
    for (int i = 0; i < n; i += 16)
        for (int l = i; l < i + 16; l++)
            v[l] = quant_rint(clamp((x[l] + shift) * inverse, low, high));
}

static void near_numbers(const struct quant_levels *levels, const float *x, float inverse, float *v,
                         int n) {
    for (int i = 0; i < n; i += 4 * LANES) {
        quad at[4], number[4];
        for (int k = 0; k < 4; k++) {
            at[k] = load(x + i + LANES * k) * all(inverse);
            number[k] = all((float)levels->low);
        }
        for (int t = 1; t < levels->n_table; t++) { // a step for every middle that lies below
            float below = levels->table[t - 1], above = levels->table[t];
            quad middle = all(0.5f * (below + above)), step = all(above - below);
            for (int k = 0; k < 4; k++)
                number[k] += (quad)((at[k] > middle) & (quad_mask)step);
        }
        memcpy(v + i, number, sizeof number);
    }
}

void quant_levels_near(const struct quant_levels *levels, const float *x, float inverse, float *v,
                       int n) {
    if (levels->table)
        near_numbers(levels, x, inverse, v, n);
    else
        near_integers(x, 0, inverse, (float)levels->low, (float)levels->high, v, n);
}

/* ---- scale ---- */

/* With the levels nearest to x * inverse: the best scale, and by how much it lowers sum w * x^2. */
static double gain_of(struct quant_run run, const struct quant_levels *levels, float inverse,
                      double *scale) {
    float level[QUANT_RUN_MOST];
    quad xv = {0}, vv = {0};
    quant_levels_near(levels, run.x, inverse, level, run.n);
    for (int i = 0; i < run.n; i += LANES) {
        quad v = load(level + i), wv = load(run.w + i) * v;
        xv += wv * load(run.x + i);
        vv += wv * v;
    }
    double product = join(xv), square = join(vv);
    *scale = square > 0 ? product / square : 0;
    return *scale * product;
}

/* With the largest element at `reach` times the highest level: is the scale better than the best so
 * far? `both`: also with the largest at the other end of the levels. */
struct best_scale {
    double gain, scale;
};
static void try_reach(struct quant_run run, const struct quant_levels *levels, float inverse,
                      bool both, struct best_scale *best) {
    for (int sign = 0; sign < (both ? 2 : 1); sign++) {
        double scale, gain = gain_of(run, levels, sign ? -inverse : inverse, &scale);
        if (gain > best->gain) *best = (struct best_scale){gain, scale};
    }
}

float quant_fit_scale(struct quant_run run, const struct quant_levels *levels) {
    float most = 0;
    for (int i = 0; i < run.n; i++)
        most = fabsf(run.x[i]) > fabsf(most) ? run.x[i] : most;
    if (!(fabsf(most) > 0)) return 0;
    float unit = (float)levels->low / most; // brings the largest to the longer end
    // With many levels the steps that matter are smaller, and the ends are all one.
    bool fine = (levels->table ? levels->n_table : levels->high - levels->low) > 32;
    struct best_scale best = {0};
    for (int i = 0; i < (fine ? 40 : 20); i++)
        try_reach(run, levels, unit * (1.16f - (fine ? 0.0125f : 0.025f) * (float)i), !fine, &best);
    for (int i = 0; i < 10; i++) // far beyond the end, where the largest is not one that counts
        try_reach(run, levels, unit * (1.25f + 0.25f * (float)i), !fine, &best);
    for (int i = 0; i < 8; i++) { // levels for the scale, the scale for the levels
        double gain = best.gain;
        try_reach(run, levels, (float)(1 / best.scale), false, &best);
        if (!(best.gain > gain)) break;
    }
    return (float)best.scale;
}

float quant_scale_error(struct quant_run run, const struct quant_levels *levels, float scale) {
    float level[QUANT_RUN_MOST];
    quad sum = {0};
    quant_levels_near(levels, run.x, scale != 0 ? 1 / scale : 0, level, run.n);
    for (int i = 0; i < run.n; i += LANES) {
        quad off = load(run.x + i) - all(scale) * load(level + i);
        sum += load(run.w + i) * off * off;
    }
    return (float)join(sum);
}

/* ---- scale and minimum ---- */

struct line_task {
    struct quant_run run;
    int most;
    bool any_min;
    double w, x; // sums of w and of w * x
};

struct best_line {
    double gain; // by how much it lowers sum w * x^2
    struct quant_line line;
};

/* With q from 0 for x at `low` to most for x at `high`: is the best line for these q better than
 * the best so far? */
static void try_ends(const struct line_task *task, float low, float high, struct best_line *best) {
    float level[QUANT_RUN_MOST];
    quad q1 = {0}, q2 = {0}, xq = {0};
    float most = (float)task->most;
    near_integers(task->run.x, -low, most / (high - low), 0, most, level, task->run.n);
    for (int i = 0; i < task->run.n; i += LANES) {
        quad q = load(level + i), wq = load(task->run.w + i) * q;
        q1 += wq;
        q2 += wq * q;
        xq += wq * load(task->run.x + i);
    }
    double sq = join(q1), sqq = join(q2), sxq = join(xq);
    double det = task->w * sqq - sq * sq, scale = 0, min = 0;
    if (det > 0) {
        scale = (task->w * sxq - task->x * sq) / det;
        min = (scale * sq - task->x) / task->w;
    }
    if (!(det > 0) || (min < 0 && !task->any_min)) {
        min = 0;
        scale = sqq > 0 ? sxq / sqq : 0;
    }
    double gain = 2 * (scale * sxq - min * task->x + scale * min * sq) - scale * scale * sqq -
                  min * min * task->w;
    if (gain > best->gain) *best = (struct best_line){gain, {(float)scale, (float)min}};
}

/* Either end some quarters of a step further in, or both far in, where the outermost elements are
 * not those that count; then q for the line and the line for the q in turn. */
static struct quant_line search_line(const struct line_task *task, float low, float high) {
    struct best_line best = {-HUGE_VAL, {0, task->any_min ? -low : 0}};
    float range = high - low, quarter = 0.25f * range / (float)task->most;
    if (!(range > 0)) return best.line;
    int n_near = task->most > 16 ? 8 : 6;
    for (int i = 0; i < n_near * n_near; i++)
        try_ends(task, low + quarter * (float)(i / n_near - 1),
                 high - quarter * (float)(i % n_near - 1), &best);
    for (int i = 1; i < 16; i++)
        try_ends(task, low + 0.13f * range * (float)(i / 4), high - 0.13f * range * (float)(i % 4),
                 &best);
    for (int i = 0; i < 8 && best.line.scale > 0; i++) {
        double gain = best.gain;
        float from = -best.line.min;
        try_ends(task, from, from + best.line.scale * (float)task->most, &best);
        if (!(best.gain > gain)) break;
    }
    return best.line;
}

struct quant_line quant_fit_line(struct quant_run run, int most, bool any_min) {
    quad w = {0}, x = {0};
    float low = any_min ? run.x[0] : 0, high = low;
    for (int i = 0; i < run.n; i += LANES) {
        w += load(run.w + i);
        x += load(run.w + i) * load(run.x + i);
    }
    for (int i = 0; i < run.n; i++) {
        low = run.x[i] < low ? run.x[i] : low;
        high = run.x[i] > high ? run.x[i] : high;
    }
    const struct line_task task = {run, most, any_min, join(w), join(x)};
    return search_line(&task, low, high);
}

float quant_line_error(struct quant_run run, int most, struct quant_line line, float *best_min) {
    float level[QUANT_RUN_MOST];
    quad sum = {0}, over = {0}, w = {0};
    near_integers(run.x, line.min, line.scale > 0 ? 1 / line.scale : 0, 0, (float)most, level,
                  run.n);
    for (int i = 0; i < run.n; i += LANES) {
        quad cost = load(run.w + i), raised = all(line.scale) * load(level + i) - load(run.x + i);
        quad off = raised - all(line.min);
        sum += cost * off * off;
        over += cost * raised;
        w += cost;
    }
    *best_min = (float)(join(over) / join(w));
    return (float)join(sum);
}
