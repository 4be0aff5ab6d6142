/* The recursion is bounded by CONFIG_MAX_DEPTH here and by jansson's own limit while parsing. */
#include "format/config.h"

#include <stdlib.h>

#include "base/file.h"
#include "format/json_text.h"
#include "format/report.h"

struct builder {
    const char *file;
    struct arena *arena;
    struct jl_error *err;
};

static enum jl_status build(struct builder *b, json_t *json, int depth, struct meta *out);

static enum jl_status no_memory(struct builder *b) {
    return report_no_memory(b->err, b->file, "its values");
}

/* Room for `count` items below `out`. */
static enum jl_status open_list(struct builder *b, enum meta_kind kind, size_t count, int depth,
                                struct meta *out) {
    if (depth >= CONFIG_MAX_DEPTH) {
        return report_fail(b->err, JL_ERR_LIMIT, b->file, "values are nested more than %d deep%s%s",
                           CONFIG_MAX_DEPTH, out->key ? ", at key " : "",
                           out->key ? report_quote_str(out->key).text : "");
    }
    out->kind = kind;
    out->as.list.count = count;
    out->as.list.items = arena_calloc(b->arena, count, sizeof *out->as.list.items);
    return out->as.list.items ? JL_OK : no_memory(b);
}

static enum jl_status build_object(struct builder *b, json_t *json, int depth, struct meta *out) {
    const char *key;
    json_t *value;
    size_t i = 0;
    JL_TRY(open_list(b, META_OBJECT, json_object_size(json), depth, out));
    json_object_foreach(json, key, value) {
        struct meta *item = &out->as.list.items[i++];
        item->key = arena_strdup(b->arena, key);
        if (!item->key) return no_memory(b);
        JL_TRY(build(b, value, depth + 1, item));
    }
    meta_sort(out); // jansson has refused duplicate keys
    return JL_OK;
}

static enum jl_status build_array(struct builder *b, json_t *json, int depth, struct meta *out) {
    size_t n = json_array_size(json);
    JL_TRY(open_list(b, META_ARRAY, n, depth, out));
    for (size_t i = 0; i < n; i++) {
        JL_TRY(build(b, json_array_get(json, i), depth + 1, &out->as.list.items[i]));
    }
    return JL_OK;
}

static enum jl_status build(struct builder *b, json_t *json, int depth, struct meta *out) {
    switch (json_typeof(json)) {
    case JSON_OBJECT: return build_object(b, json, depth, out);
    case JSON_ARRAY: return build_array(b, json, depth, out);
    case JSON_STRING:
        out->kind = META_STRING;
        out->as.s.len = json_string_length(json);
        out->as.s.text = arena_strndup(b->arena, json_string_value(json), out->as.s.len);
        return out->as.s.text ? JL_OK : no_memory(b);
    case JSON_INTEGER:
        out->kind = META_INT;
        out->as.i = json_integer_value(json);
        return JL_OK;
    case JSON_REAL:
        out->kind = META_FLOAT;
        out->as.f = json_real_value(json);
        return JL_OK;
    case JSON_TRUE:
    case JSON_FALSE:
        out->kind = META_BOOL;
        out->as.b = json_is_true(json);
        return JL_OK;
    case JSON_NULL: out->kind = META_NULL; return JL_OK;
    }
    return JL_OK;
}

enum jl_status config_parse(const char *text, size_t size, const char *file, struct arena *arena,
                            struct meta **out, struct jl_error *err) {
    struct builder b = {.file = file, .arena = arena, .err = err};
    json_t *json;
    *out = NULL;
    JL_TRY(json_text_parse(text, size, file, &json, err));
    struct meta *root = arena_calloc(arena, 1, sizeof *root);
    enum jl_status status = root ? build(&b, json, 0, root) : no_memory(&b);
    json_decref(json);
    if (status == JL_OK) *out = root;
    return status;
}

enum jl_status config_read(const char *path, struct arena *arena, struct meta **out,
                           struct jl_error *err) {
    char *text;
    size_t size;
    *out = NULL;
    JL_TRY(file_read_regular(path, CONFIG_MAX_BYTES, &text, &size, err));
    enum jl_status status = config_parse(text, size, path, arena, out, err);
    free(text);
    return status;
}
