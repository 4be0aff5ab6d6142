/* Arithmetic with Python's rules. Integers are 64 bits wide: what would not fit is an error. */
#include <math.h>
#include <string.h>

#include "text/template/format.h"
#include "text/template/methods.h"
#include "text/template/ops.h"

static struct value *too_big(struct render *r) {
    return render_unsupported(r, "integers beyond 64 bits are not supported");
}

double ops_floor(double f) {
    if (!(f > -4503599627370496.0 && f < 4503599627370496.0)) return f; // whole, or no number
    double whole = (double)(int64_t)f;
    return whole == f ? f : whole > f ? whole - 1 : whole;
}

struct value *ops_double_to_int(struct render *r, double f) {
    if (f != f || f - f != 0) return render_fail(r, "a NaN or infinity is no integer");
    if (f >= 9223372036854775808.0 || f < -9223372036854775808.0) return too_big(r);
    return value_int(r, (int64_t)f);
}

static const char *symbol_of(enum ops_binary op) {
    static const char *const symbols[] = {"+", "-", "*", "/", "//", "%", "**"};
    return symbols[op];
}

static struct value *wrong_types(struct render *r, enum ops_binary op, const struct value *a,
                                 const struct value *b) {
    if (a->kind == VALUE_UNDEFINED) return render_fail(r, "%s", a->as.why);
    if (b->kind == VALUE_UNDEFINED) return render_fail(r, "%s", b->as.why);
    return render_fail(r, "'%s' does not go with a %s and a %s", symbol_of(op), value_type(a),
                       value_type(b));
}

/* ---- integers ---- */

struct value *ops_floordiv(struct render *r, int64_t a, int64_t b) {
    if (b == 0) return render_fail(r, "division by zero");
    if (b == -1) return a == INT64_MIN ? too_big(r) : value_int(r, -a);
    int64_t q = a / b;
    return value_int(r, q - (a % b != 0 && (a < 0) != (b < 0)));
}

static struct value *int_mod(struct render *r, int64_t a, int64_t b) {
    if (b == 0) return render_fail(r, "modulo by zero");
    int64_t rest = b == -1 ? 0 : a % b;
    return value_int(r, rest && (rest < 0) != (b < 0) ? rest + b : rest);
}

static struct value *int_pow(struct render *r, int64_t base, int64_t exponent) {
    int64_t result = 1;
    bool base_over = false;
    for (; exponent > 0; exponent /= 2) {
        if (exponent % 2) {
            if (base_over || __builtin_mul_overflow(result, base, &result)) return too_big(r);
        }
        base_over |= __builtin_mul_overflow(base, base, &base);
    }
    return value_int(r, result);
}

static struct value *true_division(struct render *r, int64_t a, int64_t b) {
    if (b == 0) return render_fail(r, "division by zero");
    return value_float(r, (double)((long double)a / (long double)b));
}

/* ---- floats ---- */

/* Whole exponents only: the C library's pow differs between versions. */
static struct value *float_pow(struct render *r, double base, double exponent) {
    if (exponent != ops_floor(exponent) || exponent > 1024 || exponent < -1024)
        return render_unsupported(r, "'**' with a fraction or beyond 1024 is not supported");
    if (base == 0 && exponent < 0)
        return render_fail(r, "0.0 cannot be raised to a negative power");
    long double result = 1, power = (long double)base;
    for (int n = (int)(exponent < 0 ? -exponent : exponent); n; n /= 2) {
        if (n % 2) result *= power;
        power *= power;
    }
    double value = (double)(exponent < 0 ? 1 / result : result);
    if (value - value != 0 && base - base == 0) return render_fail(r, "the power is too large");
    return value_float(r, value);
}

static double float_mod(double a, double b) {
    double rest = fmod(a, b); // exact
    if (rest == 0) return b < 0 ? -0.0 : 0.0;
    return (rest < 0) != (b < 0) ? rest + b : rest;
}

static double float_floordiv(double a, double b) {
    double rest = fmod(a, b), q = (a - rest) / b;
    if (rest != 0 && (b < 0) != (rest < 0)) q -= 1;
    if (q == 0) return (a / b) < 0 ? -0.0 : 0.0 * (a / b);
    double whole = ops_floor(q);
    return q - whole > 0.5 ? whole + 1 : whole;
}

static struct value *float_math(struct render *r, enum ops_binary op, double a, double b) {
    if (b == 0 && (op == OPS_DIV || op == OPS_FLOORDIV || op == OPS_MOD))
        return render_fail(r, "division by zero");
    switch (op) {
    case OPS_ADD: return value_float(r, a + b);
    case OPS_SUB: return value_float(r, a - b);
    case OPS_MUL: return value_float(r, a * b);
    case OPS_DIV: return value_float(r, a / b);
    case OPS_FLOORDIV: return value_float(r, float_floordiv(a, b));
    case OPS_MOD: return value_float(r, float_mod(a, b));
    default: return float_pow(r, a, b);
    }
}

static struct value *int_math(struct render *r, enum ops_binary op, int64_t a, int64_t b) {
    int64_t result;
    bool over;
    switch (op) {
    case OPS_ADD: over = __builtin_add_overflow(a, b, &result); break;
    case OPS_SUB: over = __builtin_sub_overflow(a, b, &result); break;
    case OPS_MUL: over = __builtin_mul_overflow(a, b, &result); break;
    case OPS_DIV: return true_division(r, a, b);
    case OPS_FLOORDIV: return ops_floordiv(r, a, b);
    case OPS_MOD: return int_mod(r, a, b);
    default:
        if (b < 0) return float_pow(r, (double)a, (double)b);
        return int_pow(r, a, b);
    }
    return over ? too_big(r) : value_int(r, result);
}

/* ---- sequences ---- */

/* Text beside Markup is escaped, and the result is Markup. */
struct value *ops_concat(struct render *r, struct str a, struct str b) {
    struct strbuf text = {.r = r};
    bool markup = a.markup || b.markup;
    if (!markup && a.len >= OPS_LONG_TEXT) return strbuf_append(r, a, b);
    if (markup && !a.markup)
        format_escape(&text, a);
    else
        strbuf_str(&text, a);
    if (markup && !b.markup)
        format_escape(&text, b);
    else
        strbuf_str(&text, b);
    struct value *v = render_work(r, text.len / 64) ? strbuf_value(&text) : NULL;
    if (v) v->as.s.markup = markup;
    return v;
}

static struct value *concat_lists(struct render *r, const struct value *a, const struct value *b) {
    struct listbuf items = {.r = r};
    if (!render_work(r, a->as.list.count + b->as.list.count)) return NULL;
    for (size_t i = 0; i < a->as.list.count; i++) {
        if (!listbuf_add(&items, a->as.list.items[i])) return NULL;
    }
    for (size_t i = 0; i < b->as.list.count; i++) {
        if (!listbuf_add(&items, b->as.list.items[i])) return NULL;
    }
    return value_list(r, a->kind, listbuf_list(&items));
}

static struct value *repeat(struct render *r, const struct value *v, int64_t n) {
    struct strbuf text = {.r = r};
    struct listbuf items = {.r = r};
    bool is_str = v->kind == VALUE_STR;
    size_t unit = is_str ? v->as.s.len : v->as.list.count;
    for (int64_t k = 0; k < n && unit && !r->failed; k++) {
        if (!render_work(r, 1 + unit / 64)) return NULL;
        if (is_str) strbuf_str(&text, v->as.s);
        for (size_t i = 0; !is_str && i < unit; i++) {
            if (!listbuf_add(&items, v->as.list.items[i])) return NULL;
        }
    }
    if (r->failed) return NULL;
    if (!is_str) return value_list(r, v->kind, listbuf_list(&items));
    struct value *result = strbuf_value(&text);
    if (result) result->as.s.markup = v->as.s.markup;
    return result;
}

static bool is_sequence(const struct value *v) {
    return v->kind == VALUE_STR || v->kind == VALUE_LIST || v->kind == VALUE_TUPLE;
}

struct value *ops_binary(struct render *r, enum ops_binary op, struct value *a, struct value *b) {
    int64_t i, j;
    double f, g;
    bool a_int = ops_as_int(a, &i), b_int = ops_as_int(b, &j);
    if (a_int && b_int) return int_math(r, op, i, j);
    if (ops_as_double(a, &f) && ops_as_double(b, &g)) return float_math(r, op, f, g);
    if (op == OPS_MOD && a->kind == VALUE_STR) return format_percent(r, a->as.s, b);
    if (op == OPS_ADD && a->kind == b->kind && a->kind == VALUE_STR)
        return ops_concat(r, a->as.s, b->as.s);
    if (op == OPS_ADD && a->kind == b->kind && is_sequence(a)) return concat_lists(r, a, b);
    if (op == OPS_MUL && is_sequence(a) && b_int) return repeat(r, a, j);
    if (op == OPS_MUL && is_sequence(b) && a_int) return repeat(r, b, i);
    return wrong_types(r, op, a, b);
}

struct value *ops_negative(struct render *r, struct value *v) {
    int64_t i;
    if (ops_as_int(v, &i)) return i == INT64_MIN ? too_big(r) : value_int(r, -i);
    if (v->kind == VALUE_FLOAT) return value_float(r, -v->as.f);
    if (v->kind == VALUE_UNDEFINED) return render_fail(r, "%s", v->as.why);
    return render_fail(r, "a %s has no negative", value_type(v));
}

struct value *ops_positive(struct render *r, struct value *v) {
    int64_t i;
    if (ops_as_int(v, &i)) return value_int(r, i);
    if (v->kind == VALUE_FLOAT) return v;
    if (v->kind == VALUE_UNDEFINED) return render_fail(r, "%s", v->as.why);
    return render_fail(r, "'+' does not go with a %s", value_type(v));
}
