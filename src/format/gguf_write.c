/* Key/values and tensor infos are encoded into two heap buffers while they are put, because the
 * header before them holds their counts; data goes straight to the file. */
#include "format/gguf_write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "format/gguf.h"
#include "format/report.h"

#define MAX_KEY 65535
#define MAX_NAME 63 // ggml keeps a name and its NUL in 64 bytes

struct buffer {
    uint8_t *data;
    size_t len, cap;
};

struct gguf_writer {
    struct file_writer file; // stream NULL once committed or given up
    const char *path;        // for messages
    struct jl_error error;   // the first failure; status JL_OK while there is none
    size_t alignment;
    struct buffer keys, infos;
    uint64_t n_key;
    struct arena arena;     // copies of keys and names, for the check against repeats
    struct buffer key_list; // const char *
    struct buffer tensors;  // struct tensor_info: name, dtype, dims, bytes
    uint64_t data_bytes;    // of the tensors added so far, with padding
    bool header_done;
    size_t current, written; // tensor being written, and its bytes so far
};

static bool is_ok(const struct gguf_writer *w) { return w->error.status == JL_OK; }

static void no_memory(struct gguf_writer *w) {
    report_no_memory(&w->error, w->path, "the header to be written");
}

static void bad_use(struct gguf_writer *w, const char *name, const char *fault) {
    report_fail(&w->error, JL_ERR_USAGE, w->path, "cannot write %s: %s",
                report_quote_str(name).text, fault);
}

/* Appends and returns true, or notes the failure. */
static bool append(struct gguf_writer *w, struct buffer *buffer, const void *data, size_t bytes) {
    size_t need;
    if (!is_ok(w)) return false;
    if (!size_add(buffer->len, bytes, &need)) {
        no_memory(w);
        return false;
    }
    if (need > buffer->cap) {
        size_t cap = need > SIZE_MAX / 2 ? need : need * 2;
        uint8_t *grown = realloc(buffer->data, cap);
        if (!grown) {
            no_memory(w);
            return false;
        }
        buffer->data = grown;
        buffer->cap = cap;
    }
    if (bytes) memcpy(buffer->data + buffer->len, data, bytes);
    buffer->len = need;
    return true;
}

static void append_u32(struct gguf_writer *w, struct buffer *buffer, uint32_t value) {
    append(w, buffer, &value, sizeof value);
}

static void append_u64(struct gguf_writer *w, struct buffer *buffer, uint64_t value) {
    append(w, buffer, &value, sizeof value);
}

static void append_string(struct gguf_writer *w, struct buffer *buffer, const char *text,
                          size_t len) {
    append_u64(w, buffer, len);
    append(w, buffer, text, len);
}

/* ---- creation and release ---- */

enum jl_status gguf_writer_create(const char *path, size_t alignment, struct gguf_writer **out,
                                  struct jl_error *err) {
    *out = NULL;
    if (alignment == 0) alignment = GGUF_DEFAULT_ALIGNMENT;
    if (alignment < 8 || alignment > GGUF_MAX_ALIGNMENT || (alignment & (alignment - 1)) != 0) {
        return report_fail(err, JL_ERR_USAGE, path,
                           "alignment %zu is not a power of two from 8 to %d", alignment,
                           GGUF_MAX_ALIGNMENT);
    }
    struct gguf_writer *w = calloc(1, sizeof *w);
    if (!w) return report_no_memory(err, path, "the header to be written");
    w->alignment = alignment;
    w->path = arena_strdup(&w->arena, path);
    enum jl_status status = w->path ? file_writer_open(path, &w->file, err)
                                    : report_no_memory(err, path, "the header to be written");
    if (status != JL_OK) {
        gguf_writer_free(w);
        return status;
    }
    if (alignment != GGUF_DEFAULT_ALIGNMENT) {
        gguf_put_u32(w, "general.alignment", (uint32_t)alignment);
    }
    *out = w;
    return JL_OK;
}

void gguf_writer_free(struct gguf_writer *w) {
    if (!w) return;
    file_writer_abort(&w->file);
    free(w->keys.data);
    free(w->infos.data);
    free(w->key_list.data);
    free(w->tensors.data);
    arena_free(&w->arena);
    free(w);
}

/* ---- key/values ---- */

/* Checks a key or a tensor name and keeps a copy; NULL after noting the failure. */
static const char *keep_name(struct gguf_writer *w, const char *name, size_t limit) {
    if (!is_ok(w)) return NULL;
    size_t len = strlen(name);
    const char *fault = NULL;
    if (w->header_done) fault = "the header is already written";
    if (len == 0) fault = "the name is empty";
    if (len > limit) fault = "the name is too long";
    for (size_t i = 0; i < len; i++) {
        if (name[i] < 0x20 || name[i] > 0x7e) fault = "the name is not printable ASCII";
    }
    if (fault) {
        bad_use(w, name, fault);
        return NULL;
    }
    const char *copy = arena_strndup(&w->arena, name, len);
    if (!copy) no_memory(w);
    return copy;
}

static bool begin_value(struct gguf_writer *w, const char *key, uint32_t type) {
    const char *kept = keep_name(w, key, MAX_KEY);
    if (!kept) return false;
    append(w, &w->key_list, &kept, sizeof kept);
    append_string(w, &w->keys, key, strlen(key));
    append_u32(w, &w->keys, type);
    w->n_key++;
    return is_ok(w);
}

/* Appends `count` values of a fixed-size type after checking them. */
static void append_values(struct gguf_writer *w, const char *key, enum gguf_value type,
                          const void *values, size_t count) {
    size_t bytes;
    if (gguf_value_bytes(type) == 0) {
        bad_use(w, key, "the type has no fixed size");
        return;
    }
    for (size_t i = 0; type == GGUF_BOOL && i < count; i++) {
        if (((const uint8_t *)values)[i] > 1) {
            bad_use(w, key, "a bool must be 0 or 1");
            return;
        }
    }
    if (size_mul(count, gguf_value_bytes(type), &bytes))
        append(w, &w->keys, values, bytes);
    else
        no_memory(w);
}

void gguf_put(struct gguf_writer *w, const char *key, enum gguf_value type, const void *value) {
    if (begin_value(w, key, type)) append_values(w, key, type, value, 1);
}

void gguf_put_array(struct gguf_writer *w, const char *key, enum gguf_value type,
                    const void *values, size_t count) {
    if (!begin_value(w, key, GGUF_ARRAY)) return;
    append_u32(w, &w->keys, type);
    append_u64(w, &w->keys, count);
    append_values(w, key, type, values, count);
}

void gguf_put_string(struct gguf_writer *w, const char *key, const char *text, size_t len) {
    if (begin_value(w, key, GGUF_STRING)) append_string(w, &w->keys, text, len);
}

void gguf_put_strings(struct gguf_writer *w, const char *key, const struct gguf_string *items,
                      size_t count) {
    if (!begin_value(w, key, GGUF_ARRAY)) return;
    append_u32(w, &w->keys, GGUF_STRING);
    append_u64(w, &w->keys, count);
    for (size_t i = 0; i < count; i++)
        append_string(w, &w->keys, items[i].text, items[i].len);
}

void gguf_put_u32(struct gguf_writer *w, const char *key, uint32_t value) {
    gguf_put(w, key, GGUF_UINT32, &value);
}

void gguf_put_f32(struct gguf_writer *w, const char *key, float value) {
    gguf_put(w, key, GGUF_FLOAT32, &value);
}

void gguf_put_bool(struct gguf_writer *w, const char *key, bool value) {
    uint8_t byte = value;
    gguf_put(w, key, GGUF_BOOL, &byte);
}

void gguf_put_text(struct gguf_writer *w, const char *key, const char *text) {
    gguf_put_string(w, key, text, strlen(text));
}

static void put_string_array(struct gguf_writer *w, const struct meta *item) {
    size_t n = item->as.packed.count;
    struct gguf_string *strings = calloc(n ? n : 1, sizeof *strings);
    struct meta_iter iter = {.array = item};
    struct meta value;
    if (!strings) {
        no_memory(w);
        return;
    }
    for (size_t i = 0; i < n && meta_iter_next(&iter, &value); i++)
        strings[i] = (struct gguf_string){value.as.s.text, value.as.s.len};
    gguf_put_strings(w, item->key, strings, n);
    free(strings);
}

void gguf_put_meta(struct gguf_writer *w, const struct meta *item) {
    union {
        int64_t i; // little endian: every integer's low bytes come first
        uint64_t u;
        float f32;
        double f64;
        uint8_t b;
    } value = {0};
    switch (item->kind) {
    case META_STRING: gguf_put_string(w, item->key, item->as.s.text, item->as.s.len); return;
    case META_PACKED:
        if (item->as.packed.type == GGUF_STRING)
            put_string_array(w, item);
        else
            gguf_put_array(w, item->key, (enum gguf_value)item->as.packed.type,
                           item->as.packed.data, item->as.packed.count);
        return;
    case META_BOOL: value.b = item->as.b; break;
    case META_INT: value.i = item->as.i; break;
    case META_UINT: value.u = item->as.u; break;
    case META_FLOAT:
        if (item->gguf == GGUF_FLOAT32)
            value.f32 = (float)item->as.f;
        else
            value.f64 = item->as.f;
        break;
    default: bad_use(w, item->key, "it is no value of a GGUF file"); return;
    }
    gguf_put(w, item->key, (enum gguf_value)item->gguf, &value);
}

/* ---- tensors ---- */

static uint64_t align_up(const struct gguf_writer *w, uint64_t at) {
    return at + (w->alignment - at % w->alignment) % w->alignment;
}

static size_t n_tensor(const struct gguf_writer *w) {
    return w->tensors.len / sizeof(struct tensor_info);
}

void gguf_add_tensor(struct gguf_writer *w, const char *name, enum dtype dtype, int n_dim,
                     const int64_t *dim) {
    struct tensor_info info = {.dtype = dtype, .n_dim = n_dim, .file = w->path};
    info.name = keep_name(w, name, MAX_NAME);
    if (!info.name) return;
    if (dtype_row(dtype)->gguf < 0) {
        bad_use(w, name, "GGUF has no such type");
        return;
    }
    bool dims_ok = n_dim >= 1 && n_dim <= TENSOR_MAX_DIM;
    for (int i = 0; dims_ok && i < n_dim; i++) {
        info.dim[i] = dim[i];
        dims_ok = dim[i] > 0;
    }
    if (!dims_ok) {
        bad_use(w, name, "a tensor has 1 to 4 dimensions above zero");
        return;
    }
    if (tensor_list_measure(&info, &w->error) != JL_OK) return;
    if (w->data_bytes > (uint64_t)PTRDIFF_MAX - info.bytes - w->alignment) {
        bad_use(w, name, "the file would be too large");
        return;
    }
    append_string(w, &w->infos, name, strlen(name));
    append_u32(w, &w->infos, (uint32_t)n_dim);
    for (int i = n_dim - 1; i >= 0; i--)
        append_u64(w, &w->infos, (uint64_t)dim[i]);
    append_u32(w, &w->infos, (uint32_t)dtype_row(dtype)->gguf);
    append_u64(w, &w->infos, w->data_bytes);
    append(w, &w->tensors, &info, sizeof info);
    w->data_bytes = align_up(w, w->data_bytes + info.bytes);
}

/* ---- output ---- */

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Notes a failure when one of `count` names occurs twice; sorts the array. */
static void check_repeats(struct gguf_writer *w, const char **names, size_t count) {
    if (!is_ok(w) || count < 2) return;
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 1; i < count && is_ok(w); i++) {
        if (strcmp(names[i - 1], names[i]) == 0) bad_use(w, names[i], "it was added twice");
    }
}

static void check_tensor_repeats(struct gguf_writer *w) {
    const struct tensor_info *tensors = (const struct tensor_info *)(void *)w->tensors.data;
    size_t n = n_tensor(w);
    const char **names = arena_calloc(&w->arena, n, sizeof *names);
    if (!names) {
        no_memory(w);
        return;
    }
    for (size_t i = 0; i < n; i++)
        names[i] = tensors[i].name;
    check_repeats(w, names, n);
}

static void emit(struct gguf_writer *w, const void *data, size_t bytes) {
    if (!is_ok(w) || bytes == 0) return;
    if (!w->file.stream) {
        report_fail(&w->error, JL_ERR_USAGE, w->path, "nothing can be written after the commit");
        return;
    }
    if (fwrite(data, 1, bytes, w->file.stream) == bytes) return;
    report_fail(&w->error, JL_ERR_IO, w->path, "cannot write: %m");
}

/* Zeros from `at` to the next multiple of the alignment. */
static void emit_padding(struct gguf_writer *w, uint64_t at) {
    static const uint8_t zeros[64];
    for (uint64_t left = align_up(w, at) - at; left && is_ok(w);) {
        size_t n = left < sizeof zeros ? (size_t)left : sizeof zeros;
        emit(w, zeros, n);
        left -= n;
    }
}

static void emit_header(struct gguf_writer *w) {
    if (w->header_done || !is_ok(w)) return;
    check_repeats(w, (const char **)(void *)w->key_list.data, w->n_key);
    check_tensor_repeats(w);
    uint32_t version = 3;
    uint64_t counts[2] = {n_tensor(w), w->n_key};
    emit(w, "GGUF", 4);
    emit(w, &version, sizeof version);
    emit(w, counts, sizeof counts);
    emit(w, w->keys.data, w->keys.len);
    emit(w, w->infos.data, w->infos.len);
    if (n_tensor(w)) {
        emit_padding(w, 4 + sizeof version + sizeof counts + w->keys.len + w->infos.len);
    }
    w->header_done = true;
}

static enum jl_status result(const struct gguf_writer *w, struct jl_error *err) {
    return is_ok(w) ? JL_OK : jl_fail(err, w->error.status, "%s", w->error.message);
}

enum jl_status gguf_write_data(struct gguf_writer *w, const void *data, size_t bytes,
                               struct jl_error *err) {
    emit_header(w);
    if (!is_ok(w)) return result(w, err);
    const struct tensor_info *tensors = (const struct tensor_info *)(void *)w->tensors.data;
    size_t left = w->current < n_tensor(w) ? tensors[w->current].bytes - w->written : 0;
    if (bytes > left) {
        report_fail(&w->error, JL_ERR_USAGE, w->path,
                    "%zu bytes of data were given where the tensor takes %zu more", bytes, left);
        return result(w, err);
    }
    emit(w, data, bytes);
    w->written += bytes;
    if (bytes == left && bytes) {
        emit_padding(w, w->written);
        w->current++;
        w->written = 0;
    }
    return result(w, err);
}

enum jl_status gguf_writer_commit(struct gguf_writer *w, struct jl_error *err) {
    emit_header(w);
    if (is_ok(w) && w->current < n_tensor(w)) {
        const struct tensor_info *tensors = (const struct tensor_info *)(void *)w->tensors.data;
        report_fail(&w->error, JL_ERR_USAGE, w->path, "the data of tensor %s is incomplete",
                    report_quote_str(tensors[w->current].name).text);
    }
    if (!is_ok(w)) {
        file_writer_abort(&w->file);
        return result(w, err);
    }
    return file_writer_commit(&w->file, err);
}
