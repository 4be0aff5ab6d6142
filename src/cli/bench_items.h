/* What `bench ops` times: one item a kernel body and shape, or a ceiling; all on one core.
 *
 * An item's run() does the same work each time on data of its own. */
#ifndef JL_CLI_BENCH_ITEMS_H
#define JL_CLI_BENCH_ITEMS_H

#include "cli/peaks/peaks.h"
#include "kernel/kernel.h"

/* The ceiling an item is measured against: enum peak_id, or one of these. */
#define BENCH_DRAM PEAK_COUNT
#define BENCH_NO_CEILING (PEAK_COUNT + 1)

struct bench_item {
    enum kernel_level level;
    const char *op;   // "gemm", "gemv", "gemv L2", "attn", "recur", "row"; a ceiling: "ceiling"
    const char *body; // "gemm_q8_0.avx512"; a ceiling: its name
    const char *unit; // "GB/s", "GFLOP/s" or "GOP/s"
    int rows;         // rows, queries or tokens a call
    int ceiling;
    double work; // of one run, in bytes or operations
    void (*run)(struct bench_item *item);
    int times;       // runs a sample
    double *samples; // (rounds) work a second

    union {
        struct {
            const struct peak_loop *loop;
            long iterations;
        } peak;
        struct {
            const uint8_t *bytes; // BENCH_STREAM_BYTES
            uint64_t *seen;       // what they add up to, so that reading them is no dead code
            size_t ahead;         // bytes to prefetch ahead; 0: not
        } stream;
        struct {
            const struct linear_body *body;
            struct linear_args args; // w: the first matrix; out1: fewer where the body is slow
            size_t matrix_bytes;
            int n_matrix, next; // runs go round the matrices
            int n_out;          // of a run that is not cut short
        } linear;
        struct {
            void (*run)(const struct attn_chunk_args *args);
            struct attn_chunk_args args; // k, v: the first chunk
            size_t chunk_bytes;
        } attn;
        struct {
            void (*run)(const struct delta_args *args);
            struct delta_args args; // from, to: the first head's
            size_t head_floats;
            int n_head, next; // runs go round the heads
        } delta;
        struct {
            void (*run)(const struct conv_silu_args *args);
            struct conv_silu_args args;
        } conv;
        struct {
            const struct kernel_table *table;
            enum kernel_slot slot;
            const float *a, *b; // (BENCH_N)
            void *y;
        } row;
    } u;
};

#define BENCH_N 2048                           // n_in and n_out of a matrix, n of a row kernel
#define BENCH_WEIGHT_BYTES ((size_t)128 << 20) // matrices of one type, for gemv
#define BENCH_STREAM_BYTES ((size_t)256 << 20) // the linear stream

struct bench_skip { // a slot that no body but the reference's serves
    enum kernel_level level;
    const char *op, *body;
};

struct bench_items {
    struct bench_item *items;
    int n_item;
    struct bench_skip *skips;
    int n_skip;
    double *samples;
    struct bench_data *data;
};

/* All items of the levels (tables in order of level). A slot filled by the reference's body is
 * listed in skips, except in a table of level ref. */
enum jl_status bench_items_create(const struct kernel_table *tables, int n_table, int rounds,
                                  struct bench_items *out, struct jl_error *err);
void bench_items_free(struct bench_items *items);

/* Sizes a sample to about `seconds`, at the price of a run or two. */
void bench_item_calibrate(struct bench_item *item, double seconds);
/* Work a second of processor time, over item->times runs. */
double bench_item_sample(struct bench_item *item);

/* Processor time of this thread: on a machine shared with others it leaves out the time they had.
 */
double bench_seconds(void);

#endif
