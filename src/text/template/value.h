/* Values of a running template: what Python's objects are to Jinja.
 *
 * A value never changes once made, but for namespaces, cyclers, joiners and iterators. Pointers are
 * identities. Functions that return a value return NULL when the render has failed. */
#ifndef JL_TEXT_TEMPLATE_VALUE_H
#define JL_TEXT_TEMPLATE_VALUE_H

#include "text/template/render.h"

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

/* Marks say where a byte of text came from. */
#define MARK_USER 1       // a string of the caller
#define MARK_GENERATION 2 // written inside {% generation %}

struct str {
    const char *data; // len bytes of well-formed UTF-8, not NUL-terminated
    size_t len;
    const unsigned char *marks; // one a byte, or NULL: all are `mark`
    unsigned char mark;
    bool markup; // Markup: text that counts as escaped HTML
};

struct list {
    struct value **items;
    size_t count;
};

struct dict_entry {
    struct value *key, *value;
};

struct dict { // in order of insertion
    struct dict_entry *entries;
    size_t count, cap;
    uint32_t *index; // open addressing, entry + 1; NULL while small
    size_t n_slot;   // power of two
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

/* ---- strings ---- */

struct str str_of(const char *text);                          // a C string
struct str str_part(struct str s, size_t start, size_t stop); // bytes
unsigned char str_mark(struct str s, size_t at);
unsigned char str_marks_all(struct str s); // every mark that some byte has
bool str_equal(struct str a, struct str b);
int str_compare(struct str a, struct str b);
size_t str_chars(struct str s);                  // characters
size_t str_offset(struct str s, size_t n_chars); // byte where character n begins

/* A string that grows. Failures are remembered: only strbuf_value says. */
struct strbuf {
    struct render *r;
    char *data;
    unsigned char *marks; // NULL while all bytes have the same mark
    unsigned char mark;
    size_t len, cap;
    bool failed;
};
void strbuf_put(struct strbuf *b, const char *data, size_t len, unsigned char mark);
void strbuf_text(struct strbuf *b, const char *text); // no marks
void strbuf_str(struct strbuf *b, struct str s);
void strbuf_code(struct strbuf *b, uint32_t code, unsigned char mark);
struct str strbuf_view(const struct strbuf *b);
struct value *strbuf_value(struct strbuf *b);

/* ---- lists and dicts ---- */

struct listbuf {
    struct render *r;
    struct value **items;
    size_t count, cap;
};
bool listbuf_add(struct listbuf *b, struct value *item); // false also for a NULL item
struct list listbuf_list(const struct listbuf *b);

struct dict *dict_new(struct render *r);
bool dict_set(struct render *r, struct dict *d, struct value *key, struct value *value);
/* False: failed (an unhashable key). *out is NULL where the key is absent. */
bool dict_get(struct render *r, const struct dict *d, struct value *key, struct value **out);
struct value *dict_find(const struct dict *d, struct str key); // NULL: absent
struct value *dict_find_text(const struct dict *d, const char *key);
struct value *value_dict(struct render *r, struct dict *d);

#endif
