/* Row kernels over the vector vocabulary; kernel/ref/rows.c is their readable form. */
#include "kernel/cpu/simd.h"
#include "kernel/fill.h"
#include "kernel/norm.h"

/* Lanes of the group that starts at i. */
static inline int lanes_left(int n, int i) { return n - i < 16 ? n - i : 16; }

static void rms_norm(const struct rms_norm_args *args) {
    int n = args->n, whole = n & ~15;
    v16 sum = v16_zero();
    for (int i = 0; i < whole; i += 16) {
        v16 x = v16_load(args->x + i);
        sum = v16_fma(x, x, sum);
    }
    v16 last = v16_load_n(args->x + whole, n - whole); // an absent +0 leaves its lane
    sum = v16_fma(last, last, sum);
    float scale = norm_scale(v16_reduce_add(sum) / (float)n + args->eps);
    for (int i = 0; i < n; i += 16) {
        int lanes = lanes_left(n, i);
        v16 y = v16_mul(v16_load_n(args->x + i, lanes), v16_set1(scale));
        if (args->w) y = v16_mul(y, v16_load_n(args->w + i, lanes));
        v16_store_n(args->y + i, y, lanes);
    }
}

/* n <= 16 pairs of floats that lie next to each other. */
SIMD_INLINE void load_pairs(const float *p, int n, v16 *first, v16 *second) {
    int low = n < 8 ? n : 8;
    v16_unzip(v16_load_n(p, 2 * low), v16_load_n(p + 16, 2 * (n - low)), first, second);
}
SIMD_INLINE void store_pairs(float *p, int n, v16 first, v16 second) {
    int low = n < 8 ? n : 8;
    v16 a, b;
    v16_zip(first, second, &a, &b);
    v16_store_n(p, a, 2 * low);
    v16_store_n(p + 16, b, 2 * (n - low));
}

static void rope(const struct rope_args *args) {
    int half = args->n_rot / 2;
    for (int i = 0; i < half; i += 16) {
        int lanes = lanes_left(half, i);
        v16 a, b, cos_i, sin_i;
        load_pairs(args->cs + 2 * i, lanes, &cos_i, &sin_i);
        if (args->interleaved) {
            load_pairs(args->x + 2 * i, lanes, &a, &b);
        } else {
            a = v16_load_n(args->x + i, lanes);
            b = v16_load_n(args->x + half + i, lanes);
        }
        v16 turned_a = v16_fms(a, cos_i, v16_mul(b, sin_i));
        v16 turned_b = v16_fma(a, sin_i, v16_mul(b, cos_i));
        if (args->interleaved) {
            store_pairs(args->x + 2 * i, lanes, turned_a, turned_b);
        } else {
            v16_store_n(args->x + i, turned_a, lanes);
            v16_store_n(args->x + half + i, turned_b, lanes);
        }
    }
}

static void silu_mul(const float *gate, const float *up, float *y, int n) {
    for (int i = 0; i < n; i += 16) {
        int lanes = lanes_left(n, i);
        v16 g = v16_load_n(gate + i, lanes);
        v16 e = v16_exp(v16_sub(v16_zero(), g));
        v16 silu = v16_div(g, v16_add(v16_set1(1.0f), e));
        v16_store_n(y + i, v16_mul(silu, v16_load_n(up + i, lanes)), lanes);
    }
}

static void add(const float *x, float *y, int n) {
    for (int i = 0; i < n; i += 16) {
        int lanes = lanes_left(n, i);
        v16_store_n(y + i, v16_add(v16_load_n(y + i, lanes), v16_load_n(x + i, lanes)), lanes);
    }
}

static void add_scaled(float a, const float *x, float *y, int n) {
    for (int i = 0; i < n; i += 16) {
        int lanes = lanes_left(n, i);
        v16 sum = v16_fma(v16_set1(a), v16_load_n(x + i, lanes), v16_load_n(y + i, lanes));
        v16_store_n(y + i, sum, lanes);
    }
}

SIMD_INLINE v16 sigmoid(v16 x) {
    v16 one = v16_set1(1.0f);
    return v16_div(one, v16_add(one, v16_exp(v16_sub(v16_zero(), x))));
}

static void sigmoid_mul(const float *gate, bool one, float *y, int n) {
    v16 shared = sigmoid(v16_set1(gate[0]));
    for (int i = 0; i < n; i += 16) {
        int lanes = lanes_left(n, i);
        v16 s = one ? shared : sigmoid(v16_load_n(gate + i, lanes));
        v16_store_n(y + i, v16_mul(v16_load_n(y + i, lanes), s), lanes);
    }
}

/* x * 0 is NaN for an infinite or NaN x and a zero otherwise; a NaN then stays in its lane. */
static bool all_finite(const float *x, int n) {
    v16 sum = v16_zero();
    for (int i = 0; i < n; i += 16)
        sum = v16_fma(v16_load_n(x + i, lanes_left(n, i)), v16_zero(), sum);
    return v16_reduce_add(sum) == 0.0f;
}

void LEVEL_FN(fill_rows)(struct kernel_table *table) {
    table->rms_norm = rms_norm;
    table->rope = rope;
    table->silu_mul = silu_mul;
    table->add = add;
    table->add_scaled = add_scaled;
    table->sigmoid_mul = sigmoid_mul;
    table->all_finite = all_finite;
    table->row_name[KSLOT_rms_norm] = LEVEL_STR("rms_norm");
    table->row_name[KSLOT_rope] = LEVEL_STR("rope");
    table->row_name[KSLOT_silu_mul] = LEVEL_STR("silu_mul");
    table->row_name[KSLOT_add] = LEVEL_STR("add");
    table->row_name[KSLOT_add_scaled] = LEVEL_STR("add_scaled");
    table->row_name[KSLOT_sigmoid_mul] = LEVEL_STR("sigmoid_mul");
    table->row_name[KSLOT_all_finite] = LEVEL_STR("all_finite");
}
