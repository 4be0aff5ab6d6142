#include "cli/bench_ops.h"
enum jl_status bench_ops_run(FILE *out, bool json, struct jl_error *err) {
    (void)out;
    (void)json;
    return jl_fail(err, JL_ERR_UNSUPPORTED, "x");
}
