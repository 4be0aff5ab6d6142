/* Quantisers beside llama.cpp's: every tensor of its files of a small model, quantised again from
 * the F32 file, has at most the square error that llama.cpp left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "format/model_file.h"
#include "tensor/quant.h"

#define SHARED "../shared/golden-gguf/small-llama."

static struct model_file *open_file(const char *path) {
    struct model_file *file;
    struct jl_error err;
    if (model_file_open(path, &file, &err) != JL_OK) fail_msg("%s", err.message);
    return file;
}

static double square_error(const float *x, const float *y, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    return sum;
}

struct errors {
    double ours, theirs;
};

static struct errors errors_of(const struct tensor_info *values, const struct tensor_info *t) {
    int64_t n = t->dim[t->n_dim - 1], rows = 1;
    struct errors sum = {0};
    size_t row_bytes;
    for (int d = 0; d < t->n_dim - 1; d++)
        rows *= t->dim[d];
    assert_true(dtype_row_bytes(t->dtype, n, &row_bytes));
    assert_int_equal(values->bytes, (size_t)(n * rows) * sizeof(float));
    float *x = malloc((size_t)n * sizeof *x), *y = malloc((size_t)n * sizeof *y);
    uint8_t *row = malloc(row_bytes);
    assert_true(x && y && row);
    for (int64_t r = 0; r < rows; r++) {
        memcpy(x, values->data + (size_t)(r * n) * sizeof *x, (size_t)n * sizeof *x);
        dtype_dequantize(t->dtype, t->data + (size_t)r * row_bytes, y, n);
        sum.theirs += square_error(x, y, n);
        assert_true(dtype_quantize(t->dtype, x, NULL, row, n));
        dtype_dequantize(t->dtype, row, y, n);
        sum.ours += square_error(x, y, n);
    }
    free(x);
    free(y);
    free(row);
    return sum;
}

static void test_errors(void **state) {
    (void)state;
    static const char *const types[] = {"q4_0",   "q8_0", "q2_k",   "q3_k_m", "q4_k_m",
                                        "q5_k_m", "q6_k", "iq4_nl", "iq4_xs"};
    if (access(SHARED "f32.gguf", R_OK)) {
        print_message("SKIPPED: %sf32.gguf is not beside this checkout\n", SHARED);
        skip();
    }
    struct model_file *values = open_file(SHARED "f32.gguf");
    struct errors all[DTYPE_COUNT] = {0};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, SHARED "%s.gguf", types[i]);
        struct model_file *file = open_file(path);
        for (size_t k = 0; k < file->n_tensor; k++) {
            const struct tensor_info *t = &file->tensors[k];
            if (dtype_row(t->dtype)->block == 1) continue;
            const struct tensor_info *from = model_file_find(values, t->name);
            assert_non_null(from);
            struct errors sum = errors_of(from, t);
            all[t->dtype].ours += sum.ours;
            all[t->dtype].theirs += sum.theirs;
            if (!(sum.ours <= sum.theirs))
                fail_msg("%s, %s as %s: %g, llama.cpp has %g", path, t->name, dtype_name(t->dtype),
                         sum.ours, sum.theirs);
        }
        model_file_free(file);
    }
    model_file_free(values);
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (all[i].theirs > 0)
            print_message("%s: %.3f of llama.cpp's square error\n", dtype_name((enum dtype)i),
                          all[i].ours / all[i].theirs);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
