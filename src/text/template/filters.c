#include "text/template/filters.h"

#include <string.h>

#include "text/template/format.h"
#include "text/template/methods.h"

static const struct filters_row *find_in(const struct filters_row *rows, struct str name) {
    for (; rows->name; rows++) {
        if (str_equal(name, str_of(rows->name))) return rows;
    }
    return NULL;
}

const struct filters_row *filters_find(struct str name) {
    const struct filters_row *row = find_in(filters_text_rows, name);
    if (!row) row = find_in(filters_list_rows, name);
    return row ? row : find_in(filters_value_rows, name);
}

const struct filters_row *filters_find_test(struct str name) {
    return find_in(filters_test_rows, name);
}

/* Parameter number i of a list; its length, 0 behind the last. */
static struct str param_at(const char *params, int i) {
    struct str name = {.data = params};
    for (;; i--) {
        const char *end = strchrnul(name.data, ' ');
        name.len = (size_t)(end - name.data);
        if (i == 0 || *end == '\0') break;
        name.data = end + 1;
    }
    if (i > 0) name.len = 0;
    return name;
}

static bool bind_keyword(struct render *r, const char *what, const char *params,
                         const struct dict_entry *e, struct value **out) {
    struct str key = e->key->as.s, name;
    for (int i = 0; (name = param_at(params, i)).len; i++) {
        if (!str_equal(name, key)) continue;
        if (out[i])
            return RENDER_NO(render_fail(r, "%s: the argument '%.*s' is given twice", what,
                                         (int)key.len, key.data));
        out[i] = e->value;
        return true;
    }
    return RENDER_NO(render_fail(r, "%s has no argument '%.*s'", what, (int)key.len, key.data));
}

bool filters_bind(struct render *r, const char *what, const char *params, int required,
                  const struct call *call, struct value **out) {
    int count = 0;
    memset(out, 0, FILTERS_MAX_ARGS * sizeof *out);
    while (param_at(params, count).len)
        count++;
    if (call->n_args > (size_t)count)
        return RENDER_NO(render_fail(r, "%s takes at most %d argument(s)", what, count));
    for (size_t i = 0; i < call->n_args; i++)
        out[i] = call->args[i];
    for (size_t i = 0; i < call->kwargs->count; i++) {
        if (!bind_keyword(r, what, params, &call->kwargs->entries[i], out)) return false;
    }
    for (int i = 0; i < required; i++) {
        if (!out[i]) return RENDER_NO(render_fail(r, "%s needs %d argument(s)", what, required));
    }
    return true;
}

struct value *filters_run(struct render *r, const struct filters_row *row, struct value *input,
                          const struct call *call) {
    struct value *args[FILTERS_MAX_ARGS + 1];
    struct value *result = NULL;
    bool ok = render_enter(r);
    if (ok && row->run_call) {
        result = row->run_call(r, input, call);
    } else if (ok && filters_bind(r, row->name, row->params, row->required, call, args + 1)) {
        args[0] = input;
        result = row->run(r, args);
    }
    render_leave(r);
    return r->failed ? NULL : result;
}

/* ---- shared ---- */

bool filters_as_str(struct render *r, struct value *v, struct str *out) {
    return ops_str(r, v, out);
}

bool filters_is_true(const struct value *arg, bool fallback) {
    return arg ? ops_truth(arg) : fallback;
}

struct value *filters_fold_case(struct render *r, struct value *v) {
    if (v && v->kind == VALUE_STR) return methods_case(r, v->as.s, 'l');
    return v;
}

/* "a.0.b" -> item.a[0].b, by items; whole numbers are indices. */
static struct value *one_part(struct render *r, struct value *item, struct str part) {
    int64_t index = 0;
    bool digits = part.len > 0 && part.len < 18;
    for (size_t i = 0; i < part.len && digits; i++) {
        digits = part.data[i] >= '0' && part.data[i] <= '9';
        index = index * 10 + (part.data[i] - '0');
    }
    struct value *key = digits ? value_int(r, index) : value_str(r, part);
    return key ? ops_getitem(r, item, key) : NULL;
}

struct value *filters_attribute(struct render *r, struct value *item, struct value *path,
                                struct value *fallback) {
    bool has_fallback = fallback && fallback->kind != VALUE_NONE;
    if (!path || path->kind == VALUE_NONE) return item;
    if (path->kind != VALUE_STR) {
        item = ops_getitem(r, item, path);
        return item && has_fallback && item->kind == VALUE_UNDEFINED ? fallback : item;
    }
    struct str s = path->as.s;
    for (size_t from = 0, at; item && from <= s.len; from = at + 1) {
        if (!methods_find_text(s, str_of("."), from, &at)) at = s.len;
        item = one_part(r, item, str_part(s, from, at));
        if (item && has_fallback && item->kind == VALUE_UNDEFINED) item = fallback;
    }
    return item;
}
