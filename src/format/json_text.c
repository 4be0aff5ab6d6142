#include "format/json_text.h"

#include <stdbool.h>
#include <string.h>

#include "base/json.h"
#include "format/report.h"

/* ---- the dotted key at a byte position, for messages ---- */

#define KEY_LEVELS 16 // deeper levels are left out of the message

struct key_tracker {
    const char *key[KEY_LEVELS];
    size_t len[KEY_LEVELS]; // 0: none yet, or an array's level
    size_t depth;           // open brackets
    const char *last;       // the string read last
    size_t last_len;
};

static void set_key(struct key_tracker *t, const char *key, size_t len) {
    if (t->depth >= KEY_LEVELS) return;
    t->key[t->depth] = key;
    t->len[t->depth] = len;
}

/* Follows brackets and strings up to `end`; what follows a fault does not matter. */
static void track_keys(struct key_tracker *t, const char *text, size_t end) {
    for (size_t i = 0; i < end; i++) {
        switch (text[i]) {
        case '"':
            t->last = text + i + 1;
            for (i++; i < end && text[i] != '"'; i++) {
                if (text[i] == '\\') i++;
            }
            t->last_len = (size_t)(text + (i < end ? i : end) - t->last);
            break;
        case '{':
        case '[':
            t->depth++;
            set_key(t, NULL, 0);
            break;
        case '}':
        case ']':
            if (t->depth) t->depth--;
            break;
        case ':': set_key(t, t->last, t->last_len); break;
        case ',': set_key(t, NULL, 0); break;
        default: break;
        }
    }
}

/* "a.b" of the value at `end`, cut to the room there is; empty at the top. */
static struct report_text key_at(const char *text, size_t end) {
    struct key_tracker t = {0};
    char path[256];
    size_t used = 0;
    track_keys(&t, text, end);
    for (size_t level = 1; level <= t.depth && level < KEY_LEVELS; level++) {
        size_t room = sizeof path - used, len = t.len[level];
        if (len == 0 || room < 2) continue;
        if (used) path[used++] = '.';
        if (len > sizeof path - used) len = sizeof path - used;
        memcpy(path + used, t.key[level], len);
        used += len;
    }
    return used ? report_quote(path, used) : (struct report_text){""};
}

static enum jl_status parse_failed(const char *text, size_t size, const char *file,
                                   const json_error_t *error, struct jl_error *err) {
    /* Where jansson itself runs out of memory it mostly says nothing at all. */
    if (json_error_code(error) == json_error_out_of_memory || !error->text[0]) {
        return report_no_memory(err, file, "its JSON");
    }
    size_t at = error->position > 0 ? (size_t)error->position : 0;
    struct report_text key = key_at(text, at < size ? at : size);
    struct report_text what = report_quote(error->text, strnlen(error->text, sizeof error->text));
    return report_fail(err, JL_ERR_FORMAT, file, "JSON error in line %d%s%s: %s", error->line,
                       key.text[0] ? ", at key " : "", key.text, what.text);
}

enum jl_status json_text_parse(const char *text, size_t size, const char *file, json_t **out,
                               struct jl_error *err) {
    return json_text_parse_big(text, size, file, JSON_TEXT_BIG_FAILS, out, err);
}

enum jl_status json_text_parse_big(const char *text, size_t size, const char *file,
                                   enum json_text_big big, json_t **out, struct jl_error *err) {
    json_error_t error;
    *out = NULL;
    json_t *root;
    enum jl_status status = jl_json_load(text, size, JSON_REJECT_DUPLICATES, &root, &error);
    if (status == JL_ERR_FORMAT && json_error_code(&error) == json_error_numeric_overflow &&
        big == JSON_TEXT_BIG_REAL)
        status = jl_json_load(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &root,
                              &error);
    if (status == JL_ERR_MEMORY) return report_no_memory(err, file, "its JSON");
    if (status != JL_OK) return parse_failed(text, size, file, &error, err);
    if (!json_is_object(root)) {
        json_decref(root);
        return report_fail(err, JL_ERR_FORMAT, file, "the JSON must be an object");
    }
    *out = root;
    return JL_OK;
}
