/* Filters over sequences. Python's are generators; ours run at once and keep a failure until the
 * item at which it would have come, so that a loop that stops before never sees it. */
#include <string.h>

#include "text/template/filters.h"

/* An iterator over what was collected; a failure of the template waits behind the last item. */
static struct value *finish(struct render *r, const struct listbuf *items) {
    if (r->failed && r->err->status != JL_ERR_FORMAT) return NULL;
    bool broken = r->failed;
    r->failed = false;
    struct value *v = value_iter(r, listbuf_list(items));
    if (v && broken) {
        v->as.iter->broken = true;
        v->as.iter->error = *r->err;
    }
    return v;
}

/* ---- map, select, reject ---- */

static struct call rest_of(const struct call *call, size_t used) {
    struct call rest = *call;
    size_t n = used < call->n_args ? used : call->n_args;
    if (n) rest.args += n;
    rest.n_args -= n;
    return rest;
}

static struct value *map_item(struct render *r, struct value *item, const struct call *call) {
    struct value *attribute = dict_find_text(r, call->kwargs, "attribute");
    if (call->n_args == 0 && attribute) {
        struct value *fallback = dict_find_text(r, call->kwargs, "default");
        if (call->kwargs->count > (fallback ? 2u : 1u))
            return render_fail(r, "map: an unexpected keyword argument");
        return filters_attribute(r, item, attribute, fallback);
    }
    if (call->n_args == 0) return render_fail(r, "map needs a filter or an attribute");
    if (call->args[0]->kind != VALUE_STR) return render_fail(r, "map: there is no such filter");
    const struct filters_row *row = filters_find(call->args[0]->as.s);
    struct call rest = rest_of(call, 1);
    if (!row)
        return render_fail(r, "map: there is no filter '%.*s'", (int)call->args[0]->as.s.len,
                           call->args[0]->as.s.data);
    return filters_run(r, row, item, &rest);
}

static struct value *filter_map(struct render *r, struct value *input, const struct call *call) {
    struct listbuf out = {.r = r};
    struct ops_iter it;
    struct value *item;
    if (!ops_truth(input) && ops_length(input) <= 0) return value_iter(r, listbuf_list(&out));
    if (ops_iter_start(r, input, &it)) {
        while ((item = ops_iter_next(r, &it))) {
            if (!render_work(r, 1) || !listbuf_add(&out, map_item(r, item, call))) break;
        }
    }
    return finish(r, &out);
}

/* Whether an item passes; `by` is the attribute that is looked at, or NULL. */
static bool passes(struct render *r, struct value *item, struct value *by, const struct call *call,
                   bool *out) {
    if (by) item = filters_attribute(r, item, by, NULL);
    if (!item) return false;
    if (call->n_args == 0) {
        *out = ops_truth(item);
        return true;
    }
    const struct filters_row *row =
        call->args[0]->kind == VALUE_STR ? filters_find_test(call->args[0]->as.s) : NULL;
    struct call rest = rest_of(call, 1);
    if (!row) return RENDER_NO(render_fail(r, "there is no such test"));
    struct value *result = filters_run(r, row, item, &rest);
    if (result) *out = ops_truth(result);
    return result != NULL;
}

static struct value *choose(struct render *r, struct value *input, const struct call *call,
                            bool by_attribute, bool keep) {
    struct listbuf out = {.r = r};
    struct ops_iter it;
    struct value *item, *by = by_attribute && call->n_args ? call->args[0] : NULL;
    struct call test = rest_of(call, by_attribute ? 1 : 0);
    bool pass = false;
    if (!ops_truth(input) && ops_length(input) <= 0) return value_iter(r, listbuf_list(&out));
    if (by_attribute && !by) {
        render_fail(r, "selectattr and rejectattr need an attribute");
        return finish(r, &out);
    }
    if (ops_iter_start(r, input, &it)) {
        while ((item = ops_iter_next(r, &it))) {
            if (!render_work(r, 1) || !passes(r, item, by, &test, &pass)) break;
            if (pass == keep && !listbuf_add(&out, item)) break;
        }
    }
    return finish(r, &out);
}

static struct value *filter_select(struct render *r, struct value *input, const struct call *call) {
    return choose(r, input, call, false, true);
}

static struct value *filter_reject(struct render *r, struct value *input, const struct call *call) {
    return choose(r, input, call, false, false);
}

static struct value *filter_selectattr(struct render *r, struct value *input,
                                       const struct call *call) {
    return choose(r, input, call, true, true);
}

static struct value *filter_rejectattr(struct render *r, struct value *input,
                                       const struct call *call) {
    return choose(r, input, call, true, false);
}

/* ---- order ---- */

/* Sort keys: the attributes (several, by commas) of each item, as lists where there are any. */
static struct value *sort_key(struct render *r, struct value *item, struct value *attribute,
                              bool fold) {
    struct listbuf key = {.r = r};
    if (!attribute || attribute->kind != VALUE_STR) {
        struct value *v = filters_attribute(r, item, attribute, NULL);
        return fold ? filters_fold_case(r, v) : v;
    }
    struct str s = attribute->as.s;
    for (size_t from = 0, at = 0; from <= s.len; from = at + 1) {
        for (at = from; at < s.len && s.data[at] != ',';)
            at++;
        struct value *path = value_str(r, str_part(s, from, at));
        struct value *v = path ? filters_attribute(r, item, path, NULL) : NULL;
        if (!listbuf_add(&key, fold ? filters_fold_case(r, v) : v)) return NULL;
    }
    return value_list(r, VALUE_LIST, listbuf_list(&key));
}

static bool copy_items(struct render *r, struct value *v, struct list *out) {
    struct list items;
    if (!ops_items(r, v, &items)) return false;
    out->count = items.count;
    out->items = render_array(r, items.count + 1, sizeof *out->items);
    if (!out->items || !render_work(r, items.count)) return false;
    if (items.count) memcpy(out->items, items.items, items.count * sizeof *items.items);
    return true;
}

static struct value *filter_sort(struct render *r, struct value **args) {
    struct list items;
    bool fold = !filters_is_true(args[2], false);
    if (!copy_items(r, args[0], &items)) return NULL;
    struct value **keys = render_array(r, items.count + 1, sizeof *keys);
    if (!keys) return NULL;
    for (size_t i = 0; i < items.count; i++) {
        keys[i] = sort_key(r, items.items[i], args[3], fold);
        if (!keys[i]) return NULL;
    }
    if (!ops_sort(r, items, keys, filters_is_true(args[1], false))) return NULL;
    return value_list(r, VALUE_LIST, items);
}

static struct value *filter_dictsort(struct render *r, struct value **args) {
    bool fold = !filters_is_true(args[1], false), by_value = false;
    struct listbuf pairs = {.r = r};
    if (args[2]) by_value = value_is_str(args[2], "value");
    if (args[2] && !by_value && !value_is_str(args[2], "key"))
        return render_fail(r, "dictsort sorts by 'key' or 'value'");
    if (args[0]->kind != VALUE_DICT)
        return render_fail(r, "dictsort needs a dict, not a %s", value_type(args[0]));
    const struct dict *d = args[0]->as.dict;
    struct value **keys = render_array(r, d->count + 1, sizeof *keys);
    if (!keys || !render_work(r, d->count)) return NULL;
    for (size_t i = 0; i < d->count; i++) {
        const struct dict_entry *e = &d->entries[i];
        keys[i] = by_value ? e->value : e->key;
        if (fold) keys[i] = filters_fold_case(r, keys[i]);
        if (!keys[i] || !listbuf_add(&pairs, value_pair(r, e->key, e->value))) return NULL;
    }
    struct list items = listbuf_list(&pairs);
    if (!ops_sort(r, items, keys, filters_is_true(args[3], false))) return NULL;
    return value_list(r, VALUE_LIST, items);
}

static struct value *filter_unique(struct render *r, struct value **args) {
    struct listbuf out = {.r = r};
    struct dict *seen = dict_new(r);
    struct ops_iter it;
    struct value *item, *known;
    bool fold = !filters_is_true(args[1], false);
    if (seen && ops_iter_start(r, args[0], &it)) {
        while ((item = ops_iter_next(r, &it))) {
            struct value *key = filters_attribute(r, item, args[2], NULL);
            if (fold) key = filters_fold_case(r, key);
            if (!key || !render_work(r, 1) || !dict_get(r, seen, key, &known)) break;
            if (known) continue;
            if (!dict_set(r, seen, key, key) || !listbuf_add(&out, item)) break;
        }
    }
    return finish(r, &out);
}

static struct value *extreme(struct render *r, struct value **args, bool largest) {
    struct ops_iter it;
    struct value *item, *best = NULL, *best_key = NULL;
    bool fold = !filters_is_true(args[1], false), better;
    if (!ops_iter_start(r, args[0], &it)) return NULL;
    while ((item = ops_iter_next(r, &it))) {
        struct value *key = filters_attribute(r, item, args[2], NULL);
        if (fold) key = filters_fold_case(r, key);
        if (!key || !render_work(r, 1)) return NULL;
        better = !best;
        if (best &&
            !(largest ? ops_less(r, best_key, key, &better) : ops_less(r, key, best_key, &better)))
            return NULL;
        if (!better) continue;
        best = item;
        best_key = key;
    }
    if (r->failed) return NULL;
    return best ? best : value_undefined(r, "No aggregated item, sequence was empty.");
}

static struct value *filter_min(struct render *r, struct value **args) {
    return extreme(r, args, false);
}

static struct value *filter_max(struct render *r, struct value **args) {
    return extreme(r, args, true);
}

static struct value *filter_reverse(struct render *r, struct value **args) {
    struct list items;
    struct value *v = args[0];
    if (v->kind == VALUE_STR) {
        static struct value *const nothing[3] = {0};
        struct value *slice = value_list(r, VALUE_SLICE, (struct list){NULL, 3});
        struct value **parts = render_array(r, 3, sizeof *parts);
        if (!slice || !parts) return NULL;
        memcpy(parts, nothing, sizeof nothing);
        slice->as.list.items = parts;
        if (!(parts[2] = value_int(r, -1))) return NULL;
        return ops_getitem(r, v, slice);
    }
    if (!copy_items(r, v, &items)) return NULL;
    for (size_t i = 0; i + i + 1 < items.count; i++) {
        struct value *swap = items.items[i];
        items.items[i] = items.items[items.count - 1 - i];
        items.items[items.count - 1 - i] = swap;
    }
    if (v->kind == VALUE_ITER) return value_list(r, VALUE_LIST, items);
    return value_iter(r, items);
}

static struct value *group(struct render *r, struct value *name, const struct listbuf *members) {
    struct value *v = value_pair(r, name, value_list(r, VALUE_LIST, listbuf_list(members)));
    if (v) v->group = true;
    return v;
}

static struct value *filter_groupby(struct render *r, struct value **args) {
    struct list items;
    struct listbuf out = {.r = r}, members = {.r = r};
    bool fold = !filters_is_true(args[3], false);
    if (!copy_items(r, args[0], &items)) return NULL;
    struct value **keys = render_array(r, items.count + 1, sizeof *keys);
    struct value **sorted = render_array(r, items.count + 1, sizeof *sorted);
    if (!keys || !sorted) return NULL;
    for (size_t i = 0; i < items.count; i++) {
        keys[i] = filters_attribute(r, items.items[i], args[1], args[2]);
        if (fold) keys[i] = filters_fold_case(r, keys[i]);
        if (!(sorted[i] = keys[i])) return NULL;
    }
    if (!ops_sort(r, items, keys, false)) return NULL;
    if (!ops_sort(r, (struct list){sorted, items.count}, keys, false)) return NULL;
    for (size_t i = 0; i < items.count; i++) {
        if (!listbuf_add(&members, items.items[i])) return NULL;
        if (i + 1 < items.count && ops_equal(r, sorted[i], sorted[i + 1])) continue;
        struct value *name = sorted[i];
        if (fold) name = filters_attribute(r, members.items[0], args[1], args[2]);
        if (r->failed || !listbuf_add(&out, name ? group(r, name, &members) : NULL)) return NULL;
        members = (struct listbuf){.r = r};
    }
    return value_list(r, VALUE_LIST, listbuf_list(&out));
}

/* ---- parts ---- */

static struct value *filter_list(struct render *r, struct value **args) {
    struct list items;
    if (!copy_items(r, args[0], &items)) return NULL;
    return value_list(r, VALUE_LIST, items);
}

static struct value *filter_first(struct render *r, struct value **args) {
    struct ops_iter it;
    if (!ops_iter_start(r, args[0], &it)) return NULL;
    struct value *item = ops_iter_next(r, &it);
    if (item || r->failed) return item;
    return value_undefined(r, "No first item, sequence was empty.");
}

static struct value *filter_last(struct render *r, struct value **args) {
    struct list items;
    if (args[0]->kind == VALUE_ITER)
        return render_fail(r, "a %s cannot be reversed", value_type(args[0]));
    if (!ops_items(r, args[0], &items)) return NULL;
    if (items.count) return items.items[items.count - 1];
    return value_undefined(r, "No last item, sequence was empty.");
}

static struct value *filter_batch(struct render *r, struct value **args) {
    struct listbuf out = {.r = r}, line = {.r = r};
    struct list items;
    int64_t n;
    bool fill = args[2] && args[2]->kind != VALUE_NONE;
    if (!ops_need_int(r, args[1], "the size of a batch", &n)) return finish(r, &out);
    if (!ops_items(r, args[0], &items)) return finish(r, &out);
    for (size_t i = 0; i < items.count; i++) {
        if ((int64_t)line.count == n) {
            if (!listbuf_add(&out, value_list(r, VALUE_LIST, listbuf_list(&line)))) return NULL;
            line = (struct listbuf){.r = r};
        }
        if (!listbuf_add(&line, items.items[i])) return NULL;
    }
    while (fill && line.count && (int64_t)line.count < n) {
        if (!render_work(r, 1) || !listbuf_add(&line, args[2])) return NULL;
    }
    if (line.count && !listbuf_add(&out, value_list(r, VALUE_LIST, listbuf_list(&line))))
        return NULL;
    return finish(r, &out);
}

static struct value *filter_slice(struct render *r, struct value **args) {
    struct listbuf out = {.r = r};
    struct list items;
    int64_t n;
    bool fill = args[2] && args[2]->kind != VALUE_NONE;
    if (!ops_need_int(r, args[1], "the number of slices", &n) || !ops_items(r, args[0], &items))
        return finish(r, &out);
    if (n == 0) {
        render_fail(r, "division by zero");
        return finish(r, &out);
    }
    int64_t size = n > 0 ? (int64_t)items.count / n : 0,
            extra = n > 0 ? (int64_t)items.count % n : 0;
    for (int64_t i = 0, at = 0; i < n; i++) {
        struct listbuf part = {.r = r};
        int64_t len = size + (i < extra);
        if (!render_work(r, 1)) return NULL;
        for (int64_t k = 0; k < len; k++) {
            if (!listbuf_add(&part, items.items[at++])) return NULL;
        }
        if (fill && i >= extra && !listbuf_add(&part, args[2])) return NULL;
        if (!listbuf_add(&out, value_list(r, VALUE_LIST, listbuf_list(&part)))) return NULL;
    }
    return finish(r, &out);
}

static struct value *filter_sum(struct render *r, struct value **args) {
    struct ops_iter it;
    struct value *total = args[2] ? args[2] : value_int(r, 0), *item;
    if (total && total->kind == VALUE_STR)
        return render_fail(r, "sum cannot add strings: use join");
    if (!total || !ops_iter_start(r, args[0], &it)) return NULL;
    while ((item = ops_iter_next(r, &it))) {
        if (args[1] && args[1]->kind != VALUE_NONE)
            item = filters_attribute(r, item, args[1], NULL);
        if (!item || !render_work(r, 1)) return NULL;
        total = ops_binary(r, OPS_ADD, total, item);
        if (!total) return NULL;
    }
    return r->failed ? NULL : total;
}

static struct value *filter_items(struct render *r, struct value **args) {
    struct listbuf out = {.r = r};
    const struct value *v = args[0];
    if (v->kind == VALUE_UNDEFINED) return finish(r, &out);
    if (v->kind != VALUE_DICT) {
        render_fail(r, "items needs a mapping, not a %s", value_type(v));
        return finish(r, &out);
    }
    for (size_t i = 0; i < v->as.dict->count; i++) {
        const struct dict_entry *e = &v->as.dict->entries[i];
        if (!render_work(r, 1) || !listbuf_add(&out, value_pair(r, e->key, e->value))) return NULL;
    }
    return finish(r, &out);
}

const struct filters_row filters_list_rows[] = {
    {"map", "", 0, NULL, filter_map},
    {"select", "", 0, NULL, filter_select},
    {"reject", "", 0, NULL, filter_reject},
    {"selectattr", "", 0, NULL, filter_selectattr},
    {"rejectattr", "", 0, NULL, filter_rejectattr},
    {"sort", "reverse case_sensitive attribute", 0, filter_sort, NULL},
    {"dictsort", "case_sensitive by reverse", 0, filter_dictsort, NULL},
    {"unique", "case_sensitive attribute", 0, filter_unique, NULL},
    {"min", "case_sensitive attribute", 0, filter_min, NULL},
    {"max", "case_sensitive attribute", 0, filter_max, NULL},
    {"reverse", "", 0, filter_reverse, NULL},
    {"groupby", "attribute default case_sensitive", 1, filter_groupby, NULL},
    {"list", "", 0, filter_list, NULL},
    {"first", "", 0, filter_first, NULL},
    {"last", "", 0, filter_last, NULL},
    {"batch", "linecount fill_with", 1, filter_batch, NULL},
    {"slice", "slices fill_with", 1, filter_slice, NULL},
    {"sum", "attribute start", 0, filter_sum, NULL},
    {"items", "", 0, filter_items, NULL},
    {NULL, NULL, 0, NULL, NULL},
};
