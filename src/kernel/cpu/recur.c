/* Recurrent mixers over the vector vocabulary; kernel/ref/recur.c is their readable form.
 *
 * Lanes are channels, or columns of the state: neither meet, so every chain runs as written and a
 * block of channels or columns can walk all its tokens before the next block begins, with its part
 * of the state in the first cache. */
#include "kernel/cpu/simd.h"
#include "kernel/fill.h"
#include "kernel/norm.h"
#include "kernel/ref/softplus.h"

static inline int lanes_left(int n, int i) { return n - i < 16 ? n - i : 16; }

SIMD_INLINE v16 softplus(v16 x) {
    v16 zero = v16_zero(), one = v16_set1(1.0f), two = v16_set1(2.0f);
    v16 u = v16_exp(v16_sub(zero, v16_max(x, v16_sub(zero, x))));
    v16 s = v16_div(u, v16_add(two, u));
    v16 z = v16_mul(s, s);
    v16 p = v16_set1(ATANH_C7);
    p = v16_fma(p, z, v16_set1(ATANH_C6));
    p = v16_fma(p, z, v16_set1(ATANH_C5));
    p = v16_fma(p, z, v16_set1(ATANH_C4));
    p = v16_fma(p, z, v16_set1(ATANH_C3));
    p = v16_fma(p, z, v16_set1(ATANH_C2));
    p = v16_fma(p, z, v16_set1(ATANH_C1));
    p = v16_fma(p, z, one);
    return v16_fma(v16_add(s, s), p, v16_max(x, zero));
}

static void sigmoid(const float *x, float *y, int n) {
    v16 one = v16_set1(1.0f);
    for (int i = 0; i < n; i += 16) {
        int lanes = lanes_left(n, i);
        v16 e = v16_exp(v16_sub(v16_zero(), v16_load_n(x + i, lanes)));
        v16_store_n(y + i, v16_div(one, v16_add(one, e)), lanes);
    }
}

static void decay(const float *a, const float *x, float *y, int n) {
    for (int i = 0; i < n; i += 16) {
        int lanes = lanes_left(n, i);
        v16 rate = softplus(v16_load_n(x + i, lanes));
        v16_store_n(y + i, v16_exp(v16_mul(v16_load_n(a + i, lanes), rate)), lanes);
    }
}

static void l2_norm(const struct l2_norm_args *args) {
    int n = args->n;
    v16 sum = v16_zero();
    for (int i = 0; i < n; i += 16) { // an absent +0 leaves its lane
        v16 x = v16_load_n(args->x + i, lanes_left(n, i));
        sum = v16_fma(x, x, sum);
    }
    float scale = norm_scale(v16_reduce_add(sum) + args->eps);
    for (int i = 0; i < n; i += 16) {
        int lanes = lanes_left(n, i);
        v16 y = v16_mul(v16_load_n(args->x + i, lanes), v16_set1(scale));
        v16_store_n(args->y + i, v16_mul(y, v16_set1(args->scale)), lanes);
    }
}

/* Channels that walk their tokens together: enough of a row for the prefetcher, with their past
 * inputs and taps in the first cache. */
#define CONV_BLOCK 256

/* n channels from c on. Input u - (n_tap - 1) is in row u % n_tap of `past`, so x may be
 * overwritten. n_tap is a constant where it is a usual one. */
SIMD_INLINE void conv_block(const struct conv_silu_args *args, int n_tap, int c, int n) {
    size_t width = (size_t)args->n_channel, bytes = (size_t)n * sizeof(float);
    float past[CONV_MAX_TAP][CONV_BLOCK];
    for (int j = 0; j < n_tap - 1; j++)
        memcpy(past[j], args->from + (size_t)j * width + c, bytes);
    for (int t = 0; t < args->n_token; t++) {
        const float *input[CONV_MAX_TAP] = {0}; // oldest first
        float *y = args->y + (size_t)t * args->y_stride + c;
        memcpy(past[(t + n_tap - 1) % n_tap], args->x + (size_t)t * args->x_stride + c, bytes);
        SIMD_UNROLL for (int j = 0; j < n_tap; j++) input[j] = past[(t + j) % n_tap];
        for (int i = 0; i < n; i += 16) {
            int lanes = lanes_left(n, i);
            const float *w = args->w + c + i;
            v16 acc = v16_zero();
            SIMD_UNROLL for (int j = 0; j < n_tap; j++) acc =
                v16_fma(v16_load_n(w + (size_t)j * width, lanes), v16_load(input[j] + i), acc);
            v16 e = v16_exp(v16_sub(v16_zero(), acc));
            v16_store_n(y + i, v16_div(acc, v16_add(v16_set1(1.0f), e)), lanes);
        }
    }
    for (int j = 0; j < n_tap - 1; j++)
        memcpy(args->to + (size_t)j * width + c, past[(args->n_token + j) % n_tap], bytes);
}

static void conv_silu(const struct conv_silu_args *args) {
    for (int c = args->channel0; c < args->channel1; c += CONV_BLOCK) {
        int n = args->channel1 - c < CONV_BLOCK ? args->channel1 - c : CONV_BLOCK;
        if (args->n_tap == 4)
            conv_block(args, 4, c, n);
        else
            conv_block(args, args->n_tap, c, n);
    }
}

/* Groups of 16 columns that share each key and query: enough chains to hide the latency of an fma,
 * few enough to stay in registers. */
#define DELTA_GROUPS (SIMD_REGISTERS >= 32 ? 4 : 2)

/* Columns v .. of n_group groups over all tokens; `lanes` of each group, 16 but in the last. */
SIMD_INLINE void delta_groups(const struct delta_args *args, int v, int n_group, int lanes) {
    size_t group = (size_t)args->d_k * 16, first = delta_state_at(args->d_k, 0, v);
    size_t decay_step = args->n_decay == 1 ? 0 : 1;
    const float *from = args->from + first;
    float *to = args->to + first;
    for (int t = 0; t < args->n_token; t++) {
        const float *q = args->q.at + (size_t)t * args->q.stride;
        const float *k = args->k.at + (size_t)t * args->k.stride;
        const float *decay = args->decay.at + (size_t)t * args->decay.stride;
        const float *value = args->v.at + (size_t)t * args->v.stride + v;
        float *out = args->o + (size_t)t * args->o_stride + v;
        v16 beta = v16_set1(args->beta.at[(size_t)t * args->beta.stride]);
        v16 known[DELTA_GROUPS], delta[DELTA_GROUPS], o[DELTA_GROUPS];
        SIMD_UNROLL for (int g = 0; g < n_group; g++) known[g] = o[g] = v16_zero();
        for (int i = 0; i < args->d_k; i++) {
            v16 key = v16_set1(k[i]), factor = v16_set1(decay[(size_t)i * decay_step]);
            SIMD_UNROLL for (int g = 0; g < n_group; g++) {
                v16 s = v16_load_n(from + (size_t)g * group + (size_t)i * 16, lanes);
                known[g] = v16_fma(v16_mul(s, factor), key, known[g]);
            }
        }
        SIMD_UNROLL for (int g = 0; g < n_group; g++) delta[g] =
            v16_mul(v16_sub(v16_load_n(value + 16 * g, lanes), known[g]), beta);
        for (int i = 0; i < args->d_k; i++) {
            v16 key = v16_set1(k[i]), factor = v16_set1(decay[(size_t)i * decay_step]);
            v16 query = v16_set1(q[i]);
            SIMD_UNROLL for (int g = 0; g < n_group; g++) {
                size_t at = (size_t)g * group + (size_t)i * 16;
                v16 s = v16_mul(v16_load_n(from + at, lanes), factor); // the same bits once more
                s = v16_fma(key, delta[g], s);
                v16_store_n(to + at, s, lanes);
                o[g] = v16_fma(s, query, o[g]);
            }
        }
        SIMD_UNROLL for (int g = 0; g < n_group; g++) v16_store_n(out + 16 * g, o[g], lanes);
        from = to;
    }
}

static void delta(const struct delta_args *args) {
    int v = 0;
    for (; v + 16 * DELTA_GROUPS <= args->d_v; v += 16 * DELTA_GROUPS)
        delta_groups(args, v, DELTA_GROUPS, 16);
    for (; v + 16 <= args->d_v; v += 16)
        delta_groups(args, v, 1, 16);
    if (v < args->d_v) delta_groups(args, v, 1, args->d_v - v);
}

void LEVEL_FN(fill_recur)(struct kernel_table *table) {
    table->sigmoid = sigmoid;
    table->decay = decay;
    table->l2_norm = l2_norm;
    table->conv_silu = conv_silu;
    table->delta = delta;
    table->row_name[KSLOT_sigmoid] = LEVEL_STR("sigmoid");
    table->row_name[KSLOT_decay] = LEVEL_STR("decay");
    table->row_name[KSLOT_l2_norm] = LEVEL_STR("l2_norm");
    table->row_name[KSLOT_conv_silu] = LEVEL_STR("conv_silu");
    table->row_name[KSLOT_delta] = LEVEL_STR("delta");
}
