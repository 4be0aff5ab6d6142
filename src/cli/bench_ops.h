#ifndef JL_CLI_BENCH_OPS_H
#define JL_CLI_BENCH_OPS_H
#include "base/status.h"
#include <stdbool.h>
#include <stdio.h>
enum jl_status bench_ops_run(FILE *out, bool json, struct jl_error *err);
#endif
