/* One safetensors file. As strict as the reference reader: the header begins with '{', no key
 * twice, offsets must match dtype and shape exactly, and the tensors must cover the buffer without
 * a gap or an overlap. Stricter: unknown fields of a tensor are refused. */
#include "format/st.h"

#include <inttypes.h>
#include <string.h>

#include "format/json_text.h"
#include "format/report.h"

#define LENGTH_BYTES sizeof(uint64_t)

struct reader {
    const char *file;
    struct arena *arena;
    const uint8_t *buffer; // what data_offsets count from
    size_t buffer_size;
    struct jl_error *err;
};

static enum jl_status bad_tensor(struct reader *r, enum jl_status status, const char *name,
                                 const char *fault) {
    return report_fail(r->err, status, r->file, "tensor %s: %s", report_quote_str(name).text,
                       fault);
}

static enum jl_status check_metadata(struct reader *r, json_t *metadata) {
    const char *key;
    json_t *value;
    if (!json_is_object(metadata)) {
        return report_fail(r->err, JL_ERR_FORMAT, r->file, "'__metadata__' must be an object");
    }
    json_object_foreach(metadata, key, value) {
        if (json_is_string(value)) continue;
        return report_fail(r->err, JL_ERR_FORMAT, r->file,
                           "'__metadata__' must map strings to strings; %s does not",
                           report_quote_str(key).text);
    }
    return JL_OK;
}

static enum jl_status read_name(struct reader *r, const char *key, struct tensor_info *info) {
    if (!*key) return report_fail(r->err, JL_ERR_FORMAT, r->file, "a tensor has an empty name");
    for (const char *c = key; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            return bad_tensor(r, JL_ERR_FORMAT, key, "the name holds a control character");
        }
    }
    info->name = arena_strdup(r->arena, key);
    return info->name ? JL_OK : report_no_memory(r->err, r->file, "names");
}

static enum jl_status read_dtype(struct reader *r, json_t *dtype, struct tensor_info *info) {
    if (!json_is_string(dtype)) {
        return bad_tensor(r, JL_ERR_FORMAT, info->name, "'dtype' is missing or not a string");
    }
    const char *name = json_string_value(dtype);
    if (dtype_from_safetensors(name, json_string_length(dtype), &info->dtype)) return JL_OK;
    return report_fail(r->err, JL_ERR_UNSUPPORTED, r->file,
                       "tensor %s has dtype %s, which is not supported; convert the model to BF16",
                       report_quote_str(info->name).text, report_quote_str(name).text);
}

static enum jl_status read_shape(struct reader *r, json_t *shape, struct tensor_info *info) {
    if (!json_is_array(shape)) {
        return bad_tensor(r, JL_ERR_FORMAT, info->name, "'shape' is missing or not an array");
    }
    size_t n = json_array_size(shape);
    if (n > TENSOR_MAX_DIM) {
        return report_fail(r->err, JL_ERR_UNSUPPORTED, r->file,
                           "tensor %s has %zu dimensions; at most %d are supported",
                           report_quote_str(info->name).text, n, TENSOR_MAX_DIM);
    }
    for (size_t i = 0; i < n; i++) {
        json_t *dim = json_array_get(shape, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0) {
            return bad_tensor(r, JL_ERR_FORMAT, info->name,
                              "'shape' must be an array of non-negative integers");
        }
        info->dim[i] = json_integer_value(dim);
        if (info->dim[i] == 0) {
            return bad_tensor(r, JL_ERR_UNSUPPORTED, info->name,
                              "'shape' has a dimension of zero, which is not supported");
        }
    }
    info->n_dim = (int)n;
    if (n == 0) {
        info->n_dim = 1;
        info->dim[0] = 1;
    }
    return JL_OK;
}

static enum jl_status read_offsets(struct reader *r, json_t *offsets, struct tensor_info *info) {
    json_t *first = json_array_get(offsets, 0), *second = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(second)) {
        return bad_tensor(r, JL_ERR_FORMAT, info->name,
                          "'data_offsets' must be an array of two integers");
    }
    int64_t begin = json_integer_value(first), end = json_integer_value(second);
    if (begin < 0 || end < begin) {
        return report_fail(r->err, JL_ERR_FORMAT, r->file,
                           "tensor %s: 'data_offsets' [%" PRId64 ", %" PRId64
                           "] are negative or out of order",
                           report_quote_str(info->name).text, begin, end);
    }
    if ((uint64_t)(end - begin) != info->bytes) {
        return report_fail(r->err, JL_ERR_FORMAT, r->file,
                           "tensor %s: 'data_offsets' [%" PRId64 ", %" PRId64 "] span %" PRId64
                           " bytes, but dtype and shape need %zu",
                           report_quote_str(info->name).text, begin, end, end - begin, info->bytes);
    }
    if ((uint64_t)end > r->buffer_size) {
        return report_fail(r->err, JL_ERR_FORMAT, r->file,
                           "tensor %s ends at byte %" PRId64
                           " of the data, which has only %zu: the "
                           "file is cut short or damaged",
                           report_quote_str(info->name).text, end, r->buffer_size);
    }
    info->data = r->buffer + begin;
    return JL_OK;
}

static enum jl_status read_tensor(struct reader *r, const char *key, json_t *json,
                                  struct tensor_info *info) {
    const char *field;
    json_t *value;
    info->file = r->file;
    JL_TRY(read_name(r, key, info));
    if (!json_is_object(json)) return bad_tensor(r, JL_ERR_FORMAT, key, "must be an object");
    json_object_foreach(json, field, value) {
        if (strcmp(field, "dtype") == 0 || strcmp(field, "shape") == 0 ||
            strcmp(field, "data_offsets") == 0) {
            continue;
        }
        return report_fail(r->err, JL_ERR_FORMAT, r->file, "tensor %s has an unknown field %s",
                           report_quote_str(key).text, report_quote_str(field).text);
    }
    JL_TRY(read_dtype(r, json_object_get(json, "dtype"), info));
    JL_TRY(read_shape(r, json_object_get(json, "shape"), info));
    JL_TRY(tensor_list_measure(info, r->err));
    return read_offsets(r, json_object_get(json, "data_offsets"), info);
}

/* The tensors must follow each other from the first byte of the buffer to its last. */
static enum jl_status check_cover(struct reader *r, struct tensor_list *list) {
    const uint8_t *at = r->buffer;
    tensor_list_sort_by_data(list);
    for (size_t i = 0; i < list->count; i++) {
        const struct tensor_info *info = &list->items[i];
        if (info->data < at) {
            return report_fail(r->err, JL_ERR_FORMAT, r->file, "tensors %s and %s overlap",
                               report_quote_str(list->items[i - 1].name).text,
                               report_quote_str(info->name).text);
        }
        if (info->data > at) {
            return report_fail(r->err, JL_ERR_FORMAT, r->file,
                               "tensor %s: %td bytes before it belong to no tensor; the format "
                               "allows no gaps",
                               report_quote_str(info->name).text, info->data - at);
        }
        at += info->bytes;
    }
    size_t used = (size_t)(at - r->buffer);
    if (used == r->buffer_size) return JL_OK;
    return report_fail(
        r->err, JL_ERR_FORMAT, r->file,
        "%zu bytes after the last tensor belong to no tensor; the format allows none",
        r->buffer_size - used);
}

static enum jl_status read_header(struct reader *r, json_t *header, struct tensor_list *out) {
    const char *key;
    json_t *value;
    struct tensor_list list = {0};
    list.items = arena_calloc(r->arena, json_object_size(header), sizeof *list.items);
    if (!list.items) return report_no_memory(r->err, r->file, "the tensor table");
    json_object_foreach(header, key, value) {
        if (strcmp(key, "__metadata__") == 0)
            JL_TRY(check_metadata(r, value));
        else
            JL_TRY(read_tensor(r, key, value, &list.items[list.count++]));
    }
    JL_TRY(check_cover(r, &list));
    JL_TRY(tensor_list_sort(&list, r->err));
    *out = list;
    return JL_OK;
}

enum jl_status st_parse(const uint8_t *bytes, size_t size, const char *file, struct arena *arena,
                        struct tensor_list *out, struct jl_error *err) {
    uint64_t length;
    json_t *header;
    *out = (struct tensor_list){0};
    if (size < LENGTH_BYTES) {
        return report_fail(err, JL_ERR_FORMAT, file,
                           "has %zu bytes, too few for a safetensors header: it is cut short",
                           size);
    }
    memcpy(&length, bytes, sizeof length);
    if (length > ST_MAX_HEADER) {
        return report_fail(err, JL_ERR_FORMAT, file,
                           "the header length %" PRIu64 " is above the format's limit of %" PRIu64
                           ": not a safetensors file",
                           length, ST_MAX_HEADER);
    }
    if (length > size - LENGTH_BYTES) {
        return report_fail(err, JL_ERR_FORMAT, file,
                           "the header needs %" PRIu64 " bytes, but the file has %zu after its "
                           "length: it is cut short",
                           length, size - LENGTH_BYTES);
    }
    const char *text = (const char *)bytes + LENGTH_BYTES;
    if (length == 0 || text[0] != '{') {
        return report_fail(err, JL_ERR_FORMAT, file,
                           "the header does not begin with '{': not a safetensors file");
    }
    JL_TRY(json_text_parse(text, (size_t)length, file, &header, err));
    struct reader r = {.file = file, .arena = arena, .err = err};
    r.buffer = bytes + LENGTH_BYTES + length;
    r.buffer_size = size - LENGTH_BYTES - (size_t)length;
    enum jl_status status = read_header(&r, header, out);
    json_decref(header);
    return status;
}
