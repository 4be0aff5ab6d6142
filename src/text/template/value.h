/* Values of a running template: what Python's objects are to Jinja.
 *
 * A value never changes once made, but for namespaces, cyclers, joiners and iterators. Pointers are
 * identities. Functions that return a value return NULL when the render has failed. */
#ifndef JL_TEXT_TEMPLATE_VALUE_H
#define JL_TEXT_TEMPLATE_VALUE_H

#include "text/template/dict.h"
#include "text/template/listbuf.h"
#include "text/template/render.h"
#include "text/template/str.h"
#include "text/template/strbuf.h"

enum value_kind {
    VALUE_UNDEFINED, // as.why says what was not there
    VALUE_NONE,
    VALUE_BOOL,
    VALUE_INT, // fits int64; what would not is an error
    VALUE_FLOAT,
    VALUE_STR,
    VALUE_LIST,
    VALUE_TUPLE,
    VALUE_DICT,
    VALUE_RANGE,
    VALUE_VIEW, // keys(), values() or items() of a dict
    VALUE_ITER, // a generator: each item comes once
    VALUE_NAMESPACE,
    VALUE_METHOD,  // a method of a value
    VALUE_BUILTIN, // a global function
    VALUE_MACRO,
    VALUE_LOOP,
    VALUE_CYCLER,
    VALUE_JOINER,
    VALUE_BLOCK, // self.NAME
    VALUE_SELF,
    VALUE_SLICE, // inside x[a:b:c] only
};

struct iter_state {
    struct list items;
    size_t at;
    bool broken; // after the last item, fail with `error`
    struct jl_error error;
};

struct range {
    int64_t start, stop, step, count;
};

struct loop_state;
struct methods_row;
struct macro;
struct node;
struct call;

typedef struct value *(*value_function)(struct render *r, struct value *self,
                                        const struct call *call);

struct value {
    enum value_kind kind;
    bool group; // a tuple of groupby: has .grouper and .list
    union {
        bool b;
        int64_t i;
        double f;
        struct str s;
        struct list list;  // VALUE_LIST, VALUE_TUPLE, VALUE_SLICE (3 items, NULL where left out)
        struct dict *dict; // VALUE_DICT, VALUE_NAMESPACE
        struct range *range;
        struct {
            struct dict *dict;
            char which; // 'k', 'v', 'i'
        } view;
        struct iter_state *iter;
        struct {
            struct value *self; // NULL for a global
            const char *name;
            value_function call;
            const struct methods_row *row; // instead of call
        } function;                        // VALUE_METHOD, VALUE_BUILTIN
        struct macro *macro;
        struct loop_state *loop;
        struct {
            struct list items;
            size_t at;
        } cycler; // VALUE_CYCLER; VALUE_JOINER: items[0] is the separator, `at` 1 once used
        const struct node *block;
        const char *why;
    } as;
};

/* Positional and keyword arguments of a call. */
struct call {
    struct value **args;
    size_t n_args;
    struct dict *kwargs; // keys are strings; never NULL
};

struct value *value_new(struct render *r, enum value_kind kind);
struct value *value_none(void);
struct value *value_bool(bool b);
struct value *value_int(struct render *r, int64_t i);
struct value *value_float(struct render *r, double f);
struct value *value_str(struct render *r, struct str s);
struct value *value_text(struct render *r, const char *text); // a C string that stays; no marks
struct value *value_undefined(struct render *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
struct value *value_list(struct render *r, enum value_kind kind, struct list list);
struct value *value_pair(struct render *r, struct value *a, struct value *b); // a tuple
struct value *value_iter(struct render *r, struct list list);

bool value_is_str(const struct value *v, const char *text);
bool value_is_number(const struct value *v);   // int, float or bool
const char *value_type(const struct value *v); // Python's name of the type

struct value *value_dict(struct render *r, struct dict *d);

#endif
