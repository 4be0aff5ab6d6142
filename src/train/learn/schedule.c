#include "train/learn/schedule.h"

#include "base/fmath.h"

static double share(const struct schedule *s, int64_t step) {
    double at = (double)step;
    if (step < s->n_warmup) return (at + 1) / (double)s->n_warmup;
    if (s->kind == SCHEDULE_WSD) {
        int64_t left = s->n_step - step; // this step counted
        if (left > s->n_descent) return 1;
        return s->min_share + (1 - s->min_share) * (double)left / (double)(s->n_descent + 1);
    }
    if (s->kind == SCHEDULE_CONSTANT) return 1;
    const double pi = 3.14159265358979323846;
    double sine, cosine, span = (double)(s->n_step - s->n_warmup);
    fmath_sincos64(pi * (at - (double)s->n_warmup) / (span < 1 ? 1 : span), &sine, &cosine);
    return s->min_share + (1 - s->min_share) * (1 + cosine) / 2;
}

float schedule_rate(const struct schedule *s, int64_t step) {
    return (float)(s->rate * share(s, step));
}
