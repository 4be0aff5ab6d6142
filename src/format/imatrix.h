/* Importance matrices: for each weight matrix the sum of the squares of what each of its columns
 * was multiplied with, over the vectors that were seen. As llama.cpp's imatrix writes them: GGUF
 * files (general.type "imatrix"; tensors NAME.in_sum2 and NAME.counts), and the older .dat files,
 * which are only read. */
#ifndef JL_FORMAT_IMATRIX_H
#define JL_FORMAT_IMATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

/* The mean of a column is value / count, of a matrix without a count 1. A .dat file has one count
 * for all, in chunks rather than vectors. */
struct imatrix_entry {
    const char *name;    // of the weight in a GGUF file, "blk.0.attn_q.weight"
    const float *values; // n_value: of each expert its columns
    const float *counts; // n_count: one, or one an expert
    size_t n_value, n_count;
};

struct imatrix {
    struct imatrix_entry *entries; // sorted by name
    size_t n;
    int64_t n_chunk, chunk_size; // what was run; 0 when unknown
    const char *dataset;         // the last one named, or ""
};

/* All values are finite and none is negative, or the file is refused. Everything lives in `arena`;
 * `bytes` may go. `file` names them in messages. */
enum jl_status imatrix_parse(const uint8_t *bytes, size_t size, const char *file,
                             struct arena *arena, struct imatrix *out, struct jl_error *err);
enum jl_status imatrix_read(const char *path, struct arena *arena, struct imatrix *out,
                            struct jl_error *err);
enum jl_status imatrix_write(const char *path, const struct imatrix *imatrix, struct jl_error *err);

const struct imatrix_entry *imatrix_find(const struct imatrix *imatrix, const char *name);

/* Whether the entry is one of `n_matrix` matrices of `n_in` columns. */
bool imatrix_fits(const struct imatrix_entry *entry, int64_t n_in, int64_t n_matrix);
/* The means of one matrix's columns into out (n_in) of an entry that fits. */
void imatrix_means(const struct imatrix_entry *entry, int64_t n_in, int64_t matrix, float *out);

#endif
