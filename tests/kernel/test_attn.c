/* Attention: every level equals the reference bit for bit; the reference equals a float64 softmax
 * within rounding; folding chunks is attention over all of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data.h"
#include "tensor/kvchunk.h"
#include "tensor/xrow.h"

static const uint64_t seed = 20261125;

static const enum dtype kv_type[ATTN_COUNT] = {
    [ATTN_F32] = DTYPE_F32,   [ATTN_F16] = DTYPE_F16, [ATTN_BF16_F32] = DTYPE_BF16,
    [ATTN_BF16] = DTYPE_BF16, [ATTN_Q8] = KV_Q8,
};

static size_t query_bytes(enum attn_kind kind, int d) {
    if (kind == ATTN_Q8) return xrow_layout(XFMT_Q8_32, kv_q8_query(d)).bytes;
    return (size_t)d * (kind == ATTN_BF16 ? 2 : 4);
}

/* x as a query of the kind. */
static void put_query(enum attn_kind kind, void *row, const float *x, int d) {
    float whole[608] = {0};
    struct kernel_table ref;
    switch (kind) {
    case ATTN_BF16:
        for (int i = 0; i < d; i++)
            ((uint16_t *)row)[i] = bf16_from_f32(x[i]);
        break;
    case ATTN_Q8:
        assert_true(data_table("ref", &ref));
        memcpy(whole, x, (size_t)d * sizeof *x);
        ref.to_q8_32(whole, row, kv_q8_query(d));
        break;
    default: memcpy(row, x, (size_t)d * sizeof *x); break;
    }
}

/* One call's data: q, k and v end at pages that cannot be read, positions that no query sees hold
 * NaN, and V ends with the last position that may be read. */
struct scene {
    struct attn_chunk_args args;
    struct guarded k, v, q, o, scratch;
    const void **q_rows;
    int *n_key;
    float *m, *l;
};

static int most_keys(const struct scene *s) {
    int most = 0;
    for (int r = 0; r < s->args.n_q; r++)
        most = s->n_key[r] > most ? s->n_key[r] : most;
    return most;
}

static void *checked(void *p) {
    assert_non_null(p);
    return p;
}

static void scene_fill_chunk(struct scene *s, enum attn_kind kind, enum flavour flavour,
                             struct rnd *rnd) {
    int d_k = s->args.d_k, d_v = s->args.d_v, most = most_keys(s);
    enum dtype kv = kv_type[kind];
    uint8_t *k = checked(malloc(kvchunk_bytes(kv, d_k)));
    uint8_t *v = checked(malloc(kvchunk_bytes(kv, d_v)));
    float *x = checked(malloc(1024 * sizeof *x));
    for (int j = 0; j < KV_CHUNK; j++) {
        for (int part = 0; part < 2; part++) {
            int d = part == 0 ? d_k : d_v;
            data_fill(rnd, flavour, x, (size_t)d);
            if (j >= most)
                for (int i = 0; i < d; i++)
                    x[i] = NAN;
            if (part == 0)
                kvchunk_put_key(kv, k, d, j, x);
            else
                kvchunk_put_value(kv, v, d, j, x);
        }
    }
    size_t k_bytes = kvchunk_bytes(kv, d_k) / 8 * (size_t)((most + 15) / 16);
    int rows = kv == DTYPE_BF16 ? (most + 1) / 2 * 2 : most;
    size_t v_bytes = kvchunk_bytes(kv, d_v) / KV_CHUNK * (size_t)rows;
    s->k = guarded_alloc(k_bytes);
    s->v = guarded_alloc(v_bytes);
    memcpy(s->k.data, k, k_bytes);
    memcpy(s->v.data, v, v_bytes);
    s->args.k = s->k.data;
    s->args.v = s->v.data;
    free(k);
    free(v);
    free(x);
}

/* n_key: a count all queries share, or -1 for random ones, or -2 for a causal staircase. */
static struct scene scene_make(enum attn_kind kind, int n_q, int d_k, int d_v, int n_key,
                               enum flavour flavour, struct rnd *rnd) {
    struct scene s = {.args = {.n_q = n_q, .d_k = d_k, .d_v = d_v, .scale = 0.125f}};
    size_t rows = (size_t)n_q, stride = (size_t)d_v + 3;
    s.n_key = checked(malloc(rows * sizeof *s.n_key));
    int first = rnd_int(rnd, 0, KV_CHUNK - 1);
    for (int r = 0; r < n_q; r++) {
        int stair = first + r < KV_CHUNK ? first + r : KV_CHUNK;
        s.n_key[r] = n_key >= 0 ? n_key : n_key == -1 ? rnd_int(rnd, 0, KV_CHUNK) : stair;
    }
    scene_fill_chunk(&s, kind, flavour, rnd);

    size_t q_bytes = query_bytes(kind, d_k);
    s.q = guarded_alloc(rows * q_bytes);
    s.q_rows = checked(malloc(rows * sizeof *s.q_rows));
    float *x = checked(malloc((size_t)d_k * sizeof *x));
    for (int r = 0; r < n_q; r++) {
        uint8_t *row = (uint8_t *)s.q.data + (size_t)r * q_bytes;
        data_fill(rnd, flavour, x, (size_t)d_k);
        put_query(kind, row, x, d_k);
        s.q_rows[r] = row;
    }
    free(x);
    s.o = guarded_alloc(((rows - 1) * stride + (size_t)d_v) * sizeof(float));
    s.scratch = guarded_alloc(rows * KV_CHUNK * sizeof(float));
    s.m = checked(calloc(rows, sizeof *s.m));
    s.l = checked(calloc(rows, sizeof *s.l));
    s.args.q = s.q_rows;
    s.args.n_key = s.n_key;
    s.args.m = s.m;
    s.args.l = s.l;
    s.args.o = s.o.data;
    s.args.o_stride = stride;
    s.args.scratch = s.scratch.data;
    return s;
}

static void scene_free(struct scene *s) {
    guarded_free(&s->k);
    guarded_free(&s->v);
    guarded_free(&s->q);
    guarded_free(&s->o);
    guarded_free(&s->scratch);
    free(s->q_rows);
    free(s->n_key);
    free(s->m);
    free(s->l);
}

static size_t o_floats(const struct scene *s) {
    return (size_t)(s->args.n_q - 1) * s->args.o_stride + (size_t)s->args.d_v;
}

static void compare(const struct kernel_table *ref, const struct kernel_table *level,
                    enum attn_kind kind, struct scene *s, const char *shape) {
    size_t rows = (size_t)s->args.n_q, n = o_floats(s);
    float *want = checked(malloc((n + 2 * rows) * sizeof *want));
    float *o = s->args.o;
    for (size_t i = 0; i < n; i++)
        o[i] = 7.0f; // what a body must leave: the gaps between rows, skipped queries
    for (size_t r = 0; r < rows; r++)
        s->m[r] = s->l[r] = 7.0f;
    ref->attn_chunk[kind](&s->args);
    memcpy(want, o, n * sizeof *want);
    memcpy(want + n, s->m, rows * sizeof *want);
    memcpy(want + n + rows, s->l, rows * sizeof *want);
    for (size_t i = 0; i < n; i++)
        o[i] = 7.0f;
    for (size_t r = 0; r < rows; r++)
        s->m[r] = s->l[r] = 7.0f;
    level->attn_chunk[kind](&s->args);
    if (!data_same("m", want + n, s->m, rows) || !data_same("l", want + n + rows, s->l, rows) ||
        !data_same("o", want, o, n))
        fail_msg("%s: seed %llu, %s, n_q %d, d_k %d, d_v %d, n_key[0] %d",
                 level->attn_chunk_name[kind], (unsigned long long)seed, shape, s->args.n_q,
                 s->args.d_k, s->args.d_v, s->n_key[0]);
    free(want);
}

static void try_one(const struct kernel_table *ref, const struct kernel_table *level,
                    enum attn_kind kind, const int shape[4], enum flavour flavour,
                    struct rnd *rnd) {
    static const char *const names[] = {"plain", "wide", "tiny", "corner", "bits"};
    struct scene s = scene_make(kind, shape[0], shape[1], shape[2], shape[3], flavour, rnd);
    compare(ref, level, kind, &s, names[flavour]);
    scene_free(&s);
}

static void chunk_level(const struct kernel_table *ref, const struct kernel_table *level,
                        enum attn_kind kind) {
    static const int dims[][2] = {{2, 2},   {4, 6},     {8, 8},     {10, 14},   {16, 16},
                                  {24, 24}, {30, 34},   {40, 48},   {64, 64},   {80, 80},
                                  {96, 96}, {112, 112}, {128, 128}, {192, 128}, {256, 256}};
    struct rnd rnd = {seed};
    assert_ptr_not_equal(level->attn_chunk[kind], ref->attn_chunk[kind]);
    data_assert_level(level->attn_chunk_name[kind], kernel_level_name(level->level));
    for (int n_key = 0; n_key <= KV_CHUNK; n_key++) {
        try_one(ref, level, kind, (int[]){1, 24, 22, n_key}, n_key % FLAVOUR_COUNT, &rnd);
        try_one(ref, level, kind, (int[]){1 + n_key % 7, 16, 16, n_key}, FLAVOUR_PLAIN, &rnd);
    }
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++)
        for (int f = 0; f < FLAVOUR_COUNT; f++) {
            int d_k = dims[i][0], d_v = dims[i][1];
            try_one(ref, level, kind, (int[]){rnd_int(&rnd, 1, 8), d_k, d_v, -1}, f, &rnd);
            try_one(ref, level, kind, (int[]){rnd_int(&rnd, 1, 8), d_k, d_v, 128}, f, &rnd);
            try_one(ref, level, kind, (int[]){rnd_int(&rnd, 8, 20), d_k, d_v, -2}, f, &rnd);
        }
    for (int n_q = 1; n_q <= 20; n_q++)
        try_one(ref, level, kind, (int[]){n_q, 32, 72, n_q % 2 ? -1 : 127}, FLAVOUR_WIDE, &rnd);
    try_one(ref, level, kind, (int[]){64, 64, 64, -2}, FLAVOUR_PLAIN, &rnd);
    try_one(ref, level, kind, (int[]){64, 16, 24, -1}, FLAVOUR_TINY, &rnd);
    try_one(ref, level, kind, (int[]){3, 576, 512, -1}, FLAVOUR_PLAIN, &rnd);
}

static void fold_level(const struct kernel_table *ref, const struct kernel_table *level) {
    struct rnd rnd = {seed + 1};
    assert_ptr_not_equal(level->attn_fold, ref->attn_fold);
    data_assert_level(level->row_name[KSLOT_attn_fold], kernel_level_name(level->level));
    for (int i = 0; i < 70 * FLAVOUR_COUNT; i++) {
        int d = i % 70 + 1;
        float run[2][74], part[74]; // m, l, o, one spare
        data_fill(&rnd, i / 70, run[0], 74);
        data_fill(&rnd, i / 70, part, 74);
        memcpy(run[1], run[0], sizeof run[0]);
        for (int k = 0; k < 2; k++) {
            struct attn_fold_args args = {.d_v = d,
                                          .m = run[k],
                                          .l = run[k] + 1,
                                          .o = run[k] + 2,
                                          .part_m = part,
                                          .part_l = part + 1,
                                          .part_o = part + 2,
                                          .fresh = i % 7 == 0};
            (k ? level : ref)->attn_fold(&args);
        }
        if (!data_same("attn_fold", run[0], run[1], 74))
            fail_msg("attn_fold.%s: seed %llu, d %d, flavour %d", kernel_level_name(level->level),
                     (unsigned long long)(seed + 1), d, i / 70);
    }
}

static void test_levels(void **state) {
    (void)state;
    struct kernel_table ref, table;
    assert_true(data_table("ref", &ref));
    for (enum kernel_level level = LEVEL_REF + 1; level < LEVEL_COUNT; level++) {
        if (!data_table(kernel_level_name(level), &table)) continue;
        for (enum attn_kind kind = 0; kind < ATTN_COUNT; kind++)
            chunk_level(&ref, &table, kind);
        fold_level(&ref, &table);
    }
}

/* q8: one number so large that the others of its block become zeros, blocks of zeros, blocks of
 * denormals, and largest scores and products: the bits of ref at each level, and what the rule says
 * of them. */
static void test_q8_extremes(void **state) {
    (void)state;
    enum { D = 80 };
    static const float huge[] = {1e30f, 1e37f, 1e-30f, 0x1p-126f, 1e-40f, 0};
    struct kernel_table ref;
    assert_true(data_table("ref", &ref));
    for (size_t h = 0; h < sizeof huge / sizeof huge[0]; h++) {
        struct rnd rnd = {seed + 4};
        _Alignas(64) static uint8_t k[KV_CHUNK * D * 2], v[KV_CHUNK * D * 2];
        _Alignas(64) uint8_t query[256];
        _Alignas(64) float scratch[KV_CHUNK];
        float x[D], m[2], l[2], o[2][D];
        const void *row[1] = {query};
        int n = KV_CHUNK - 3;
        assert_true(kvchunk_bytes(KV_Q8, D) <= sizeof k);
        for (int j = 0; j < KV_CHUNK; j++) {
            data_fill(&rnd, FLAVOUR_PLAIN, x, D);
            x[j % D] = huge[h];
            if (j % 3 == 0) memset(x + 32, 0, 32 * sizeof *x);
            kvchunk_put_key(KV_Q8, k, D, j, x);
            kvchunk_put_value(KV_Q8, v, D, j, x);
        }
        data_fill(&rnd, FLAVOUR_PLAIN, x, D);
        put_query(ATTN_Q8, query, x, D);
        struct attn_chunk_args args = {.n_q = 1,
                                       .d_k = D,
                                       .d_v = D,
                                       .q = row,
                                       .n_key = &n,
                                       .k = k,
                                       .v = v,
                                       .scale = huge[h] > 1 ? 1 / huge[h] : 1,
                                       .o_stride = D,
                                       .scratch = scratch};
        args.m = &m[0], args.l = &l[0], args.o = o[0];
        ref.attn_chunk[ATTN_Q8](&args);
        assert_true(m[0] - m[0] == 0 && l[0] >= 1);
        for (enum kernel_level level = LEVEL_REF + 1; level < LEVEL_COUNT; level++) {
            struct kernel_table table;
            if (!data_table(kernel_level_name(level), &table)) continue;
            args.m = &m[1], args.l = &l[1], args.o = o[1];
            table.attn_chunk[ATTN_Q8](&args);
            if (!data_same("m", m, m + 1, 1) || !data_same("l", l, l + 1, 1) ||
                !data_same("o", o[0], o[1], D))
                fail_msg("%s: seed %llu, largest %g", table.attn_chunk_name[ATTN_Q8],
                         (unsigned long long)(seed + 4), (double)huge[h]);
        }
    }
}

/* A score of -0 and one of +0 have the same largest: +0. */
static void test_zero_scores(void **state) {
    (void)state;
    for (enum kernel_level level = LEVEL_REF; level < LEVEL_COUNT; level++) {
        struct kernel_table table;
        if (!data_table(kernel_level_name(level), &table)) continue;
        float k[KV_CHUNK * 2] = {0}, v[KV_CHUNK * 2] = {0}, q[2] = {0x1p-100f, 0};
        kvchunk_put_key(DTYPE_F32, k, 2, 0, (float[]){-0x1p-100f, 0}); // flushed to -0, then +0
        kvchunk_put_key(DTYPE_F32, k, 2, 1, (float[]){0, 0});
        const void *rows[1] = {q};
        float m, l, o[2];
        _Alignas(64) float scratch[KV_CHUNK];
        struct attn_chunk_args args = {.n_q = 1,
                                       .d_k = 2,
                                       .d_v = 2,
                                       .q = rows,
                                       .k = k,
                                       .v = v,
                                       .scale = -1.0f,
                                       .m = &m,
                                       .l = &l,
                                       .o = o,
                                       .o_stride = 2,
                                       .scratch = scratch};
        for (int n_key = 1; n_key <= 2; n_key++) {
            args.n_key = &n_key;
            table.attn_chunk[ATTN_F32](&args);
            assert_true(m == 0.0f && !signbit(m));
            assert_true(l == (float)n_key);
        }
    }
}

/* Attention over n_pos positions in chunks against a softmax in double. */
static double worst_error(const struct kernel_table *table, enum attn_kind kind, int n_pos) {
    enum { D = 64, N_MAX = 3 * KV_CHUNK };
    static float keys[N_MAX][D], values[N_MAX][D];
    _Alignas(64) static uint8_t k[KV_CHUNK * D * 4], v[KV_CHUNK * D * 4];
    _Alignas(64) float scratch[KV_CHUNK];
    struct rnd rnd = {seed + 2};
    float q[D], m, l, o[D], part_m, part_l, part_o[D];
    _Alignas(64) uint8_t q_row[D * 4];
    data_fill(&rnd, FLAVOUR_PLAIN, q, D);
    data_fill(&rnd, FLAVOUR_PLAIN, keys[0], (size_t)n_pos * D);
    data_fill(&rnd, FLAVOUR_PLAIN, values[0], (size_t)n_pos * D);
    put_query(kind, q_row, q, D);
    const void *row[1] = {q_row};
    for (int start = 0; start < n_pos; start += KV_CHUNK) {
        int n = n_pos - start < KV_CHUNK ? n_pos - start : KV_CHUNK;
        for (int j = 0; j < n; j++) {
            kvchunk_put_key(kv_type[kind], k, D, j, keys[start + j]);
            kvchunk_put_value(kv_type[kind], v, D, j, values[start + j]);
        }
        struct attn_chunk_args args = {.n_q = 1,
                                       .d_k = D,
                                       .d_v = D,
                                       .q = row,
                                       .n_key = &n,
                                       .k = k,
                                       .v = v,
                                       .scale = 0.125f,
                                       .m = &part_m,
                                       .l = &part_l,
                                       .o = part_o,
                                       .o_stride = D,
                                       .scratch = scratch};
        table->attn_chunk[kind](&args);
        table->attn_fold(&(struct attn_fold_args){D, &m, &l, o, &part_m, &part_l, part_o, !start});
    }
    table->attn_finish(o, l, D);

    double p[N_MAX], top = -HUGE_VAL, sum = 0, worst = 0;
    for (int j = 0; j < n_pos; j++) {
        p[j] = 0;
        for (int i = 0; i < D; i++)
            p[j] += (double)q[i] * (double)keys[j][i] * 0.125;
        top = fmax(top, p[j]);
    }
    for (int j = 0; j < n_pos; j++)
        sum += p[j] = exp(p[j] - top);
    for (int i = 0; i < D; i++) {
        double want = 0;
        for (int j = 0; j < n_pos; j++)
            want += p[j] / sum * (double)values[j][i];
        worst = fmax(worst, fabs(want - (double)o[i]));
    }
    return worst;
}

static void test_accuracy(void **state) {
    (void)state;
    static const double limit[ATTN_COUNT] = {2e-6, 2e-3, 2e-2, 3e-2, 3e-2};
    for (enum kernel_level level = LEVEL_REF; level < LEVEL_COUNT; level++) {
        struct kernel_table table;
        if (!data_table(kernel_level_name(level), &table)) continue;
        for (enum attn_kind kind = 0; kind < ATTN_COUNT; kind++)
            for (int n_pos = 1; n_pos <= 384; n_pos += n_pos < 3 ? 1 : 53) {
                double error = worst_error(&table, kind, n_pos);
                if (!(error <= limit[kind]))
                    fail_msg("%s: %d positions, error %g", table.attn_chunk_name[kind], n_pos,
                             error);
            }
    }
}

/* The reference's bits themselves: they change with the rules' version and for no other reason. */
static void test_pinned(void **state) {
    (void)state;
    static const uint64_t want[ATTN_COUNT] = {
        UINT64_C(0xf62db705611fdc9a), UINT64_C(0xab7cbee2204960dd), UINT64_C(0xc60fc3fa59cbed06),
        UINT64_C(0x4434999785aaa180), UINT64_C(0xfb78396d3596eda7)};
    struct kernel_table ref;
    assert_true(data_table("ref", &ref));
    for (enum attn_kind kind = 0; kind < ATTN_COUNT; kind++) {
        struct rnd rnd = {seed + 3};
        uint64_t sum = DATA_CHECKSUM;
        for (enum flavour f = FLAVOUR_PLAIN; f <= FLAVOUR_TINY; f++) {
            struct scene s = scene_make(kind, 5, 48, 40, -2, f, &rnd);
            if (f == FLAVOUR_WIDE) s.args.scale = 0x1p-70f;
            memset(s.args.o, 0, o_floats(&s) * sizeof(float));
            ref.attn_chunk[kind](&s.args);
            sum = data_checksum(sum, s.m, 5);
            sum = data_checksum(sum, s.l, 5);
            sum = data_checksum(sum, s.args.o, o_floats(&s));
            scene_free(&s);
        }
        if (sum != want[kind])
            fail_msg("%s: checksum 0x%016llx, want 0x%016llx", ref.attn_chunk_name[kind],
                     (unsigned long long)sum, (unsigned long long)want[kind]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_levels, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_q8_extremes, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_zero_scores, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_accuracy, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_pinned, data_enter, data_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
