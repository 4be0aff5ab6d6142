/* Parses one GGUF file in a single forward pass: header, key/values, tensor infos, then checks
 * where the data lies. Every read goes through take(), which cannot pass the end; counts are held
 * against the bytes that are left before anything is allocated for them. */
#include "format/gguf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/report.h"

#define MAX_KEY 65535 // bytes, by the specification

/* Smallest encodings: key/value = length, one byte, type, one byte; tensor info = length, one byte,
 * n_dims, one dimension, type, offset. */
#define MIN_KV_BYTES (8 + 1 + 4 + 1)
#define MIN_INFO_BYTES (8 + 1 + 4 + 8 + 4 + 8)

struct reader {
    const uint8_t *bytes;
    size_t size, at;
    const char *file;
    struct arena *arena;
    struct jl_error *err;
};

static const uint8_t *take(struct reader *r, size_t n) {
    if (n > r->size - r->at) return NULL;
    const uint8_t *at = r->bytes + r->at;
    r->at += n;
    return at;
}

static bool read_u32(struct reader *r, uint32_t *out) {
    const uint8_t *at = take(r, sizeof *out);
    if (at) memcpy(out, at, sizeof *out);
    return at;
}

static bool read_u64(struct reader *r, uint64_t *out) {
    const uint8_t *at = take(r, sizeof *out);
    if (at) memcpy(out, at, sizeof *out);
    return at;
}

static enum jl_status truncated(struct reader *r, const char *what) {
    return report_fail(r->err, JL_ERR_FORMAT, r->file,
                       "the file ends at byte %zu, inside %s: it is cut short or damaged", r->size,
                       what);
}

static enum jl_status truncated_in(struct reader *r, const char *what, uint64_t index) {
    char text[64];
    snprintf(text, sizeof text, "%s %" PRIu64, what, index);
    return truncated(r, text);
}

static enum jl_status bad_key(struct reader *r, const char *key, const char *fault) {
    return report_fail(r->err, JL_ERR_FORMAT, r->file, "key %s: %s", report_quote_str(key).text,
                       fault);
}

static enum jl_status bad_tensor(struct reader *r, const char *name, const char *fault) {
    return report_fail(r->err, JL_ERR_FORMAT, r->file, "tensor %s: %s", report_quote_str(name).text,
                       fault);
}

/* ---- header ---- */

static enum jl_status read_version(struct reader *r, uint32_t *version) {
    const uint8_t *magic = take(r, 4);
    if (!magic) return truncated(r, "the magic");
    if (memcmp(magic, "FUGG", 4) == 0) {
        return report_fail(r->err, JL_ERR_UNSUPPORTED, r->file,
                           "big-endian GGUF is not supported; convert the file to little endian");
    }
    if (memcmp(magic, "GGUF", 4) != 0) {
        return report_fail(r->err, JL_ERR_FORMAT, r->file,
                           "not a GGUF file: it begins with %s instead of 'GGUF'",
                           report_quote((const char *)magic, 4).text);
    }
    if (!read_u32(r, version)) return truncated(r, "the version");
    if (*version && (*version & 0xffff) == 0) {
        return report_fail(r->err, JL_ERR_UNSUPPORTED, r->file,
                           "big-endian GGUF is not supported (version field 0x%08" PRIx32
                           "); convert the file to little endian",
                           *version);
    }
    if (*version != 2 && *version != 3) {
        return report_fail(r->err, JL_ERR_UNSUPPORTED, r->file,
                           "GGUF version %" PRIu32 " is not supported, only 2 and 3; convert the "
                           "model again with a current tool",
                           *version);
    }
    return JL_OK;
}

static enum jl_status check_count(struct reader *r, const char *what, uint64_t count,
                                  size_t min_bytes, uint64_t limit) {
    if (count > (r->size - r->at) / min_bytes) {
        return report_fail(r->err, JL_ERR_FORMAT, r->file,
                           "%s %" PRIu64 " is more than a file of %zu bytes can hold: it is cut "
                           "short or damaged",
                           what, count, r->size);
    }
    if (count > limit) {
        return report_fail(r->err, JL_ERR_LIMIT, r->file,
                           "%s %" PRIu64 " is above the limit of %" PRIu64, what, count, limit);
    }
    return JL_OK;
}

/* ---- strings and names ---- */

/* Both keys and tensor names are printable ASCII: anything else could not be looked up anyway. */
static bool is_plain(const uint8_t *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e) return false;
    }
    return true;
}

/* A counted name of 1..limit bytes, copied. `what` and `index` say which in messages. */
static enum jl_status read_name(struct reader *r, const char *what, uint64_t index, uint64_t limit,
                                const char **out) {
    uint64_t len;
    if (!read_u64(r, &len)) return truncated_in(r, what, index);
    if (len == 0) {
        return report_fail(r->err, JL_ERR_FORMAT, r->file, "%s %" PRIu64 " is empty", what, index);
    }
    if (len > limit) {
        return report_fail(r->err, JL_ERR_FORMAT, r->file,
                           "%s %" PRIu64 " has a length of %" PRIu64 " bytes; at most %" PRIu64
                           " are allowed",
                           what, index, len, limit);
    }
    const uint8_t *text = take(r, (size_t)len);
    if (!text) return truncated_in(r, what, index);
    if (!is_plain(text, (size_t)len)) {
        return report_fail(r->err, JL_ERR_FORMAT, r->file,
                           "%s %" PRIu64 ", %s, holds bytes that are not printable ASCII", what,
                           index, report_quote((const char *)text, (size_t)len).text);
    }
    *out = arena_strndup(r->arena, (const char *)text, (size_t)len);
    return *out ? JL_OK : report_no_memory(r->err, r->file, "names");
}

/* ---- key/values ---- */

static enum jl_status value_truncated(struct reader *r, const char *key) {
    char what[160];
    snprintf(what, sizeof what, "the value of key %s", report_quote_str(key).text);
    return truncated(r, what);
}

static enum jl_status check_bools(struct reader *r, const char *key, const uint8_t *at, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (at[i] > 1) {
            return report_fail(r->err, JL_ERR_FORMAT, r->file,
                               "key %s: a bool must be 0 or 1, found %d",
                               report_quote_str(key).text, at[i]);
        }
    }
    return JL_OK;
}

/* Walks a packed array of strings and leaves the cursor behind it. */
static enum jl_status skip_strings(struct reader *r, const char *key, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        uint64_t len;
        if (!read_u64(r, &len) || len > r->size || !take(r, (size_t)len)) {
            return report_fail(r->err, JL_ERR_FORMAT, r->file,
                               "key %s: string %" PRIu64 " of %" PRIu64
                               " runs past the end of the file: it is cut short or damaged",
                               report_quote_str(key).text, i, count);
        }
    }
    return JL_OK;
}

static enum jl_status read_array(struct reader *r, struct meta *out) {
    uint32_t type;
    uint64_t count;
    if (!read_u32(r, &type) || !read_u64(r, &count)) return value_truncated(r, out->key);
    if (type == GGUF_ARRAY) return bad_key(r, out->key, "arrays of arrays are not supported");
    size_t size = gguf_value_bytes(type);
    if (size == 0 && type != GGUF_STRING) {
        return report_fail(r->err, JL_ERR_FORMAT, r->file,
                           "key %s: unknown array element type %" PRIu32,
                           report_quote_str(out->key).text, type);
    }
    /* An element takes its size, a string at least its length: so the product cannot overflow. */
    if (count > (r->size - r->at) / (size ? size : sizeof(uint64_t))) {
        return report_fail(r->err, JL_ERR_FORMAT, r->file,
                           "key %s: an array of %" PRIu64 " elements of type %s does not fit in "
                           "the file: it is cut short or damaged",
                           report_quote_str(out->key).text, count, gguf_value_name(type));
    }
    size_t start = r->at;
    if (type == GGUF_STRING) {
        JL_TRY(skip_strings(r, out->key, count));
    } else {
        const uint8_t *data = take(r, (size_t)count * size);
        if (type == GGUF_BOOL) JL_TRY(check_bools(r, out->key, data, (size_t)count));
    }
    out->kind = META_PACKED;
    out->as.packed.type = type;
    out->as.packed.count = (size_t)count;
    out->as.packed.data = r->bytes + start;
    out->as.packed.bytes = r->at - start;
    return JL_OK;
}

static enum jl_status read_string(struct reader *r, struct meta *out) {
    uint64_t len;
    if (!read_u64(r, &len) || len > r->size - r->at) return value_truncated(r, out->key);
    if (len > GGUF_MAX_STRING) {
        return report_fail(r->err, JL_ERR_LIMIT, r->file,
                           "key %s: a string of %" PRIu64 " bytes is above the limit of %" PRIu64,
                           report_quote_str(out->key).text, len, GGUF_MAX_STRING);
    }
    const uint8_t *text = take(r, (size_t)len);
    out->kind = META_STRING;
    out->as.s.len = (size_t)len;
    out->as.s.text = arena_strndup(r->arena, (const char *)text, (size_t)len);
    return out->as.s.text ? JL_OK : report_no_memory(r->err, r->file, "metadata");
}

static enum jl_status read_value(struct reader *r, struct meta *out) {
    uint32_t type;
    if (!read_u32(r, &type)) return value_truncated(r, out->key);
    if (type == GGUF_STRING) return read_string(r, out);
    if (type == GGUF_ARRAY) return read_array(r, out);
    size_t size = gguf_value_bytes(type);
    if (size == 0) {
        return report_fail(r->err, JL_ERR_FORMAT, r->file, "key %s: unknown value type %" PRIu32,
                           report_quote_str(out->key).text, type);
    }
    const uint8_t *at = take(r, size);
    if (!at) return value_truncated(r, out->key);
    if (type == GGUF_BOOL) JL_TRY(check_bools(r, out->key, at, 1));
    gguf_value_decode((enum gguf_value)type, at, out);
    return JL_OK;
}

static enum jl_status read_meta(struct reader *r, uint64_t count, struct meta **out) {
    struct meta *root = arena_calloc(r->arena, 1, sizeof *root);
    struct meta *items = arena_calloc(r->arena, (size_t)count, sizeof *items);
    if (!root || !items) return report_no_memory(r->err, r->file, "metadata");
    for (uint64_t i = 0; i < count; i++) {
        JL_TRY(read_name(r, "key number", i, MAX_KEY, &items[i].key));
        JL_TRY(read_value(r, &items[i]));
    }
    root->kind = META_OBJECT;
    root->as.list.items = items;
    root->as.list.count = (size_t)count;
    const char *twice = meta_sort(root);
    if (twice) return bad_key(r, twice, "occurs twice");
    *out = root;
    return JL_OK;
}

static enum jl_status find_alignment(struct reader *r, struct meta *root, size_t *out) {
    const char *key = "general.alignment";
    const struct meta *value = meta_find(root, key);
    *out = GGUF_DEFAULT_ALIGNMENT;
    if (!value) return JL_OK;
    if (value->kind != META_INT) return bad_key(r, key, "must be an integer");
    int64_t n = value->as.i;
    if (n < 8 || n > GGUF_MAX_ALIGNMENT || (n & (n - 1)) != 0) {
        return report_fail(r->err, JL_ERR_FORMAT, r->file,
                           "key '%s': %" PRId64 " is not a power of two from 8 to %d", key, n,
                           GGUF_MAX_ALIGNMENT);
    }
    *out = (size_t)n;
    return JL_OK;
}

/* ---- tensors ---- */

/* Dimensions come innermost first; tensor_info has them outermost first. */
static enum jl_status read_dims(struct reader *r, struct tensor_info *info) {
    uint32_t n_dim;
    if (!read_u32(r, &n_dim)) return truncated(r, "a tensor info");
    if (n_dim < 1 || n_dim > TENSOR_MAX_DIM) {
        return report_fail(r->err, JL_ERR_FORMAT, r->file,
                           "tensor %s has %" PRIu32 " dimensions; 1 to %d are allowed",
                           report_quote_str(info->name).text, n_dim, TENSOR_MAX_DIM);
    }
    info->n_dim = (int)n_dim;
    for (int i = info->n_dim - 1; i >= 0; i--) {
        uint64_t dim;
        if (!read_u64(r, &dim)) return truncated(r, "a tensor info");
        if (dim == 0) return bad_tensor(r, info->name, "a dimension is zero");
        if (dim > INT64_MAX) return bad_tensor(r, info->name, "a dimension overflows 63 bits");
        info->dim[i] = (int64_t)dim;
    }
    return JL_OK;
}

static enum jl_status read_info(struct reader *r, uint64_t index, size_t alignment,
                                struct tensor_info *info, uint64_t *offset) {
    uint32_t type;
    info->file = r->file;
    JL_TRY(read_name(r, "the name of tensor number", index, GGUF_MAX_NAME, &info->name));
    JL_TRY(read_dims(r, info));
    if (!read_u32(r, &type) || !read_u64(r, offset)) return truncated(r, "a tensor info");
    if (!dtype_from_gguf(type, &info->dtype)) {
        return report_fail(r->err, JL_ERR_UNSUPPORTED, r->file,
                           "tensor %s has type %" PRIu32 " (%s), which is not supported; use a "
                           "file in another quantisation",
                           report_quote_str(info->name).text, type, gguf_tensor_type_name(type));
    }
    if (*offset % alignment != 0) {
        return report_fail(r->err, JL_ERR_FORMAT, r->file,
                           "tensor %s: offset %" PRIu64 " is not a multiple of the alignment %zu",
                           report_quote_str(info->name).text, *offset, alignment);
    }
    return tensor_list_measure(info, r->err);
}

/* Data lies from the next multiple of the alignment on: places it, and refuses overlaps. */
static enum jl_status place_tensors(struct reader *r, struct tensor_list *list,
                                    const uint64_t *offsets, size_t alignment) {
    size_t start = r->at + (alignment - r->at % alignment) % alignment;
    size_t room = start < r->size ? r->size - start : 0;
    for (size_t i = 0; i < list->count; i++) {
        struct tensor_info *info = &list->items[i];
        if (offsets[i] > room || info->bytes > room - offsets[i]) {
            return report_fail(r->err, JL_ERR_FORMAT, r->file,
                               "tensor %s needs %zu bytes at offset %" PRIu64
                               " of the data, which has only %zu: the file is cut short or damaged",
                               report_quote_str(info->name).text, info->bytes, offsets[i], room);
        }
        info->data = r->bytes + start + offsets[i];
    }
    tensor_list_sort_by_data(list);
    for (size_t i = 1; i < list->count; i++) {
        const struct tensor_info *a = &list->items[i - 1], *b = &list->items[i];
        if (a->bytes > (size_t)(b->data - a->data)) {
            return report_fail(r->err, JL_ERR_FORMAT, r->file, "tensors %s and %s overlap",
                               report_quote_str(a->name).text, report_quote_str(b->name).text);
        }
    }
    return JL_OK;
}

static enum jl_status read_tensors(struct reader *r, uint64_t count, size_t alignment,
                                   struct tensor_list *out) {
    struct tensor_list list = {.count = (size_t)count};
    list.items = arena_calloc(r->arena, list.count, sizeof *list.items);
    uint64_t *offsets = arena_calloc(r->arena, list.count, sizeof *offsets);
    if (!list.items || !offsets) return report_no_memory(r->err, r->file, "the tensor table");
    for (size_t i = 0; i < list.count; i++) {
        JL_TRY(read_info(r, i, alignment, &list.items[i], &offsets[i]));
    }
    JL_TRY(place_tensors(r, &list, offsets, alignment));
    JL_TRY(tensor_list_sort(&list, r->err));
    *out = list;
    return JL_OK;
}

enum jl_status gguf_parse(const uint8_t *bytes, size_t size, const char *file, struct arena *arena,
                          struct gguf *out, struct jl_error *err) {
    struct reader r = {.bytes = bytes, .size = size, .file = file, .arena = arena, .err = err};
    uint64_t n_tensor, n_key;
    size_t alignment;
    *out = (struct gguf){0};
    JL_TRY(read_version(&r, &out->version));
    if (!read_u64(&r, &n_tensor) || !read_u64(&r, &n_key)) return truncated(&r, "the header");
    JL_TRY(check_count(&r, "the tensor count", n_tensor, MIN_INFO_BYTES, GGUF_MAX_TENSORS));
    JL_TRY(check_count(&r, "the key count", n_key, MIN_KV_BYTES, GGUF_MAX_KEYS));
    JL_TRY(read_meta(&r, n_key, &out->meta));
    JL_TRY(find_alignment(&r, out->meta, &alignment));
    JL_TRY(check_count(&r, "the tensor count", n_tensor, MIN_INFO_BYTES, GGUF_MAX_TENSORS));
    return read_tensors(&r, n_tensor, alignment, &out->tensors);
}

const char *gguf_tensor_type_name(uint32_t type) {
    /* Numbers without a name were withdrawn from the format. */
    static const char *const names[] = {
        [0] = "F32",     [1] = "F16",      [2] = "Q4_0",   [3] = "Q4_1",    [6] = "Q5_0",
        [7] = "Q5_1",    [8] = "Q8_0",     [9] = "Q8_1",   [10] = "Q2_K",   [11] = "Q3_K",
        [12] = "Q4_K",   [13] = "Q5_K",    [14] = "Q6_K",  [15] = "Q8_K",   [16] = "IQ2_XXS",
        [17] = "IQ2_XS", [18] = "IQ3_XXS", [19] = "IQ1_S", [20] = "IQ4_NL", [21] = "IQ3_S",
        [22] = "IQ2_S",  [23] = "IQ4_XS",  [24] = "I8",    [25] = "I16",    [26] = "I32",
        [27] = "I64",    [28] = "F64",     [29] = "IQ1_M", [30] = "BF16",   [34] = "TQ1_0",
        [35] = "TQ2_0",  [39] = "MXFP4",
    };
    return type < sizeof names / sizeof *names && names[type] ? names[type] : "unknown";
}
