/* Filters over single values. */
#include <string.h>

#include "text/number_text.h"
#include "text/template/filters.h"
#include "text/template/format.h"
#include "text/template/methods.h"
#include "text/utf8.h"

static struct value *filter_abs(struct render *r, struct value **args) {
    int64_t i;
    if (ops_as_int(args[0], &i)) return i < 0 ? ops_negative(r, args[0]) : value_int(r, i);
    if (args[0]->kind == VALUE_FLOAT) return value_float(r, __builtin_fabs(args[0]->as.f));
    return render_fail(r, "abs needs a number, not a %s", value_type(args[0]));
}

static struct value *filter_attr(struct render *r, struct value **args) {
    struct value *v;
    if (args[1]->kind != VALUE_STR) return render_fail(r, "attr needs a name");
    if (!ops_attribute(r, args[0], args[1]->as.s, &v)) return NULL;
    if (v) return v;
    return value_undefined(r, "the %s has no attribute '%.*s'", value_type(args[0]),
                           (int)args[1]->as.s.len, args[1]->as.s.data);
}

static struct value *filter_default(struct render *r, struct value **args) {
    bool boolean = filters_is_true(args[2], false);
    if (args[0]->kind != VALUE_UNDEFINED && !(boolean && !ops_truth(args[0]))) return args[0];
    return args[1] ? args[1] : value_text(r, "");
}

static struct value *filter_length(struct render *r, struct value **args) {
    int64_t n = ops_length(args[0]);
    if (args[0]->kind == VALUE_LOOP) {
        struct value *v;
        return ops_attribute(r, args[0], str_of("length"), &v) ? v : NULL;
    }
    if (n < 0) return render_fail(r, "a %s has no length", value_type(args[0]));
    if (!render_work(r, args[0]->kind == VALUE_STR ? args[0]->as.s.len / 64 : 0)) return NULL;
    return value_int(r, n);
}

/* ---- numbers from text ---- */

/* int() and float() read the decimal digits of every script. */
static struct str ascii_digits(struct render *r, struct str s) {
    struct strbuf out = {.r = r};
    uint32_t code;
    for (size_t at = 0; at < s.len;) {
        size_t n = (size_t)utf8_step(s.data + at, s.len - at, &code);
        int digit = code < 0x80 ? -1 : methods_digit(code);
        if (digit >= 0)
            strbuf_put(&out, &"0123456789"[digit], 1, 0);
        else
            strbuf_str(&out, str_part(s, at, at + n));
        at += n;
    }
    return strbuf_view(&out);
}

static int digit_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') return (c | 0x20) - 'a' + 10;
    return 99;
}

/* Past a prefix of the base (0x, 0o, 0b), which base 0 takes its base from. False: no number. */
static bool read_prefix(struct str *s, int *base) {
    char kind = s->len > 1 && s->data[0] == '0' ? (char)(s->data[1] | 0x20) : '\0';
    int named = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 0;
    if (named && (*base == 0 || *base == named)) {
        *base = named;
        *s = str_part(*s, 2, s->len);
        if (s->len && s->data[0] == '_') *s = str_part(*s, 1, s->len);
        return true;
    }
    if (*base != 0) return true;
    *base = 10;
    for (size_t i = 0; s->len > 1 && s->data[0] == '0' && i < s->len; i++) {
        if (s->data[i] != '0' && s->data[i] != '_') return false; // 012 in base 0
    }
    return true;
}

enum int_result { INT_OK, INT_NONE, INT_BIG };

/* Python's int(text, base). */
static enum int_result parse_int(struct str s, int base, int64_t *out) {
    bool negative = false;
    *out = 0;
    s = methods_strip(s, NULL, 3);
    if (s.len && (s.data[0] == '-' || s.data[0] == '+')) {
        negative = s.data[0] == '-';
        s = str_part(s, 1, s.len);
    }
    if (!read_prefix(&s, &base) || s.len == 0) return INT_NONE;
    enum int_result result = INT_OK;
    for (size_t i = 0; i < s.len; i++) {
        int digit = digit_value(s.data[i]);
        if (s.data[i] == '_' && i > 0 && s.data[i - 1] != '_' && i + 1 < s.len) continue;
        if (digit >= base) return INT_NONE;
        if (__builtin_mul_overflow(*out, (int64_t)base, out) ||
            __builtin_sub_overflow(*out, (int64_t)digit, out))
            result = INT_BIG; // negative sums reach INT64_MIN
    }
    if (result == INT_OK && !negative && __builtin_sub_overflow((int64_t)0, *out, out))
        result = INT_BIG;
    return result;
}

static bool parse_float(struct render *r, struct str s, double *out) {
    s = ascii_digits(r, methods_strip(s, NULL, 3));
    return render_work(r, 1500 + s.len) && number_text_parse(s.data, s.len, out);
}

static struct value *int_of_double(struct render *r, double f, struct value *fallback) {
    if (f != f) return fallback;
    if (f - f != 0) return render_fail(r, "an infinity is no integer"); // OverflowError
    return ops_double_to_int(r, f);
}

static struct value *filter_int(struct render *r, struct value **args) {
    struct value *v = args[0], *fallback = args[1] ? args[1] : value_int(r, 0);
    int64_t i, base = 10;
    double f;
    if (!fallback || (args[2] && !ops_need_int(r, args[2], "the base", &base))) return NULL;
    if (ops_as_int(v, &i)) return value_int(r, i);
    if (v->kind == VALUE_FLOAT) return int_of_double(r, v->as.f, fallback);
    if (v->kind == VALUE_UNDEFINED) return render_fail(r, "%s", v->as.why);
    if (v->kind != VALUE_STR) return fallback;
    if (base == 0 || (base >= 2 && base <= 36)) {
        enum int_result result = parse_int(ascii_digits(r, v->as.s), (int)base, &i);
        if (result == INT_OK) return value_int(r, i);
        if (result == INT_BIG)
            return render_unsupported(r, "integers beyond 64 bits are not supported");
    }
    if (parse_float(r, v->as.s, &f)) return int_of_double(r, f, fallback);
    return r->failed ? NULL : fallback;
}

static struct value *filter_float(struct render *r, struct value **args) {
    struct value *v = args[0], *fallback = args[1] ? args[1] : value_float(r, 0);
    double f;
    if (v->kind == VALUE_UNDEFINED) return render_fail(r, "%s", v->as.why);
    if (ops_as_double(v, &f)) return value_float(r, f);
    if (v->kind == VALUE_STR && parse_float(r, v->as.s, &f)) return value_float(r, f);
    return r->failed ? NULL : fallback;
}

/* ---- rounding ---- */

static struct value *round_to_whole(struct render *r, double f, int64_t digits, bool up) {
    double scale = 1, value;
    if (digits < 0 || digits > 22)
        return render_unsupported(r, "round: precision must be 0 to 22 for floor and ceil");
    for (int64_t i = 0; i < digits; i++)
        scale *= 10; // exact up to 10^22
    value = f * scale;
    if (value - value != 0) return render_fail(r, "a NaN or infinity cannot be rounded");
    double whole = up ? -ops_floor(-value) : ops_floor(value);
    if (whole == 0) whole = 0; // math.floor gives an integer, which has no -0
    return value_float(r, whole / scale);
}

static struct value *filter_round(struct render *r, struct value **args) {
    int64_t digits = 0, i;
    double f;
    bool ceil = args[2] && value_is_str(args[2], "ceil");
    bool floor = args[2] && value_is_str(args[2], "floor");
    if (args[2] && !ceil && !floor && !value_is_str(args[2], "common"))
        return render_fail(r, "round knows the methods common, ceil and floor");
    if (args[1] && !ops_need_int(r, args[1], "the precision", &digits)) return NULL;
    if (!ops_as_double(args[0], &f))
        return render_fail(r, "round needs a number, not a %s", value_type(args[0]));
    if (ceil || floor) return round_to_whole(r, f, digits, ceil);
    if (!ops_as_int(args[0], &i))
        return format_round(r, f, digits > 1000 ? 1000 : digits < -1000 ? -1000 : (int)digits);
    int64_t unit = 1;
    for (; digits < 0; digits++) {
        if (__builtin_mul_overflow(unit, (int64_t)10, &unit)) return value_int(r, 0);
    }
    int64_t rest = ((i % unit) + unit) % unit, low, half = unit / 2;
    if (__builtin_sub_overflow(i, rest, &low))
        return render_unsupported(r, "integers beyond 64 bits are not supported");
    bool up = rest > half || (unit > 1 && rest == half && (low / unit) % 2 != 0);
    if (up && __builtin_add_overflow(low, unit, &low))
        return render_unsupported(r, "integers beyond 64 bits are not supported");
    return value_int(r, low);
}

static struct value *filter_filesizeformat(struct render *r, struct value **args) {
    static const char *const big[] = {"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"};
    static const char *const binary[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"};
    struct strbuf out = {.r = r};
    struct format_spec spec = {.precision = 1, .type = 'f'}, whole = {.precision = 0, .type = 'f'};
    bool two = filters_is_true(args[1], false);
    double bytes, base = two ? 1024 : 1000, unit = base;
    int i = 0;
    if (args[0]->kind == VALUE_STR ? !parse_float(r, args[0]->as.s, &bytes)
                                   : !ops_as_double(args[0], &bytes))
        return render_fail(r, "filesizeformat needs a number");
    if (bytes == 1) return value_text(r, "1 Byte");
    if (bytes < base) {
        if (bytes - bytes != 0) return render_fail(r, "a NaN or infinity is no size");
        format_float(r, &out, bytes < 0 ? -ops_floor(-bytes) : ops_floor(bytes), &whole);
        strbuf_text(&out, " Bytes");
        return strbuf_value(&out);
    }
    unit = base * base;
    for (; i < 7 && !(bytes < unit); i++)
        unit *= base;
    if (!format_float(r, &out, base * bytes / unit, &spec)) return NULL;
    strbuf_text(&out, " ");
    strbuf_text(&out, two ? binary[i] : big[i]);
    return strbuf_value(&out);
}

/* Whether repr's order of keys would not be pprint's, which sorts them. */
static bool needs_sorting(const struct value *v) {
    struct list list = {0};
    if (v->kind == VALUE_DICT && v->as.dict->count > 1) return true;
    if (v->kind == VALUE_DICT && v->as.dict->count == 1)
        return needs_sorting(v->as.dict->entries[0].value);
    if (v->kind == VALUE_LIST || v->kind == VALUE_TUPLE) list = v->as.list;
    for (size_t i = 0; i < list.count; i++) {
        if (needs_sorting(list.items[i])) return true;
    }
    return false;
}

/* What fits in a line is its repr; the layout of longer values is refused. */
static struct value *filter_pprint(struct render *r, struct value **args) {
    struct strbuf out = {.r = r};
    ops_repr(r, &out, args[0]);
    if (r->failed || out.failed) return NULL;
    if (out.len > 79 || needs_sorting(args[0]))
        return render_unsupported(r, "pprint of more than a line or of dicts is not supported");
    return strbuf_value(&out);
}

const struct filters_row filters_value_rows[] = {
    {"abs", "", 0, filter_abs, NULL},
    {"attr", "name", 1, filter_attr, NULL},
    {"default", "default_value boolean", 0, filter_default, NULL},
    {"d", "default_value boolean", 0, filter_default, NULL},
    {"length", "", 0, filter_length, NULL},
    {"count", "", 0, filter_length, NULL},
    {"int", "default base", 0, filter_int, NULL},
    {"float", "default", 0, filter_float, NULL},
    {"round", "precision method", 0, filter_round, NULL},
    {"filesizeformat", "binary", 0, filter_filesizeformat, NULL},
    {"pprint", "", 0, filter_pprint, NULL},
    {NULL, NULL, 0, NULL, NULL},
};
