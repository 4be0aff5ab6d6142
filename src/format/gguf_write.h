/* Writes a GGUF v3 file: key/values, tensor infos, then the tensors' data as a stream.
 *
 * Order of calls: create; put and add_tensor in any order; data, tensor by tensor in the order they
 * were added; commit; free. The first failure sticks: later calls do nothing and commit reports it,
 * so the puts need no check each. The file is whole or absent (base/file.h). What the reader would
 * refuse (a bad or repeated key or name, a row that is no whole number of blocks) is an error. */
#ifndef JL_FORMAT_GGUF_WRITE_H
#define JL_FORMAT_GGUF_WRITE_H

#include "base/status.h"
#include "format/gguf_value.h"
#include "tensor/dtype.h"

struct gguf_writer;

struct gguf_string {
    const char *text;
    size_t len;
};

/* alignment: a power of two of at least 8, written as general.alignment unless it is the default;
 * 0 is the default, 32. */
enum jl_status gguf_writer_create(const char *path, size_t alignment, struct gguf_writer **out,
                                  struct jl_error *err);
void gguf_writer_free(struct gguf_writer *writer); // NULL is fine; without commit nothing is left

/* `values`: one value, or `count` values, of the fixed-size type as C stores it (a bool is a byte
 * of 0 or 1). */
void gguf_put(struct gguf_writer *writer, const char *key, enum gguf_value type, const void *value);
void gguf_put_array(struct gguf_writer *writer, const char *key, enum gguf_value type,
                    const void *values, size_t count);
void gguf_put_string(struct gguf_writer *writer, const char *key, const char *text, size_t len);
void gguf_put_strings(struct gguf_writer *writer, const char *key, const struct gguf_string *items,
                      size_t count);
void gguf_put_u32(struct gguf_writer *writer, const char *key, uint32_t value);
void gguf_put_f32(struct gguf_writer *writer, const char *key, float value);
void gguf_put_bool(struct gguf_writer *writer, const char *key, bool value);
void gguf_put_text(struct gguf_writer *writer, const char *key, const char *text); // NUL-terminated

/* A key/value of a GGUF file's metadata as it stands there. */
void gguf_put_meta(struct gguf_writer *writer, const struct meta *item);

/* dim: n_dim of them, outermost first, as in struct tensor_info. */
void gguf_add_tensor(struct gguf_writer *writer, const char *name, enum dtype dtype, int n_dim,
                     const int64_t *dim);

/* The next bytes of the tensor being written; it must not run past that tensor's end. The first
 * call writes everything before the data: puts and tensors after it are errors. */
enum jl_status gguf_write_data(struct gguf_writer *writer, const void *data, size_t bytes,
                               struct jl_error *err);
enum jl_status gguf_writer_commit(struct gguf_writer *writer, struct jl_error *err);

#endif
