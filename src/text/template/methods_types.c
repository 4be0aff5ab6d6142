/* Attributes of dicts, lists, numbers, ranges, namespaces, macros and cyclers. */
#include "text/template/methods_types.h"

#include <string.h>

#include "text/template/exec.h"
#include "text/template/methods.h"

/* ---- dict ---- */

static struct value *view(struct render *r, struct value *self, char which) {
    struct value *v = value_new(r, VALUE_VIEW);
    if (!v) return NULL;
    v->as.view.dict = self->as.dict;
    v->as.view.which = which;
    return v;
}

static struct value *dict_keys(struct render *r, struct value *self, struct value **args) {
    (void)args;
    return view(r, self, 'k');
}

static struct value *dict_values(struct render *r, struct value *self, struct value **args) {
    (void)args;
    return view(r, self, 'v');
}

static struct value *dict_items(struct render *r, struct value *self, struct value **args) {
    (void)args;
    return view(r, self, 'i');
}

static struct value *get_or(struct render *r, struct value *self, struct value **args) {
    struct value *v;
    if (!dict_get(r, self->as.dict, args[0], &v)) return NULL;
    return v ? v : args[1] ? args[1] : value_none();
}

/* Values never change, so a copy can be the same dict under another identity. */
static struct value *copy(struct render *r, struct value *self, struct value **args) {
    struct value *v = value_new(r, self->kind);
    (void)args;
    if (v) *v = *self;
    return v;
}

static const struct methods_row dict_rows[] = {
    {"get", "- -", 1, get_or, NULL},  {"items", "", 0, dict_items, NULL},
    {"keys", "", 0, dict_keys, NULL}, {"values", "", 0, dict_values, NULL},
    {"copy", "", 0, copy, NULL},      {NULL, NULL, 0, NULL, NULL},
};

/* ---- list and tuple ---- */

static struct value *list_index(struct render *r, struct value *self, struct value **args) {
    int64_t len = ops_length(self), start = 0, stop = len;
    if (args[1] && !ops_need_int(r, args[1], "the start", &start)) return NULL;
    if (args[2] && !ops_need_int(r, args[2], "the end", &stop)) return NULL;
    if (start < 0) start = start < -len ? 0 : start + len;
    if (stop < 0) stop += len;
    for (int64_t i = start; i < stop && i < len; i++) {
        struct value *item = self->as.list.items[i];
        if (item == args[0] || ops_equal(r, item, args[0])) return value_int(r, i);
        if (r->failed) return NULL;
    }
    return render_fail(r, "the value is not in the %s", value_type(self));
}

static struct value *list_count(struct render *r, struct value *self, struct value **args) {
    int64_t n = 0;
    for (size_t i = 0; i < self->as.list.count && !r->failed; i++) {
        struct value *item = self->as.list.items[i];
        n += item == args[0] || ops_equal(r, item, args[0]);
    }
    return r->failed ? NULL : value_int(r, n);
}

static const struct methods_row list_rows[] = {
    {"index", "- - -", 1, list_index, NULL},
    {"count", "-", 1, list_count, NULL},
    {"copy", "", 0, copy, NULL},
    {NULL, NULL, 0, NULL, NULL},
};

static const struct methods_row tuple_rows[] = {
    {"index", "- - -", 1, list_index, NULL},
    {"count", "-", 1, list_count, NULL},
    {NULL, NULL, 0, NULL, NULL},
};

/* ---- range ---- */

/* Its numbers differ, so an item is there once or not at all. */
static struct value *range_count(struct render *r, struct value *self, struct value **args) {
    bool inside;
    return ops_contains(r, self, args[0], &inside) ? value_int(r, inside) : NULL;
}

static struct value *range_index(struct render *r, struct value *self, struct value **args) {
    struct ops_iter it;
    struct value *item;
    if (!ops_iter_start(r, self, &it)) return NULL;
    for (int64_t i = 0; (item = ops_iter_next(r, &it)); i++) {
        if (!render_work(r, 1)) return NULL;
        if (ops_equal(r, item, args[0])) return value_int(r, i);
    }
    return r->failed ? NULL : render_fail(r, "the value is not in the range");
}

static const struct methods_row range_rows[] = {
    {"index", "-", 1, range_index, NULL},
    {"count", "-", 1, range_count, NULL},
    {NULL, NULL, 0, NULL, NULL},
};

static bool range_field(struct render *r, struct value *obj, const char *name, struct value **out) {
    const struct range *range = obj->as.range;
    if (!strcmp(name, "start")) *out = value_int(r, range->start);
    if (!strcmp(name, "stop")) *out = value_int(r, range->stop);
    if (!strcmp(name, "step")) *out = value_int(r, range->step);
    return !r->failed;
}

/* ---- numbers ---- */

static struct value *int_bit_length(struct render *r, struct value *self, struct value **args) {
    int64_t i = 0;
    (void)args;
    ops_as_int(self, &i);
    uint64_t size = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    return value_int(r, size ? 64 - __builtin_clzll(size) : 0);
}

static struct value *int_bit_count(struct render *r, struct value *self, struct value **args) {
    int64_t i = 0;
    (void)args;
    ops_as_int(self, &i);
    return value_int(r, __builtin_popcountll(i < 0 ? 0 - (uint64_t)i : (uint64_t)i));
}

static struct value *conjugate(struct render *r, struct value *self, struct value **args) {
    (void)args;
    return ops_positive(r, self);
}

static struct value *float_is_integer(struct render *r, struct value *self, struct value **args) {
    double f = self->as.f;
    (void)r;
    (void)args;
    return value_bool(f - f == 0 && ops_floor(f) == f);
}

static const struct methods_row int_rows[] = {
    {"bit_length", "", 0, int_bit_length, NULL},
    {"bit_count", "", 0, int_bit_count, NULL},
    {"conjugate", "", 0, conjugate, NULL},
    {NULL, NULL, 0, NULL, NULL},
};

static const struct methods_row float_rows[] = {
    {"is_integer", "", 0, float_is_integer, NULL},
    {"conjugate", "", 0, conjugate, NULL},
    {NULL, NULL, 0, NULL, NULL},
};

static bool number_field(struct render *r, struct value *obj, const char *name,
                         struct value **out) {
    bool whole = obj->kind != VALUE_FLOAT;
    if (!strcmp(name, "real") || (whole && !strcmp(name, "numerator")))
        *out = ops_positive(r, obj);
    else if (!strcmp(name, "imag"))
        *out = whole ? value_int(r, 0) : value_float(r, 0);
    else if (whole && !strcmp(name, "denominator"))
        *out = value_int(r, 1);
    return !r->failed;
}

/* ---- cycler ---- */

static struct value *cycler_next(struct render *r, struct value *self, struct value **args) {
    struct value *v = self->as.cycler.items.items[self->as.cycler.at];
    (void)r;
    (void)args;
    self->as.cycler.at = (self->as.cycler.at + 1) % self->as.cycler.items.count;
    return v;
}

static struct value *cycler_reset(struct render *r, struct value *self, struct value **args) {
    (void)r;
    (void)args;
    self->as.cycler.at = 0;
    return value_none();
}

static const struct methods_row cycler_rows[] = {
    {"next", "", 0, cycler_next, NULL},
    {"reset", "", 0, cycler_reset, NULL},
    {NULL, NULL, 0, NULL, NULL},
};

static bool cycler_field(struct render *r, struct value *obj, const char *name,
                         struct value **out) {
    if (!strcmp(name, "current"))
        *out = obj->as.cycler.items.items[obj->as.cycler.at];
    else if (!strcmp(name, "pos"))
        *out = value_int(r, (int64_t)obj->as.cycler.at);
    else if (!strcmp(name, "items"))
        *out = value_list(r, VALUE_TUPLE, obj->as.cycler.items);
    return !r->failed;
}

/* ---- macro ---- */

static bool macro_field(struct render *r, struct value *obj, const char *name, struct value **out) {
    const struct node *node = obj->as.macro->node;
    const struct signature *s = node->signature;
    struct listbuf names = {.r = r};
    if (!strcmp(name, "name")) {
        *out = node->kind == NODE_MACRO ? value_str(r, node->text) : value_none();
    } else if (!strcmp(name, "arguments")) {
        for (int i = 0; i < s->count; i++)
            listbuf_add(&names, value_str(r, r->ast->symbols[s->symbols[i]]));
        *out = value_list(r, VALUE_TUPLE, listbuf_list(&names));
    } else if (!strcmp(name, "catch_kwargs")) {
        *out = value_bool(s->uses_kwargs);
    } else if (!strcmp(name, "catch_varargs")) {
        *out = value_bool(s->uses_varargs);
    } else if (!strcmp(name, "caller")) {
        *out = value_bool(s->uses_caller);
    }
    return !r->failed;
}

/* ---- all ---- */

/* What the immutable sandbox keeps away. */
static bool mutates(const struct value *obj, const char *name) {
    static const char *const names[] = {"append",     "clear",   "extend", "insert",
                                        "pop",        "remove",  "sort",   "reverse",
                                        "setdefault", "popitem", "update"};
    if (obj->kind != VALUE_LIST && obj->kind != VALUE_DICT) return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool of_dict = !strcmp(name, "setdefault") || !strcmp(name, "popitem") ||
                       !strcmp(name, "update") || !strcmp(name, "clear") || !strcmp(name, "pop");
        bool of_list =
            strcmp(name, "setdefault") && strcmp(name, "popitem") && strcmp(name, "update");
        if (!strcmp(names[i], name)) return obj->kind == VALUE_DICT ? of_dict : of_list;
    }
    return false;
}

static bool block_field(struct render *r, struct str name, struct value **out) {
    for (int i = 0; i < r->ast->blocks.count; i++) {
        if (!str_equal(r->ast->blocks.items[i]->text, name)) continue;
        *out = value_new(r, VALUE_BLOCK);
        if (*out) (*out)->as.block = r->ast->blocks.items[i];
    }
    return !r->failed;
}

static bool str_attribute(struct render *r, struct value *obj, struct str name,
                          struct value **out) {
    const struct methods_row *const tables[] = {methods_str_rows, methods_str_cut_rows,
                                                methods_str_test_rows};
    for (int i = 0; i < 3; i++) {
        if (!methods_find(r, tables[i], obj, name, out)) return false;
        if (*out) return true;
    }
    return true;
}

bool methods_types_attribute(struct render *r, struct value *obj, struct str name,
                             struct value **out) {
    char text[32] = "";
    if (name.len < sizeof text) memcpy(text, name.data, name.len);
    *out = NULL;
    if (mutates(obj, text)) {
        *out = value_undefined(r, "a template may not change a %s ('%s')", value_type(obj), text);
        return *out != NULL;
    }
    switch (obj->kind) {
    case VALUE_STR: return str_attribute(r, obj, name, out);
    case VALUE_DICT: return methods_find(r, dict_rows, obj, name, out);
    case VALUE_LIST: return methods_find(r, list_rows, obj, name, out);
    case VALUE_TUPLE:
        if (obj->group && !strcmp(text, "grouper")) *out = obj->as.list.items[0];
        if (obj->group && !strcmp(text, "list")) *out = obj->as.list.items[1];
        return *out || methods_find(r, tuple_rows, obj, name, out);
    case VALUE_BOOL:
    case VALUE_INT:
        if (!methods_find(r, int_rows, obj, name, out)) return false;
        return *out || number_field(r, obj, text, out);
    case VALUE_FLOAT:
        if (!methods_find(r, float_rows, obj, name, out)) return false;
        return *out || number_field(r, obj, text, out);
    case VALUE_RANGE:
        if (!methods_find(r, range_rows, obj, name, out)) return false;
        return *out || range_field(r, obj, text, out);
    case VALUE_NAMESPACE: *out = dict_find(r, obj->as.dict, name); return true;
    case VALUE_CYCLER:
        if (!methods_find(r, cycler_rows, obj, name, out)) return false;
        return *out || cycler_field(r, obj, text, out);
    case VALUE_MACRO: return macro_field(r, obj, text, out);
    case VALUE_SELF: return block_field(r, name, out);
    default: return true;
    }
}
