/* The table: which level is taken, what is refused, and that no slot stays empty. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "data.h"
#include "tensor/kvchunk.h"

static void test_level_names(void **state) {
    (void)state;
    assert_string_equal(kernel_level_name(LEVEL_REF), "ref");
    assert_string_equal(kernel_level_name(LEVEL_AVX2), "avx2");
    assert_string_equal(kernel_level_name(LEVEL_AVX512), "avx512");
    assert_string_equal(kernel_level_name(LEVEL_NEON), "neon");
    assert_true(kernel_level_available(LEVEL_REF));
    assert_false(kernel_level_available(LEVEL_COUNT));
    assert_true(kernel_level_available(LEVEL_AVX2) || !kernel_level_available(LEVEL_AVX512));
    assert_false(kernel_level_built(LEVEL_NEON) && kernel_level_built(LEVEL_AVX2));
    assert_true(kernel_level_built(LEVEL_REF));
    assert_false(kernel_level_built(LEVEL_COUNT));
}

static void test_each_level(void **state) {
    (void)state;
    enum kernel_level best = LEVEL_REF;
    for (enum kernel_level level = LEVEL_REF; level < LEVEL_COUNT; level++)
        if (kernel_level_available(level)) best = level;
    for (enum kernel_level level = LEVEL_REF; level < LEVEL_COUNT; level++) {
        struct kernel_table table;
        struct jl_error err = {0};
        enum jl_status status = kernel_table_init(&table, kernel_level_name(level), &err);
        if (kernel_level_available(level)) {
            assert_int_equal(status, JL_OK);
            assert_int_equal(table.level, level);
        } else {
            assert_int_equal(status, JL_ERR_CPU);
            assert_int_equal(err.status, JL_ERR_CPU);
            assert_non_null(strstr(err.message, kernel_level_name(level)));
            assert_non_null(strstr(err.message, kernel_level_name(best)));
        }
    }
    struct kernel_table table;
    assert_int_equal(kernel_table_init(&table, NULL, NULL), JL_OK);
    assert_int_equal(table.level, best);
}

static void test_unknown_level(void **state) {
    (void)state;
    static const char *const names[] = {"", "AVX2", "avx", "avx5122", "ref ", "neon2", "%s%n"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct kernel_table table;
        struct jl_error err = {0};
        assert_int_equal(kernel_table_init(&table, names[i], &err), JL_ERR_USAGE);
        assert_int_equal(err.status, JL_ERR_USAGE);
        assert_non_null(strstr(err.message, names[i]));
        assert_non_null(strstr(err.message, "JINLIN_CPU"));
        assert_int_equal(kernel_table_init(&table, names[i], NULL), JL_ERR_USAGE);
    }
}

static void assert_body(const struct linear_body *body) {
    assert_non_null(body);
    assert_non_null(body->run);
    assert_non_null(body->name);
    assert_true(body->tile > 0);
}

static void test_no_empty_slot(void **state) {
    (void)state;
    static const struct {
        enum dtype w;
        enum xfmt x;
    } linear[] = {
#define X(w, x, name) {w, x},
        LINEAR_LIST(X)
#undef X
    };
    for (enum kernel_level level = LEVEL_REF; level < LEVEL_COUNT; level++) {
        struct kernel_table table;
        if (!data_table(kernel_level_name(level), &table)) continue;
#define X(slot, type) assert_true(table.slot != NULL);
        ROW_KERNEL_LIST(X)
#undef X
        for (int i = 0; i < KSLOT_ROW_COUNT; i++)
            assert_non_null(table.row_name[i]);
        for (int i = 0; i < ATTN_COUNT; i++) {
            assert_true(table.attn_chunk[i] != NULL);
            data_assert_level(table.attn_chunk_name[i], kernel_level_name(level));
        }
        for (size_t i = 0; i < sizeof linear / sizeof linear[0]; i++) {
            for (int rows = 1; rows < 300; rows = rows * 2 + 1)
                assert_body(kernel_linear(&table, linear[i].w, linear[i].x, rows));
            assert_int_equal(kernel_linear_scratch(&table, linear[i].w, linear[i].x, 1024) % 64, 0);
        }
        assert_null(kernel_linear(&table, DTYPE_I32, XFMT_F32, 1));
        assert_null(kernel_linear(&table, DTYPE_Q8_0, XFMT_F32, 1));
    }
}

static void run_nothing(const struct linear_args *args) { (void)args; }
static size_t scratch_100(int n_in) { return 100 + (size_t)n_in; }
static size_t scratch_200(int n_in) { return 200 + (size_t)n_in; }

/* gemm from gemm_rows on, wide from wide_rows on; each serves alone; the largest scratch counts. */
static void test_linear_choice(void **state) {
    (void)state;
    static const struct linear_body gemv = {.run = run_nothing, .name = "gemv", .tile = 1};
    static const struct linear_body gemm = {
        .run = run_nothing, .name = "gemm", .scratch_bytes = scratch_100, .tile = 1};
    static const struct linear_body wide = {
        .run = run_nothing, .name = "wide", .scratch_bytes = scratch_200, .tile = 1};
    static struct kernel_table table;
    table.gemv[DTYPE_F32][XFMT_F32] = &gemv;
    assert_ptr_equal(kernel_linear(&table, DTYPE_F32, XFMT_F32, 100), &gemv);
    assert_int_equal(kernel_linear_scratch(&table, DTYPE_F32, XFMT_F32, 7), 0);
    table.gemm[DTYPE_F32][XFMT_F32] = &gemm;
    table.gemm_rows[DTYPE_F32][XFMT_F32] = 5;
    assert_ptr_equal(kernel_linear(&table, DTYPE_F32, XFMT_F32, 4), &gemv);
    assert_ptr_equal(kernel_linear(&table, DTYPE_F32, XFMT_F32, 5), &gemm);
    assert_int_equal(kernel_linear_scratch(&table, DTYPE_F32, XFMT_F32, 29), 192);
    table.gemv[DTYPE_F32][XFMT_F32] = NULL;
    assert_ptr_equal(kernel_linear(&table, DTYPE_F32, XFMT_F32, 1), &gemm);
    table.wide[DTYPE_F32][XFMT_F32] = &wide;
    table.wide_rows[DTYPE_F32][XFMT_F32] = 9;
    assert_ptr_equal(kernel_linear(&table, DTYPE_F32, XFMT_F32, 8), &gemm);
    assert_ptr_equal(kernel_linear(&table, DTYPE_F32, XFMT_F32, 9), &wide);
    assert_int_equal(kernel_linear_kind(&table, DTYPE_F32, XFMT_F32, 9), LINEAR_WIDE);
    assert_int_equal(kernel_linear_scratch(&table, DTYPE_F32, XFMT_F32, 29), 256);
}

static void test_attn_kind(void **state) {
    (void)state;
    assert_int_equal(kernel_attn_kind(DTYPE_F32, false), ATTN_F32);
    assert_int_equal(kernel_attn_kind(DTYPE_F32, true), ATTN_F32);
    assert_int_equal(kernel_attn_kind(DTYPE_F16, true), ATTN_F16);
    assert_int_equal(kernel_attn_kind(DTYPE_BF16, false), ATTN_BF16_F32);
    assert_int_equal(kernel_attn_kind(DTYPE_BF16, true), ATTN_BF16);
    assert_int_equal(kernel_attn_kind(KV_Q8, false), ATTN_Q8);
    assert_int_equal(kernel_attn_kind(KV_Q8, true), ATTN_Q8);
    assert_int_equal(kernel_attn_kind(DTYPE_Q8_0, true), ATTN_COUNT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_level_names),   cmocka_unit_test(test_each_level),
        cmocka_unit_test(test_unknown_level), cmocka_unit_test(test_no_empty_slot),
        cmocka_unit_test(test_linear_choice), cmocka_unit_test(test_attn_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
