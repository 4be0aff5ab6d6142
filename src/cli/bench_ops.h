/* `jinlin bench ops`: what the kernels reach on one core, beside what the core can do. */
#ifndef JL_CLI_BENCH_OPS_H
#define JL_CLI_BENCH_OPS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/status.h"

/* Every level the CPU has above the reference, or the one that JINLIN_CPU forces. Under a minute.
 * A table, or one JSON line; docs/bench.md says what the figures mean. */
enum jl_status bench_ops_run(FILE *out, bool json, struct jl_error *err);

#endif
