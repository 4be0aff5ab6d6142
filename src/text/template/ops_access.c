/* Attributes, items and slices, in the order in which Jinja's sandbox tries them. */
#include <string.h>

#include "text/template/exec.h"
#include "text/template/methods.h"
#include "text/template/methods_types.h"
#include "text/template/ops.h"

static struct value *missing(struct render *r, const struct value *obj, const struct value *key) {
    const char *type = value_type(obj);
    if (key->kind == VALUE_STR)
        return value_undefined(r, "the %s has no '%.*s'", type,
                               (int)(key->as.s.len > 80 ? 80 : key->as.s.len), key->as.s.data);
    if (key->kind == VALUE_INT)
        return value_undefined(r, "the %s has no element %lld", type, (long long)key->as.i);
    return value_undefined(r, "the %s has no such element", type);
}

/* ---- slices ---- */

static bool slice_part(struct render *r, const struct value *v, int64_t fallback, int64_t *out) {
    *out = fallback;
    return !v || v->kind == VALUE_NONE || ops_need_int(r, v, "a slice's bound", out);
}

/* Python's rules for bounds beyond the ends; count items from *start by *step. */
static bool slice_bounds(struct render *r, const struct value *slice, int64_t len, int64_t *start,
                         int64_t *step, int64_t *count) {
    struct value **parts = slice->as.list.items;
    int64_t stop;
    if (!slice_part(r, parts[2], 1, step)) return false;
    if (*step == 0) return RENDER_NO(render_fail(r, "a slice's step must not be zero"));
    bool back = *step < 0;
    if (*step == INT64_MIN) *step = -INT64_MAX;
    if (!slice_part(r, parts[0], back ? INT64_MAX : 0, start)) return false;
    if (!slice_part(r, parts[1], back ? INT64_MIN : INT64_MAX, &stop)) return false;
    int64_t low = back ? -1 : 0, high = back ? len - 1 : len;
    bool whole = !parts[1] || parts[1]->kind == VALUE_NONE;
    if (*start < 0) *start += len;
    if (stop < 0 && !whole) stop = stop < -len ? -len - 1 : stop;
    if (stop < 0 && !whole) stop += len;
    *start = *start < low ? low : *start > high ? high : *start;
    stop = stop < low ? low : stop > high ? high : stop;
    int64_t span = back ? *start - stop : stop - *start, stride = back ? -*step : *step;
    *count = span <= 0 ? 0 : (span - 1) / stride + 1;
    return true;
}

static struct value *slice_str(struct render *r, struct str s, int64_t start, int64_t step,
                               int64_t count) {
    struct strbuf text = {.r = r};
    bool markup = s.markup;
    if (!render_work(r, s.len / 16)) return NULL;
    if (count == 0) return value_str(r, (struct str){.data = "", .markup = markup});
    if (step == 1) {
        size_t from = str_offset(s, (size_t)start);
        size_t len = str_offset(str_part(s, from, s.len), (size_t)count);
        return value_str(r, str_part(s, from, from + len));
    }
    size_t n = 0, *offsets = render_array(r, s.len + 1, sizeof *offsets);
    if (!offsets) return NULL;
    for (size_t at = 0; at < s.len; at += str_offset(str_part(s, at, s.len), 1))
        offsets[n++] = at;
    offsets[n] = s.len;
    for (int64_t i = 0, at = start; i < count; i++, at += step)
        strbuf_str(&text, str_part(s, offsets[at], offsets[at + 1]));
    struct value *v = strbuf_value(&text);
    if (v) v->as.s.markup = markup;
    return v;
}

static struct value *slice_list(struct render *r, struct value *obj, int64_t start, int64_t step,
                                int64_t count) {
    struct listbuf items = {.r = r};
    if (!render_work(r, (size_t)count)) return NULL;
    for (int64_t i = 0, at = start; i < count; i++, at += step) {
        if (!listbuf_add(&items, obj->as.list.items[at])) return NULL;
    }
    return value_list(r, obj->kind, listbuf_list(&items));
}

static struct value *get_slice(struct render *r, struct value *obj, struct value *slice) {
    int64_t start, step, count;
    if (obj->kind == VALUE_UNDEFINED) return render_fail(r, "%s", obj->as.why);
    if (obj->kind != VALUE_STR && obj->kind != VALUE_LIST && obj->kind != VALUE_TUPLE &&
        obj->kind != VALUE_RANGE)
        return render_fail(r, "a %s cannot be sliced", value_type(obj));
    if (!slice_bounds(r, slice, ops_length(obj), &start, &step, &count)) return NULL;
    if (obj->kind == VALUE_STR) return slice_str(r, obj->as.s, start, step, count);
    if (obj->kind != VALUE_RANGE) return slice_list(r, obj, start, step, count);
    const struct range *from = obj->as.range;
    struct value *v = value_new(r, VALUE_RANGE);
    struct range *range = render_alloc(r, sizeof *range);
    if (!v || !range) return NULL;
    *range = (struct range){.start = from->start + start * from->step, .count = count};
    if (__builtin_mul_overflow(from->step, step, &range->step)) range->step = from->step;
    range->stop = range->start + count * range->step;
    v->as.range = range;
    return v;
}

/* ---- items ---- */

/* obj[key] alone; *out NULL: there is none. False: failed. */
static bool get_item(struct render *r, struct value *obj, struct value *key, struct value **out) {
    int64_t i;
    *out = NULL;
    if (obj->kind == VALUE_UNDEFINED) return RENDER_NO(render_fail(r, "%s", obj->as.why));
    if (obj->kind == VALUE_DICT) {
        if (key->kind == VALUE_STR) {
            *out = dict_find(r, obj->as.dict, key->as.s);
            return true;
        }
        if (dict_get(r, obj->as.dict, key, out)) return true;
        if (r->err->status != JL_ERR_FORMAT) return false;
        r->failed = false; // an unhashable key is a key that is not there
        return true;
    }
    if (!ops_as_int(key, &i)) return true;
    if (obj->kind == VALUE_VIEW) return true;
    int64_t len = ops_length(obj);
    if (len < 0 || i < -len || i >= len) return true;
    if (i < 0) i += len;
    if (obj->kind == VALUE_RANGE) {
        *out = value_int(r, obj->as.range->start + i * obj->as.range->step);
    } else if (obj->kind == VALUE_STR) {
        struct str s = obj->as.s;
        size_t start = str_offset(s, (size_t)i);
        if (!render_work(r, s.len / 64)) return false;
        *out = value_str(r, str_part(s, start, start + str_offset(str_part(s, start, s.len), 1)));
    } else {
        *out = obj->as.list.items[i];
    }
    return *out != NULL;
}

struct value *ops_getitem(struct render *r, struct value *obj, struct value *key) {
    struct value *v;
    if (key->kind == VALUE_SLICE) return get_slice(r, obj, key);
    if (!get_item(r, obj, key, &v)) return NULL;
    if (!v && key->kind == VALUE_STR && !ops_attribute(r, obj, key->as.s, &v)) return NULL;
    return v ? v : missing(r, obj, key);
}

/* ---- attributes ---- */

/* What every object of Python has, and the sandbox shows as undefined. */
static bool is_inner(struct str name) {
    static const char *const names[] = {"__class__", "__doc__", "__init__", "__module__",
                                        "__dir__",   "__new__", "__eq__",   "__str__"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (str_equal(name, str_of(names[i]))) return true;
    }
    return false;
}

struct value *ops_getattr(struct render *r, struct value *obj, struct str name) {
    struct value *v, *key;
    if (obj->kind == VALUE_UNDEFINED && is_inner(name))
        return value_undefined(r, "Python's inner attributes are not accessible");
    if (!ops_attribute(r, obj, name, &v)) return NULL;
    if (v) return v;
    if (obj->kind == VALUE_DICT) { // the common case, without a value for the key
        v = dict_find(r, obj->as.dict, name);
        if (v) return v;
    }
    key = value_str(r, name);
    if (!key) return NULL;
    if (obj->kind != VALUE_DICT && !get_item(r, obj, key, &v)) return NULL;
    return v ? v : missing(r, obj, key);
}

bool ops_attribute(struct render *r, struct value *obj, struct str name, struct value **out) {
    *out = NULL;
    if (name.len && name.data[0] == '_') return true;
    if (obj->kind == VALUE_LOOP) return exec_loop_attribute(r, obj, name, out);
    if (obj->kind == VALUE_UNDEFINED) return RENDER_NO(render_fail(r, "%s", obj->as.why));
    return methods_types_attribute(r, obj, name, out);
}
