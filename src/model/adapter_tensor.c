/* Single tensors of an adapter's file. */
#include <math.h>

#include "format/report.h"
#include "model/adapter_self.h"

enum jl_status adapter_tensor_bad(const struct adapter_file *file, const struct tensor_info *t,
                                  const char *what, struct jl_error *err) {
    return report_fail(err, JL_ERR_FORMAT, file->path, "tensor %s %s",
                       report_quote_str(t->name).text, what);
}

bool adapter_tensor_dims(const struct tensor_info *t, bool experts, int64_t dim[3]) {
    if (t->n_dim < 1 || t->n_dim > 2 + experts) return false;
    for (int i = 0; i < 3; i++)
        dim[i] = i < 3 - t->n_dim ? 1 : t->dim[i - (3 - t->n_dim)];
    return true;
}

enum jl_status adapter_tensor_row(const struct adapter_file *file, const struct tensor_info *t,
                                  int64_t row, int64_t cols, float *to, struct jl_error *err) {
    size_t stride;
    if (dtype_row(t->dtype)->x_f32 == XFMT_NONE || t->dtype == DTYPE_F8_E4M3 ||
        !dtype_row_bytes(t->dtype, cols, &stride))
        return report_fail(err, JL_ERR_UNSUPPORTED, file->path,
                           "tensor %s is %s; an adapter's are F32, F16, BF16 or quantised",
                           report_quote_str(t->name).text, dtype_name(t->dtype));
    dtype_dequantize(t->dtype, t->data + (size_t)row * stride, to, cols);
    for (int64_t i = 0; i < cols; i++)
        if (!isfinite(to[i]))
            return adapter_tensor_bad(file, t, "holds a number that is not finite", err);
    return JL_OK;
}
