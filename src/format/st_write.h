/* Writes the weights of a model folder as safetensors: one model.safetensors, or shards and their
 * index.
 *
 * Order of calls: create; add_tensor for each; data, tensor by tensor in the order they were added;
 * commit; free. The first failure sticks: later calls do nothing and commit reports it, so the adds
 * need no check each. Each file is whole or absent (base/file.h); a shard gets its name when its
 * last tensor is done and the index comes last, so that a folder without it holds no set. What the
 * reader would refuse is an error. */
#ifndef JL_FORMAT_ST_WRITE_H
#define JL_FORMAT_ST_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/dtype.h"

struct st_writer;

/* Into `folder`, which exists. A file takes tensors up to shard_bytes of data, at least one; 0: all
 * of them. */
enum jl_status st_writer_create(const char *folder, size_t shard_bytes, struct st_writer **out,
                                struct jl_error *err);
void st_writer_free(struct st_writer *writer); // NULL is fine

/* Another name than model.safetensors, below 64 bytes, for a writer without shards. */
void st_writer_rename(struct st_writer *writer, const char *name);

/* dim: n_dim of them, outermost first, as in struct tensor_info. */
void st_add_tensor(struct st_writer *writer, const char *name, enum dtype dtype, int n_dim,
                   const int64_t *dim);

/* The next bytes of the tensor being written; not past its end. Tensors added after the first call
 * are errors. */
enum jl_status st_write_data(struct st_writer *writer, const void *data, size_t bytes,
                             struct jl_error *err);
enum jl_status st_writer_commit(struct st_writer *writer, struct jl_error *err);

#endif
