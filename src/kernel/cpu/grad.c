/* The backward pass's row kernels over the vector vocabulary; kernel/ref/grad.c is their readable
 * form. Absent lanes of a last group are +0 and leave sums as they are. */
#include "kernel/grad.h"

#include "kernel/cpu/simd.h"
#include "kernel/fill.h"
#include "kernel/norm.h"

static inline int lanes_left(int n, int i) { return n - i < 16 ? n - i : 16; }

static float dot(const float *x, const float *y, int n) {
    v16 sum = v16_zero();
    for (int i = 0; i < n; i += 16) {
        int lanes = lanes_left(n, i);
        sum = v16_fma(v16_load_n(x + i, lanes), v16_load_n(y + i, lanes), sum);
    }
    return v16_reduce_add(sum);
}

SIMD_INLINE v16 weighted(const struct rms_norm_grad_args *args, int i, int lanes) {
    v16 g = v16_load_n(args->dy + i, lanes);
    return args->w ? v16_mul(g, v16_load_n(args->w + i, lanes)) : g;
}

static float rms_norm_grad(const struct rms_norm_grad_args *args) {
    float n = (float)args->n;
    float s = norm_scale(dot(args->x, args->x, args->n) / n + args->eps);
    v16 sum = v16_zero();
    for (int i = 0; i < args->n; i += 16) {
        int lanes = lanes_left(args->n, i);
        sum = v16_fma(weighted(args, i, lanes), v16_load_n(args->x + i, lanes), sum);
    }
    float along = v16_reduce_add(sum) / n * s * s;
    for (int i = 0; i < args->n; i += 16) {
        int lanes = lanes_left(args->n, i);
        v16 x = v16_load_n(args->x + i, lanes);
        v16 d = v16_fnma(x, v16_set1(along), weighted(args, i, lanes));
        v16_store_n(args->dx + i, v16_mul(d, v16_set1(s)), lanes);
    }
    return s;
}

static void norm_weight_grad(float s, const float *x, const float *dy, float *dw, int n) {
    for (int i = 0; i < n; i += 16) {
        int lanes = lanes_left(n, i);
        v16 unit = v16_mul(v16_load_n(x + i, lanes), v16_set1(s));
        v16 sum = v16_fma(v16_load_n(dy + i, lanes), unit, v16_load_n(dw + i, lanes));
        v16_store_n(dw + i, sum, lanes);
    }
}

SIMD_INLINE v16 sigmoid_of(v16 x) {
    v16 one = v16_set1(1.0f);
    return v16_div(one, v16_add(one, v16_exp(v16_sub(v16_zero(), x))));
}

static void silu_mul_grad(const struct silu_mul_grad_args *args) {
    v16 one = v16_set1(1.0f);
    for (int i = 0; i < args->n; i += 16) {
        int lanes = lanes_left(args->n, i);
        v16 x = v16_load_n(args->gate + i, lanes), dy = v16_load_n(args->dy + i, lanes);
        v16 up = v16_load_n(args->up + i, lanes), s = sigmoid_of(x);
        v16 slope = v16_mul(s, v16_fma(x, v16_sub(one, s), one));
        v16_store_n(args->dup + i, v16_mul(dy, v16_mul(x, s)), lanes);
        v16_store_n(args->dgate + i, v16_mul(v16_mul(dy, up), slope), lanes);
    }
}

static void sigmoid_mul_grad(const struct sigmoid_mul_grad_args *args) {
    v16 one = v16_set1(1.0f), sum = v16_zero();
    for (int i = 0; i < args->n; i += 16) {
        int lanes = lanes_left(args->n, i);
        v16 gate = args->one ? v16_set1(args->gate[0]) : v16_load_n(args->gate + i, lanes);
        v16 s = sigmoid_of(gate), dy = v16_load_n(args->dy + i, lanes);
        v16 d = v16_mul(dy, v16_load_n(args->old + i, lanes));
        d = v16_mul(d, v16_mul(s, v16_sub(one, s)));
        v16_store_n(args->dold + i, v16_mul(dy, s), lanes);
        if (args->one)
            sum = v16_add(sum, d);
        else
            v16_store_n(args->dgate + i, d, lanes);
    }
    if (args->one) args->dgate[0] = v16_reduce_add(sum);
}

static void sigmoid_grad(const float *x, const float *dy, float *dx, int n) {
    for (int i = 0; i < n; i += 16) {
        int lanes = lanes_left(n, i);
        v16 s = sigmoid_of(v16_load_n(x + i, lanes));
        v16 slope = v16_mul(s, v16_sub(v16_set1(1.0f), s));
        v16_store_n(dx + i, v16_mul(v16_load_n(dy + i, lanes), slope), lanes);
    }
}

static void l2_norm_grad(const struct l2_norm_grad_args *args) {
    float s = norm_scale(dot(args->x, args->x, args->n) + args->eps);
    float along = dot(args->dy, args->x, args->n) * s * s, factor = s * args->scale;
    for (int i = 0; i < args->n; i += 16) {
        int lanes = lanes_left(args->n, i);
        v16 x = v16_load_n(args->x + i, lanes);
        v16 d = v16_fnma(x, v16_set1(along), v16_load_n(args->dy + i, lanes));
        v16_store_n(args->dx + i, v16_mul(d, v16_set1(factor)), lanes);
    }
}

static void softmax(struct softmax_args *args) {
    const v16 scale = v16_set1(args->scale), none = v16_set1(-__builtin_inff());
    v16 most = none, sum = v16_zero();
    for (int i = 0; i < args->n; i += 16) {
        int lanes = lanes_left(args->n, i);
        v16 x = v16_mul(scale, v16_load_n(args->x + i, lanes));
        most = v16_max(most, v16_first_n(x, lanes, none));
    }
    float m = v16_reduce_max(most) + 0.0f;
    for (int i = 0; i < args->n; i += 16) {
        int lanes = lanes_left(args->n, i);
        v16 x = v16_mul(scale, v16_load_n(args->x + i, lanes));
        v16 p = v16_exp(v16_sub(x, v16_set1(m)));
        v16_store_n(args->p + i, p, lanes);
        sum = v16_add(sum, v16_first_n(p, lanes, v16_zero()));
    }
    args->max = m;
    args->sum = v16_reduce_add(sum);
    float share = 1.0f / args->sum;
    for (int i = 0; i < args->n; i += 16) {
        int lanes = lanes_left(args->n, i);
        v16_store_n(args->p + i, v16_mul(v16_load_n(args->p + i, lanes), v16_set1(share)), lanes);
    }
}

static void softmax_grad(const struct softmax_grad_args *args) {
    v16 mean = v16_set1(dot(args->p, args->dp, args->n)), scale = v16_set1(args->scale);
    for (int i = 0; i < args->n; i += 16) {
        int lanes = lanes_left(args->n, i);
        v16 d = v16_sub(v16_load_n(args->dp + i, lanes), mean);
        d = v16_mul(v16_mul(v16_load_n(args->p + i, lanes), d), scale);
        v16_store_n(args->dx + i, d, lanes);
    }
}

static void scale(float a, float *x, int n) {
    for (int i = 0; i < n; i += 16) {
        int lanes = lanes_left(n, i);
        v16_store_n(x + i, v16_mul(v16_load_n(x + i, lanes), v16_set1(a)), lanes);
    }
}

static void mix(float a, const float *x, float b, float *y, int n) {
    for (int i = 0; i < n; i += 16) {
        int lanes = lanes_left(n, i);
        v16 kept = v16_mul(v16_set1(b), v16_load_n(y + i, lanes));
        v16_store_n(y + i, v16_fma(v16_set1(a), v16_load_n(x + i, lanes), kept), lanes);
    }
}

void LEVEL_FN(fill_grad)(struct kernel_table *table) {
#define FILL(slot)                                                                                 \
    table->slot = slot;                                                                            \
    table->row_name[KSLOT_##slot] = LEVEL_STR(#slot)
    FILL(rms_norm_grad);
    FILL(norm_weight_grad);
    FILL(silu_mul_grad);
    FILL(sigmoid_mul_grad);
    FILL(sigmoid_grad);
    FILL(l2_norm_grad);
    FILL(softmax);
    FILL(softmax_grad);
    FILL(scale);
    FILL(dot);
    FILL(mix);
#undef FILL
}
