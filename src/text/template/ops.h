/* What Python's operators and built-in functions do to values. Unless said otherwise, NULL or false
 * with r->failed set is a failure. */
#ifndef JL_TEXT_TEMPLATE_OPS_H
#define JL_TEXT_TEMPLATE_OPS_H

#include "text/template/value.h"

enum ops_binary { OPS_ADD, OPS_SUB, OPS_MUL, OPS_DIV, OPS_FLOORDIV, OPS_MOD, OPS_POW };
enum ops_compare { OPS_EQ, OPS_NE, OPS_LT, OPS_LE, OPS_GT, OPS_GE, OPS_IN, OPS_NOT_IN };

bool ops_as_int(const struct value *v, int64_t *out);   // int or bool; else false, no failure
bool ops_as_double(const struct value *v, double *out); // any number; else false, no failure
#define OPS_LONG_TEXT 512                               // bytes from which appending saves the copy
bool ops_need_int(struct render *r, const struct value *v, const char *what, int64_t *out);

bool ops_truth(const struct value *v);
bool ops_equal(struct render *r, const struct value *a, const struct value *b);
/* a OP b into *out, for the six comparisons and the two memberships. */
bool ops_compare(struct render *r, enum ops_compare op, struct value *a, struct value *b,
                 bool *out);
bool ops_less(struct render *r, struct value *a, struct value *b, bool *out);
bool ops_contains(struct render *r, struct value *container, struct value *item, bool *out);

struct value *ops_binary(struct render *r, enum ops_binary op, struct value *a, struct value *b);
struct value *ops_negative(struct render *r, struct value *v);
struct value *ops_positive(struct render *r, struct value *v);
struct value *ops_concat(struct render *r, struct str a, struct str b);
struct value *ops_floordiv(struct render *r, int64_t a, int64_t b);
double ops_floor(double f);
struct value *ops_double_to_int(struct render *r, double f); // towards zero

/* Attribute and item access with Jinja's rules: undefined where there is none. */
struct value *ops_getattr(struct render *r, struct value *obj, struct str name);
struct value *ops_getitem(struct render *r, struct value *obj, struct value *key);
/* The attribute alone, without falling back to items; *out NULL: there is none. */
bool ops_attribute(struct render *r, struct value *obj, struct str name, struct value **out);

/* len(); negative: the value has no length, no failure. */
int64_t ops_length(const struct value *v);

/* Iteration. */
struct ops_iter {
    struct value *over;
    size_t at; // item, or byte of a string
};
bool ops_iter_start(struct render *r, struct value *v, struct ops_iter *it);
bool ops_iterable(const struct value *v);
/* NULL: the end, or failed. */
struct value *ops_iter_next(struct render *r, struct ops_iter *it);
bool ops_items(struct render *r, struct value *v, struct list *out); // list(v)

/* str() and repr(). */
bool ops_str(struct render *r, struct value *v, struct str *out);
void ops_write(struct render *r, struct strbuf *b, struct value *v); // str(), appended
void ops_repr(struct render *r, struct strbuf *b, struct value *v);

/* Stable sort by `keys` (one an item). */
bool ops_sort(struct render *r, struct list items, struct value **keys, bool reverse);

#endif
