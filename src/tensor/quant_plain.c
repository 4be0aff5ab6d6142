/* No search: the ends of a run's range become the ends of its levels. */
#include <math.h>

#include "tensor/quant_search.h"

enum { MOST_RUNS = 16 };

/* The line through a run's extremes; low is at most 0, unless the minimum may have any sign. */
static struct quant_line extremes(const struct quant_form *form, const float *x) {
    float low = form->most_min == 1 ? x[0] : 0, high = low, size;
    for (int i = 0; i < form->run; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    if (form->most_min) return (struct quant_line){(high - low) / (float)form->levels.high, -low};
    size = high > -low ? high : -low;
    return (struct quant_line){size / (float)form->levels.high, 0};
}

static int part(float x, float d, int low, int high) {
    return d != 0 ? quant_clamp(x / d, low, high) : 0;
}

void quant_search_plain(const struct quant_form *form, const float *x, const float *w,
                        struct qblock *out) {
    struct quant_line line[MOST_RUNS];
    float scale = 0, min = 0;
    int n_run = form->size / form->run;
    (void)w;
    for (int j = 0; j < n_run; j++) {
        line[j] = extremes(form, x + form->run * j);
        scale = line[j].scale > scale ? line[j].scale : scale;
        min = fabsf(line[j].min) > fabsf(min) ? line[j].min : min;
    }
    *out = (struct qblock){.d = quant_f16(scale / (float)form->scale_high)};
    if (form->most_min) out->dmin = quant_f16(min / (float)form->most_min);
    for (int j = 0; j < n_run; j++) {
        bool one = form->scale_high == 1; // then 1 is the only scale, and the only minimum
        quant_put_run(out, form, x, j,
                      one ? 1 : part(line[j].scale, out->d, form->scale_low, form->scale_high),
                      one ? form->most_min : part(line[j].min, out->dmin, 0, form->most_min));
    }
}
