/* GGUF v2 and v3, little endian. Source: the GGUF specification (ggml, docs/gguf.md).
 *
 * gguf_parse reads one file's bytes; gguf_load opens the file of a model_file, or all files of a
 * split set. Nothing of the bytes is trusted, nothing but names and single strings is copied. */
#ifndef JL_FORMAT_GGUF_H
#define JL_FORMAT_GGUF_H

#include "format/gguf_value.h"
#include "format/tensor_list.h"

#define GGUF_MAX_KEYS ((uint64_t)1 << 20)
#define GGUF_MAX_TENSORS ((uint64_t)1 << 20)
#define GGUF_MAX_STRING ((uint64_t)1 << 28) // one metadata string (a whole tokenizer.json fits)
#define GGUF_MAX_ALIGNMENT 65536
#define GGUF_MAX_NAME 256 // tensor name, bytes; ggml itself writes at most 64
#define GGUF_DEFAULT_ALIGNMENT 32

struct gguf {
    uint32_t version;
    struct meta *meta;          // object of all key/values
    struct tensor_list tensors; // sorted by name; data points into `bytes`
};

/* `bytes` must outlive what is parsed; `file` names them in messages and in tensor_info.file. */
enum jl_status gguf_parse(const uint8_t *bytes, size_t size, const char *file, struct arena *arena,
                          struct gguf *out, struct jl_error *err);

/* Fills meta, tensors and maps of `file` from file->path. */
enum jl_status gguf_load(struct model_file *file, struct jl_error *err);

/* Name of a ggml tensor type by its number in the file, also of types Jinlin does not read;
 * "unknown" otherwise. */
const char *gguf_tensor_type_name(uint32_t type);

#endif
