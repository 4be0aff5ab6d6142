/* Truth, comparison, membership, length, iteration and sorting. */
#include "text/template/ops.h"

#include <string.h>

#include "text/template/methods.h"
#include "text/utf8.h"

bool ops_as_int(const struct value *v, int64_t *out) {
    if (v->kind != VALUE_INT && v->kind != VALUE_BOOL) return false;
    *out = v->kind == VALUE_INT ? v->as.i : v->as.b;
    return true;
}

bool ops_as_double(const struct value *v, double *out) {
    int64_t i;
    if (v->kind == VALUE_FLOAT) {
        *out = v->as.f;
        return true;
    }
    if (!ops_as_int(v, &i)) return false;
    *out = (double)i;
    return true;
}

bool ops_need_int(struct render *r, const struct value *v, const char *what, int64_t *out) {
    if (ops_as_int(v, out)) return true;
    if (v->kind == VALUE_UNDEFINED) return RENDER_NO(render_fail(r, "%s", v->as.why));
    return RENDER_NO(render_fail(r, "%s must be an integer, not a %s", what, value_type(v)));
}

bool ops_truth(const struct value *v) {
    switch (v->kind) {
    case VALUE_UNDEFINED:
    case VALUE_NONE: return false;
    case VALUE_BOOL: return v->as.b;
    case VALUE_INT: return v->as.i != 0;
    case VALUE_FLOAT: return v->as.f != 0;
    default: return ops_length(v) != 0;
    }
}

int64_t ops_length(const struct value *v) {
    switch (v->kind) {
    case VALUE_UNDEFINED: return 0;
    case VALUE_STR: return (int64_t)str_chars(v->as.s);
    case VALUE_LIST:
    case VALUE_TUPLE: return (int64_t)v->as.list.count;
    case VALUE_DICT: return (int64_t)v->as.dict->count;
    case VALUE_VIEW: return (int64_t)v->as.view.dict->count;
    case VALUE_RANGE: return v->as.range->count;
    default: return -1;
    }
}

/* ---- comparison ---- */

/* -1, 0, 1, or 2 where one is not a number. */
static int compare_int_double(int64_t i, double f) {
    if (f != f) return 2;
    if (f >= 9223372036854775808.0) return -1;
    if (f < -9223372036854775808.0) return 1;
    int64_t whole = (int64_t)f;
    if (i != whole) return i < whole ? -1 : 1;
    double rest = f - (double)whole;
    return rest > 0 ? -1 : rest < 0;
}

static int compare_numbers(const struct value *a, const struct value *b) {
    int64_t i, j;
    bool a_int = ops_as_int(a, &i), b_int = ops_as_int(b, &j);
    if (a_int && b_int) return (i > j) - (i < j);
    if (a_int) return compare_int_double(i, b->as.f);
    if (b_int) {
        int order = compare_int_double(j, a->as.f);
        return order == 2 ? 2 : -order;
    }
    double f = a->as.f, g = b->as.f;
    return f != f || g != g ? 2 : (f > g) - (f < g);
}

static bool equal_lists(struct render *r, const struct list *a, const struct list *b) {
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->items[i] != b->items[i] && !ops_equal(r, a->items[i], b->items[i])) return false;
    }
    return true;
}

static bool equal_dicts(struct render *r, const struct dict *a, const struct dict *b) {
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++) {
        struct value *other;
        if (!dict_get(r, b, a->entries[i].key, &other) || !other) return false;
        if (a->entries[i].value != other && !ops_equal(r, a->entries[i].value, other)) return false;
    }
    return true;
}

static bool equal_ranges(const struct range *a, const struct range *b) {
    if (a->count != b->count) return false;
    return a->count == 0 || (a->start == b->start && (a->count == 1 || a->step == b->step));
}

static bool equal_inside(struct render *r, const struct value *a, const struct value *b) {
    if (value_is_number(a) && value_is_number(b)) return compare_numbers(a, b) == 0;
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case VALUE_UNDEFINED:
    case VALUE_NONE: return true;
    case VALUE_STR: return str_equal(a->as.s, b->as.s);
    case VALUE_LIST:
    case VALUE_TUPLE: return equal_lists(r, &a->as.list, &b->as.list);
    case VALUE_DICT: return equal_dicts(r, a->as.dict, b->as.dict);
    case VALUE_RANGE: return equal_ranges(a->as.range, b->as.range);
    case VALUE_VIEW:
        if (a != b && a->as.view.which != 'v') render_unsupported(r, "comparing dict views");
        return a == b;
    default: return a == b;
    }
}

bool ops_equal(struct render *r, const struct value *a, const struct value *b) {
    bool same = render_enter(r) && equal_inside(r, a, b);
    render_leave(r);
    return same && !r->failed;
}

static bool order_fails(struct render *r, const struct value *a, const struct value *b) {
    const struct value *missing = a->kind == VALUE_UNDEFINED   ? a
                                  : b->kind == VALUE_UNDEFINED ? b
                                                               : NULL;
    if (missing) return RENDER_NO(render_fail(r, "%s", missing->as.why));
    return RENDER_NO(render_fail(r, "a %s and a %s have no order", value_type(a), value_type(b)));
}

/* -1, 0, 1, or 2 for NaN. False: failed. */
static bool order_of(struct render *r, struct value *a, struct value *b, int *order) {
    bool lists = a->kind == b->kind && (a->kind == VALUE_LIST || a->kind == VALUE_TUPLE);
    if (value_is_number(a) && value_is_number(b)) {
        *order = compare_numbers(a, b);
        return true;
    }
    if (a->kind == VALUE_STR && b->kind == VALUE_STR) {
        *order = str_compare(a->as.s, b->as.s);
        *order = (*order > 0) - (*order < 0);
        return render_work(r, (a->as.s.len < b->as.s.len ? a : b)->as.s.len / 256);
    }
    if (!lists) return order_fails(r, a, b);
    struct list x = a->as.list, y = b->as.list;
    for (size_t i = 0; i < x.count && i < y.count; i++) {
        if (x.items[i] == y.items[i] || ops_equal(r, x.items[i], y.items[i])) continue;
        bool ok = !r->failed && render_enter(r) && order_of(r, x.items[i], y.items[i], order);
        if (!r->failed) render_leave(r);
        return ok;
    }
    *order = (x.count > y.count) - (x.count < y.count);
    return !r->failed;
}

bool ops_less(struct render *r, struct value *a, struct value *b, bool *out) {
    int order;
    if (!render_work(r, 1) || !order_of(r, a, b, &order)) return false;
    *out = order == -1;
    return true;
}

bool ops_compare(struct render *r, enum ops_compare op, struct value *a, struct value *b,
                 bool *out) {
    int order;
    switch (op) {
    case OPS_EQ:
    case OPS_NE: *out = ops_equal(r, a, b) == (op == OPS_EQ); return !r->failed;
    case OPS_IN:
    case OPS_NOT_IN:
        if (!ops_contains(r, b, a, out)) return false;
        *out ^= op == OPS_NOT_IN;
        return true;
    default:
        if (!order_of(r, a, b, &order)) return false;
        *out = op == OPS_LT   ? order == -1
               : op == OPS_LE ? order == -1 || order == 0
               : op == OPS_GT ? order == 1
                              : order == 0 || order == 1;
        return true;
    }
}

bool ops_contains(struct render *r, struct value *container, struct value *item, bool *out) {
    struct value *found;
    size_t at;
    int64_t i;
    *out = false;
    if (container->kind == VALUE_STR) {
        if (item->kind != VALUE_STR)
            return RENDER_NO(
                render_fail(r, "'in' a string needs a string, not a %s", value_type(item)));
        *out = methods_find_text(container->as.s, item->as.s, 0, &at);
        return render_work(r, container->as.s.len / 64);
    }
    if (container->kind == VALUE_DICT) {
        if (!dict_get(r, container->as.dict, item, &found)) return false;
        *out = found != NULL;
        return true;
    }
    if (container->kind == VALUE_RANGE && ops_as_int(item, &i)) {
        const struct range *range = container->as.range;
        int64_t last = range->start + (range->count - 1) * range->step;
        bool inside =
            range->step > 0 ? i >= range->start && i <= last : i <= range->start && i >= last;
        *out = range->count > 0 && inside && (i - range->start) % range->step == 0;
        return true;
    }
    struct ops_iter it;
    if (!ops_iter_start(r, container, &it)) return false;
    while (!*out && (found = ops_iter_next(r, &it))) {
        if (!render_work(r, 1)) return false;
        *out = found == item || ops_equal(r, found, item);
    }
    return !r->failed;
}

/* ---- iteration ---- */

bool ops_iterable(const struct value *v) { return ops_length(v) >= 0 || v->kind == VALUE_ITER; }

bool ops_iter_start(struct render *r, struct value *v, struct ops_iter *it) {
    *it = (struct ops_iter){v, 0};
    if (ops_iterable(v)) return true;
    return RENDER_NO(render_fail(r, "a %s cannot be iterated over", value_type(v)));
}

static struct value *next_of_iter(struct render *r, struct iter_state *state) {
    if (state->at < state->items.count) return state->items.items[state->at++];
    if (!state->broken) return NULL;
    if (!r->failed) *r->err = state->error;
    r->failed = true;
    return NULL;
}

struct value *ops_iter_next(struct render *r, struct ops_iter *it) {
    struct value *v = it->over;
    const struct dict *d = v->kind == VALUE_DICT   ? v->as.dict
                           : v->kind == VALUE_VIEW ? v->as.view.dict
                                                   : NULL;
    if (v->kind == VALUE_ITER) return next_of_iter(r, v->as.iter);
    if (v->kind == VALUE_STR) {
        struct str s = v->as.s;
        if (it->at >= s.len) return NULL;
        size_t stop = it->at + str_offset(str_part(s, it->at, s.len), 1);
        struct str c = str_part(s, it->at, stop);
        c.markup = false;
        it->at = stop;
        return value_str(r, c);
    }
    if ((int64_t)it->at >= ops_length(v)) return NULL;
    size_t at = it->at++;
    if (v->kind == VALUE_RANGE)
        return value_int(r, v->as.range->start + (int64_t)at * v->as.range->step);
    if (!d) return v->as.list.items[at];
    const struct dict_entry *e = &d->entries[at];
    if (v->kind == VALUE_DICT || v->as.view.which == 'k') return e->key;
    return v->as.view.which == 'v' ? e->value : value_pair(r, e->key, e->value);
}

bool ops_items(struct render *r, struct value *v, struct list *out) {
    if (v->kind == VALUE_LIST || v->kind == VALUE_TUPLE) {
        *out = v->as.list;
        return true;
    }
    struct listbuf items = {.r = r};
    struct ops_iter it;
    struct value *item;
    if (!ops_iter_start(r, v, &it)) return false;
    while ((item = ops_iter_next(r, &it))) {
        if (!render_work(r, 1) || !listbuf_add(&items, item)) return false;
    }
    *out = listbuf_list(&items);
    return !r->failed;
}

/* ---- sorting: bottom-up merges, stable ---- */

static bool merge(struct render *r, struct value **keys, const size_t *from, size_t *to,
                  const size_t bounds[3], bool reverse) {
    size_t a = bounds[0], b = bounds[1];
    for (size_t i = bounds[0]; i < bounds[2]; i++) {
        bool take_b = a == bounds[1];
        if (!take_b && b < bounds[2]) {
            struct value *x = keys[from[a]], *y = keys[from[b]];
            if (reverse ? !ops_less(r, x, y, &take_b) : !ops_less(r, y, x, &take_b)) return false;
        }
        to[i] = take_b ? from[b++] : from[a++];
    }
    return true;
}

bool ops_sort(struct render *r, struct list items, struct value **keys, bool reverse) {
    size_t n = items.count;
    size_t *order = render_array(r, n + 1, sizeof *order);
    size_t *other = render_array(r, n + 1, sizeof *other);
    struct value **sorted = render_array(r, n + 1, sizeof *sorted);
    if (!order || !other || !sorted) return false;
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t i = 0; i < n; i += 2 * width) {
            size_t mid = i + width < n ? i + width : n, end = i + 2 * width < n ? i + 2 * width : n;
            const size_t bounds[3] = {i, mid, end};
            if (!merge(r, keys, order, other, bounds, reverse)) return false;
        }
        size_t *swap = order;
        order = other;
        other = swap;
    }
    for (size_t i = 0; i < n; i++)
        sorted[i] = items.items[order[i]];
    if (n) memcpy(items.items, sorted, n * sizeof *sorted);
    return true;
}
