/* Tests: what may stand behind `is`. */
#include <string.h>

#include "text/template/filters.h"
#include "text/template/methods.h"

static struct value *test_defined(struct render *r, struct value **args) {
    (void)r;
    return value_bool(args[0]->kind != VALUE_UNDEFINED);
}

static struct value *test_undefined(struct render *r, struct value **args) {
    (void)r;
    return value_bool(args[0]->kind == VALUE_UNDEFINED);
}

static struct value *test_none(struct render *r, struct value **args) {
    (void)r;
    return value_bool(args[0]->kind == VALUE_NONE);
}

static struct value *test_boolean(struct render *r, struct value **args) {
    (void)r;
    return value_bool(args[0]->kind == VALUE_BOOL);
}

static struct value *test_true(struct render *r, struct value **args) {
    (void)r;
    return value_bool(args[0]->kind == VALUE_BOOL && args[0]->as.b);
}

static struct value *test_false(struct render *r, struct value **args) {
    (void)r;
    return value_bool(args[0]->kind == VALUE_BOOL && !args[0]->as.b);
}

static struct value *test_integer(struct render *r, struct value **args) {
    (void)r;
    return value_bool(args[0]->kind == VALUE_INT);
}

static struct value *test_float(struct render *r, struct value **args) {
    (void)r;
    return value_bool(args[0]->kind == VALUE_FLOAT);
}

static struct value *test_number(struct render *r, struct value **args) {
    (void)r;
    return value_bool(value_is_number(args[0]));
}

static struct value *test_string(struct render *r, struct value **args) {
    (void)r;
    return value_bool(args[0]->kind == VALUE_STR);
}

static struct value *test_mapping(struct render *r, struct value **args) {
    (void)r;
    return value_bool(args[0]->kind == VALUE_DICT);
}

static struct value *test_sequence(struct render *r, struct value **args) {
    enum value_kind kind = args[0]->kind;
    (void)r;
    return value_bool(kind == VALUE_STR || kind == VALUE_LIST || kind == VALUE_TUPLE ||
                      kind == VALUE_DICT || kind == VALUE_RANGE || kind == VALUE_UNDEFINED);
}

static struct value *test_iterable(struct render *r, struct value **args) {
    (void)r;
    return value_bool(ops_iterable(args[0]) || args[0]->kind == VALUE_LOOP);
}

static struct value *test_callable(struct render *r, struct value **args) {
    enum value_kind kind = args[0]->kind;
    (void)r;
    return value_bool(kind == VALUE_METHOD || kind == VALUE_BUILTIN || kind == VALUE_MACRO ||
                      kind == VALUE_LOOP || kind == VALUE_JOINER || kind == VALUE_BLOCK ||
                      kind == VALUE_UNDEFINED); // Jinja's Undefined has __call__
}

static struct value *test_escaped(struct render *r, struct value **args) {
    (void)r;
    return value_bool(args[0]->kind == VALUE_STR && args[0]->as.s.markup);
}

/* Small integers, None, True and False are one object each; other literals are not told apart. */
static struct value *test_sameas(struct render *r, struct value **args) {
    const struct value *a = args[0], *b = args[1];
    bool same = a == b ||
                (a->kind == b->kind &&
                 (a->kind == VALUE_NONE || (a->kind == VALUE_BOOL && a->as.b == b->as.b) ||
                  (a->kind == VALUE_INT && a->as.i == b->as.i && a->as.i >= -5 && a->as.i <= 256)));
    (void)r;
    return value_bool(same);
}

static struct value *case_test(struct render *r, struct value **args, const char *name) {
    struct str s;
    return filters_as_str(r, args[0], &s) ? value_bool(methods_test(s, name)) : NULL;
}

static struct value *test_upper(struct render *r, struct value **args) {
    return case_test(r, args, "isupper");
}

static struct value *test_lower(struct render *r, struct value **args) {
    return case_test(r, args, "islower");
}

/* value % n == wanted */
static struct value *divides(struct render *r, struct value *v, struct value *n, int64_t wanted) {
    struct value *rest = n ? ops_binary(r, OPS_MOD, v, n) : NULL;
    struct value *want = rest ? value_int(r, wanted) : NULL;
    return want ? value_bool(ops_equal(r, rest, want)) : NULL;
}

static struct value *test_odd(struct render *r, struct value **args) {
    return divides(r, args[0], value_int(r, 2), 1);
}

static struct value *test_even(struct render *r, struct value **args) {
    return divides(r, args[0], value_int(r, 2), 0);
}

static struct value *test_divisibleby(struct render *r, struct value **args) {
    return divides(r, args[0], args[1], 0);
}

static struct value *compare(struct render *r, struct value **args, enum ops_compare op) {
    bool holds;
    return ops_compare(r, op, args[0], args[1], &holds) ? value_bool(holds) : NULL;
}

static struct value *test_eq(struct render *r, struct value **args) {
    return compare(r, args, OPS_EQ);
}

static struct value *test_ne(struct render *r, struct value **args) {
    return compare(r, args, OPS_NE);
}

static struct value *test_lt(struct render *r, struct value **args) {
    return compare(r, args, OPS_LT);
}

static struct value *test_le(struct render *r, struct value **args) {
    return compare(r, args, OPS_LE);
}

static struct value *test_gt(struct render *r, struct value **args) {
    return compare(r, args, OPS_GT);
}

static struct value *test_ge(struct render *r, struct value **args) {
    return compare(r, args, OPS_GE);
}

static struct value *test_in(struct render *r, struct value **args) {
    return compare(r, args, OPS_IN);
}

/* `value in env.filters`: a name that must be hashable. */
static struct value *known(struct render *r, struct value *v, bool test) {
    if (v->kind == VALUE_LIST || v->kind == VALUE_DICT)
        return render_fail(r, "a %s is no name", value_type(v));
    if (v->kind != VALUE_STR) return value_bool(false);
    return value_bool(test ? filters_find_test(v->as.s) != NULL : filters_find(v->as.s) != NULL);
}

static struct value *test_filter(struct render *r, struct value **args) {
    return known(r, args[0], false);
}

static struct value *test_test(struct render *r, struct value **args) {
    return known(r, args[0], true);
}

const struct filters_row filters_test_rows[] = {
    {"defined", "", 0, test_defined, NULL},
    {"undefined", "", 0, test_undefined, NULL},
    {"none", "", 0, test_none, NULL},
    {"boolean", "", 0, test_boolean, NULL},
    {"true", "", 0, test_true, NULL},
    {"false", "", 0, test_false, NULL},
    {"integer", "", 0, test_integer, NULL},
    {"float", "", 0, test_float, NULL},
    {"number", "", 0, test_number, NULL},
    {"string", "", 0, test_string, NULL},
    {"mapping", "", 0, test_mapping, NULL},
    {"sequence", "", 0, test_sequence, NULL},
    {"iterable", "", 0, test_iterable, NULL},
    {"callable", "", 0, test_callable, NULL},
    {"escaped", "", 0, test_escaped, NULL},
    {"sameas", "other", 1, test_sameas, NULL},
    {"upper", "", 0, test_upper, NULL},
    {"lower", "", 0, test_lower, NULL},
    {"odd", "", 0, test_odd, NULL},
    {"even", "", 0, test_even, NULL},
    {"divisibleby", "num", 1, test_divisibleby, NULL},
    {"in", "seq", 1, test_in, NULL},
    {"eq", "-", 1, test_eq, NULL},
    {"==", "-", 1, test_eq, NULL},
    {"equalto", "-", 1, test_eq, NULL},
    {"ne", "-", 1, test_ne, NULL},
    {"!=", "-", 1, test_ne, NULL},
    {"lt", "-", 1, test_lt, NULL},
    {"<", "-", 1, test_lt, NULL},
    {"lessthan", "-", 1, test_lt, NULL},
    {"le", "-", 1, test_le, NULL},
    {"<=", "-", 1, test_le, NULL},
    {"gt", "-", 1, test_gt, NULL},
    {">", "-", 1, test_gt, NULL},
    {"greaterthan", "-", 1, test_gt, NULL},
    {"ge", "-", 1, test_ge, NULL},
    {">=", "-", 1, test_ge, NULL},
    {"filter", "", 0, test_filter, NULL},
    {"test", "", 0, test_test, NULL},
    {NULL, NULL, 0, NULL, NULL},
};
