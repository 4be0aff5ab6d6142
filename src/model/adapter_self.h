/* Inside adapters: from a role to the tensors of an adapter's file. */
#ifndef JL_MODEL_ADAPTER_SELF_H
#define JL_MODEL_ADAPTER_SELF_H

#include "model/adapter.h"
#include "model/bind.h"

#define ADAPTER_NAME (BIND_NAME + 64)

/* ---- names and orders of files: adapter_layout.c ---- */

/* The two tensors beside the base's tensor `name` ("model.layers.0.mlp.up_proj.weight"). */
void adapter_tensor_name(enum model_file_kind kind, enum role_id role, const char *name, bool is_b,
                         char out[ADAPTER_NAME]);

/* Folders have A of an embedding as (rank, n_in), like any other: not as a pair has it. */
bool adapter_a_turned(enum model_file_kind kind, enum role_id role);
/* GGUF files have it as a pair has it, a row a token. */
bool adapter_a_by_token(enum model_file_kind kind, enum role_id role);
/* (rows, cols) -> (cols, rows) */
void adapter_turn(const float *from, int rows, int cols, float *to);

/* Which row of one order of a head's rows is row `row` of the other: q and k of families whose two
 * kinds of files pair rows differently for rotation. The same row elsewhere. */
int adapter_row(const struct model *base, enum role_id role, enum model_file_kind from,
                enum model_file_kind to, int row);

/* ---- files ---- */

/* A file's tensors and how its configuration reads them. */
struct adapter_file {
    enum model_file_kind kind;
    const char *path, *name;
    const struct tensor_info *tensors; // sorted by name
    size_t n;
    /* What the configuration says of the pair beside the base's tensor `tensor`; a rank that
     * differs from what the tensors have is an error. */
    enum jl_status (*pair)(const struct adapter_file *file, const char *tensor, int rank,
                           double *alpha, struct jl_error *err);
    struct meta *config; // folders: adapter_config.json
    double alpha;        // GGUF: of all pairs
};

/* Single tensors: adapter_tensor.c. An error: "tensor NAME what". */
enum jl_status adapter_tensor_bad(const struct adapter_file *file, const struct tensor_info *t,
                                  const char *what, struct jl_error *err);
/* (experts, rows, cols), of which a GGUF file leaves out outer ones of size 1; one expert without
 * any. */
bool adapter_tensor_dims(const struct tensor_info *t, bool experts, int64_t dim[3]);
/* One row, dequantised and looked at. */
enum jl_status adapter_tensor_row(const struct adapter_file *file, const struct tensor_info *t,
                                  int64_t row, int64_t cols, float *to, struct jl_error *err);

/* The copy of the base's tensor `name`, w, that the file has, if it has one: an error unless it is
 * one. adapter_copy.c. */
enum jl_status adapter_copy_check(const struct adapter_file *file, const char *name,
                                  const struct weight *w, const struct tensor_info **found,
                                  struct jl_error *err);

/* All pairs that the file has for the base; every tensor must be one of them. */
enum jl_status adapter_read_pairs(const struct model *base, const struct adapter_file *file,
                                  struct adapter **out, struct jl_error *err);

/* The same of bytes in memory; `path` is for messages. */
struct adapter_bytes {
    const char *config; // adapter_config.json
    size_t config_size;
    const uint8_t *weights; // adapter_model.safetensors
    size_t weights_size;
};
enum jl_status adapter_parse_folder(const struct model *base, const char *path,
                                    const struct adapter_bytes *bytes, struct adapter **out,
                                    struct jl_error *err);
enum jl_status adapter_parse_gguf(const struct model *base, const char *path, const uint8_t *bytes,
                                  size_t size, struct adapter **out, struct jl_error *err);

enum jl_status adapter_open_folder(const struct model *base, const char *path, struct adapter **out,
                                   struct jl_error *err);
enum jl_status adapter_open_gguf(const struct model *base, const char *path, struct adapter **out,
                                 struct jl_error *err);

/* ---- memory ---- */

/* An adapter with room for n pairs, and one pair's matrices. NULL, false: out of memory. */
struct adapter *adapter_new(const char *name, int n);
bool adapter_room(struct adapter *adapter, struct adapter_pair *pair);
enum jl_status adapter_no_memory(const char *path, struct jl_error *err);

#endif
