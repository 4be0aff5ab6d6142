#include "text/template/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct value *value_new(struct render *r, enum value_kind kind) {
    struct value *v = render_alloc(r, sizeof *v);
    if (v) v->kind = kind;
    return v;
}

/* None, True and False are constants; nothing ever writes to them. */
struct value *value_none(void) {
    static const struct value none = {.kind = VALUE_NONE};
    return (struct value *)&none;
}

struct value *value_bool(bool b) {
    static const struct value yes = {.kind = VALUE_BOOL, .as.b = true};
    static const struct value no = {.kind = VALUE_BOOL, .as.b = false};
    return (struct value *)(b ? &yes : &no);
}

struct value *value_int(struct render *r, int64_t i) {
    struct value *v = value_new(r, VALUE_INT);
    if (v) v->as.i = i;
    return v;
}

struct value *value_float(struct render *r, double f) {
    struct value *v = value_new(r, VALUE_FLOAT);
    if (v) v->as.f = f;
    return v;
}

struct value *value_str(struct render *r, struct str s) {
    struct value *v = value_new(r, VALUE_STR);
    if (v) v->as.s = s;
    return v;
}

struct value *value_text(struct render *r, const char *text) {
    return value_str(r, str_of(text));
}

struct value *value_undefined(struct render *r, const char *fmt, ...) {
    char text[300];
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(text, sizeof text, fmt, args) < 0) text[0] = '\0';
    va_end(args);
    char *why = render_alloc(r, strlen(text) + 1);
    struct value *v = value_new(r, VALUE_UNDEFINED);
    if (!why || !v) return NULL;
    strcpy(why, text); // has the room
    v->as.why = why;
    return v;
}

struct value *value_list(struct render *r, enum value_kind kind, struct list list) {
    struct value *v = value_new(r, kind);
    if (v) v->as.list = list;
    return v;
}

struct value *value_pair(struct render *r, struct value *a, struct value *b) {
    struct value **items = render_array(r, 2, sizeof *items);
    if (!items || !a || !b) return NULL;
    items[0] = a;
    items[1] = b;
    return value_list(r, VALUE_TUPLE, (struct list){items, 2});
}

struct value *value_iter(struct render *r, struct list list) {
    struct value *v = value_new(r, VALUE_ITER);
    struct iter_state *state = render_alloc(r, sizeof *state);
    if (!v || !state) return NULL;
    state->items = list;
    v->as.iter = state;
    return v;
}

struct value *value_dict(struct render *r, struct dict *d) {
    struct value *v = d ? value_new(r, VALUE_DICT) : NULL;
    if (v) v->as.dict = d;
    return v;
}

bool value_is_str(const struct value *v, const char *text) {
    return v->kind == VALUE_STR && str_equal(v->as.s, str_of(text));
}

bool value_is_number(const struct value *v) {
    return v->kind == VALUE_BOOL || v->kind == VALUE_INT || v->kind == VALUE_FLOAT;
}

const char *value_type(const struct value *v) {
    static const char *const names[] = {
        [VALUE_UNDEFINED] = "Undefined",
        [VALUE_NONE] = "NoneType",
        [VALUE_BOOL] = "bool",
        [VALUE_INT] = "int",
        [VALUE_FLOAT] = "float",
        [VALUE_STR] = "str",
        [VALUE_LIST] = "list",
        [VALUE_TUPLE] = "tuple",
        [VALUE_DICT] = "dict",
        [VALUE_RANGE] = "range",
        [VALUE_VIEW] = "dict_view",
        [VALUE_ITER] = "generator",
        [VALUE_NAMESPACE] = "Namespace",
        [VALUE_METHOD] = "method",
        [VALUE_BUILTIN] = "function",
        [VALUE_MACRO] = "Macro",
        [VALUE_LOOP] = "LoopContext",
        [VALUE_CYCLER] = "Cycler",
        [VALUE_JOINER] = "Joiner",
        [VALUE_BLOCK] = "BlockReference",
        [VALUE_SELF] = "TemplateReference",
        [VALUE_SLICE] = "slice",
    };
    return names[v->kind];
}

/* ---- lists ---- */

bool listbuf_add(struct listbuf *b, struct value *item) {
    if (!item) return false;
    if (b->count == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 8;
        struct value **grown = render_array(b->r, cap, sizeof *grown);
        if (!grown) return false;
        if (b->count) memcpy(grown, b->items, b->count * sizeof *grown);
        b->items = grown;
        b->cap = cap;
    }
    b->items[b->count++] = item;
    return true;
}

struct list listbuf_list(const struct listbuf *b) {
    return (struct list){b->items, b->count};
}
