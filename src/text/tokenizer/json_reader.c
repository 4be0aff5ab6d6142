#include "text/tokenizer/json_reader.h"

#include <string.h>

#include "base/json.h"

bool json_reader_absent(const json_t *value) { return !value || json_is_null(value); }

static enum jl_status wrong_kind(const char *where, const char *key, const char *kind,
                                 struct jl_error *err) {
    return jl_fail(err, JL_ERR_FORMAT, JSON_READER_FILE ": %s.%s must be %s", where, key, kind);
}

static enum jl_status need_object(const json_t *object, const char *where, struct jl_error *err) {
    if (json_is_object(object)) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT, JSON_READER_FILE ": %s must be an object", where);
}

enum jl_status json_reader_load(const char *text, size_t len, json_t **out, json_error_t *error) {
    enum jl_status status = jl_json_load(text, len, JSON_REJECT_DUPLICATES, out, error);
    if (status != JL_ERR_FORMAT || json_error_code(error) != json_error_numeric_overflow)
        return status;
    return jl_json_load(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, out, error);
}

enum jl_status json_reader_keys(const json_t *object, const char *where, const char *const *known,
                                struct jl_error *err) {
    JL_TRY(need_object(object, where, err));
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        const char *const *at = known;
        while (*at && strcmp(*at, key) != 0)
            at++;
        if (*at) continue;
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       JSON_READER_FILE
                       ": %s has the key '%.80s', which this program does not know "
                       "and will not ignore",
                       where, key);
    }
    return JL_OK;
}

enum jl_status json_reader_string(const json_t *object, const char *where, const char *key,
                                  const char **text, size_t *len, struct jl_error *err) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value)) return wrong_kind(where, key, "a string", err);
    *text = json_string_value(value);
    *len = json_string_length(value);
    return JL_OK;
}

enum jl_status json_reader_type(const json_t *object, const char *where, const char **type,
                                struct jl_error *err) {
    size_t len;
    JL_TRY(need_object(object, where, err));
    return json_reader_string(object, where, "type", type, &len, err);
}

enum jl_status json_reader_bool(const json_t *object, const char *where, const char *key,
                                bool fallback, bool *out, struct jl_error *err) {
    const json_t *value = json_object_get(object, key);
    if (!json_reader_absent(value) && !json_is_boolean(value))
        return wrong_kind(where, key, "true or false", err);
    *out = json_reader_absent(value) ? fallback : json_is_true(value);
    return JL_OK;
}

enum jl_status json_reader_id(const json_t *value, const char *where, const char *what, int limit,
                              int *out, struct jl_error *err) {
    json_int_t id = json_integer_value(value);
    if (json_is_integer(value) && id >= 0 && id < limit) {
        *out = (int)id;
        return JL_OK;
    }
    return jl_fail(err, JL_ERR_FORMAT,
                   JSON_READER_FILE ": %s: the id of '%.80s' must be an integer of 0 to %d", where,
                   what, limit - 1);
}

enum jl_status json_reader_array(const json_t *object, const char *where, const char *key,
                                 const json_t **array, struct jl_error *err) {
    *array = json_object_get(object, key);
    return json_is_array(*array) ? JL_OK : wrong_kind(where, key, "an array", err);
}

enum jl_status json_reader_unknown(const char *where, const char *type, struct jl_error *err) {
    return jl_fail(err, JL_ERR_UNSUPPORTED,
                   JSON_READER_FILE ": the %s type '%.80s' is not supported; token ids still work "
                                    "(--tokens)",
                   where, type);
}
