/* Numbers under a format spec ("%5.2f", "{:,}"), as Python writes them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "text/number_text.h"
#include "text/template/format.h"
#include "text/utf8.h"

#define MAX_PRECISION 1000
#define MAX_WIDTH 100000

/* A body of digits with its sign, grouped and filled up. */
static bool put_number(struct render *r, struct strbuf *out, bool negative, const char *prefix,
                       struct str body, const struct format_spec *spec) {
    struct strbuf text = {.r = r};
    char sign[2] = {negative ? '-' : spec->sign == '+' || spec->sign == ' ' ? spec->sign : '\0'};
    size_t whole = 0,
           every = spec->type == 'x' || spec->type == 'X' || spec->type == 'o' || spec->type == 'b'
                       ? 4
                       : 3;
    while (whole < body.len && body.data[whole] != '.' && body.data[whole] != 'e' &&
           body.data[whole] != 'E' && body.data[whole] != '%')
        whole++;
    bool letters = body.len && (body.data[0] | 0x20) >= 'i' && (body.data[0] | 0x20) <= 'n';
    size_t used = strlen(sign) + strlen(prefix) + body.len, zeros = 0;
    char align = spec->align ? spec->align : '>';
    if (spec->zero && !letters && (!spec->align || align == '=')) align = '0';
    if (align == '0' && (size_t)spec->width > used && !spec->grouping)
        zeros = (size_t)spec->width - used;
    if (spec->grouping && align == '0') { // zeros are grouped too
        size_t rest = used - whole;
        while (rest + whole + zeros + (whole + zeros - 1) / every < (size_t)spec->width)
            zeros++;
        if (zeros && (whole + zeros) % every == 1 &&
            rest + whole + zeros + (whole + zeros - 1) / every > (size_t)spec->width)
            zeros += 0; // a leading separator is never written: one digit more than the width
    }
    strbuf_text(&text, sign);
    strbuf_text(&text, prefix);
    for (size_t i = 0, n = zeros + whole; i < n; i++) {
        if (spec->grouping && !letters && i && (n - i) % every == 0)
            strbuf_put(&text, &spec->grouping, 1, 0);
        strbuf_put(&text, i < zeros ? "0" : body.data + i - zeros, 1, 0);
    }
    strbuf_str(&text, str_part(body, whole, body.len));
    if (text.failed) return false;
    struct str all = strbuf_view(&text);
    size_t head = strlen(sign) + strlen(prefix);
    struct format_spec pad = *spec;
    if (align == '=') { // fill between sign and digits
        strbuf_str(out, str_part(all, 0, head));
        pad.width -= (int)head;
        pad.align = '>';
        format_pad(out, str_part(all, head, all.len), all.len - head, &pad);
    } else {
        pad.align = align == '0' ? '>' : align;
        format_pad(out, all, all.len, &pad);
    }
    return !out->failed;
}

void format_pad(struct strbuf *out, struct str s, size_t n_chars, const struct format_spec *spec) {
    size_t room =
        spec->width > 0 && (size_t)spec->width > n_chars ? (size_t)spec->width - n_chars : 0;
    size_t left = spec->align == '>' ? room : spec->align == '^' ? room / 2 : 0;
    uint32_t fill = spec->fill ? spec->fill : ' ';
    for (size_t i = 0; i < left; i++)
        strbuf_code(out, fill, 0);
    strbuf_str(out, s);
    for (size_t i = left; i < room; i++)
        strbuf_code(out, fill, 0);
}

static bool too_wide(struct render *r, const struct format_spec *spec) {
    if (spec->width <= MAX_WIDTH && spec->precision <= MAX_PRECISION) return false;
    render_limit(r, "a format's width or precision is too large");
    return true;
}

bool format_int(struct render *r, struct strbuf *out, int64_t i, const struct format_spec *spec) {
    char digits[72];
    uint64_t size = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    unsigned base = spec->type == 'x' || spec->type == 'X' ? 16
                    : spec->type == 'o'                    ? 8
                    : spec->type == 'b'                    ? 2
                                                           : 10;
    const char *set = spec->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    int n = (int)sizeof digits;
    if (too_wide(r, spec)) return false;
    do {
        digits[--n] = set[size % base];
        size /= base;
    } while (size);
    char prefix[3] = "";
    if (spec->alternate && base != 10) {
        prefix[0] = '0';
        prefix[1] = spec->type;
    }
    struct str body = {.data = digits + n, .len = sizeof digits - (size_t)n};
    struct strbuf padded = {.r = r};
    for (int k = (int)body.len; k < spec->precision; k++) // "%.5d"
        strbuf_text(&padded, "0");
    strbuf_str(&padded, body);
    return put_number(r, out, i < 0, prefix, strbuf_view(&padded), spec);
}

/* ---- floats ---- */

static char digit_at(const struct number_digits *d, int i) {
    return i >= 0 && i < d->count ? d->digits[i] : '0';
}

static void put_fixed(struct strbuf *b, struct number_digits *d, int precision, bool point) {
    char c;
    number_text_round(d, precision);
    for (int i = d->point > 0 ? 0 : d->point - 1; i < d->point; i++) {
        c = digit_at(d, i);
        strbuf_put(b, &c, 1, 0);
    }
    if (precision > 0 || point) strbuf_text(b, ".");
    for (int i = 0; i < precision; i++) {
        c = digit_at(d, d->point + i);
        strbuf_put(b, &c, 1, 0);
    }
}

static void put_exponent(struct strbuf *b, struct number_digits *d, int precision, bool point,
                         bool upper) {
    char text[16], c;
    if (d->count) number_text_round(d, precision + 1 - d->point);
    for (int i = 0; i <= precision; i++) {
        c = digit_at(d, i);
        if (i == 1) strbuf_text(b, ".");
        strbuf_put(b, &c, 1, 0);
    }
    if (precision == 0 && point) strbuf_text(b, ".");
    int e = d->count ? d->point - 1 : 0;
    snprintf(text, sizeof text, "%c%c%02d", upper ? 'E' : 'e', e < 0 ? '-' : '+', e < 0 ? -e : e);
    strbuf_text(b, text);
}

/* %g: as many significant digits as the precision, zeros at the end dropped. */
static void put_general(struct strbuf *b, struct number_digits *d, int precision, bool alternate,
                        bool upper) {
    if (precision == 0) precision = 1;
    if (d->count) number_text_round(d, precision - d->point);
    int e = d->count ? d->point - 1 : 0, digits = alternate ? precision : d->count ? d->count : 1;
    if (e < -4 || e >= precision) {
        put_exponent(b, d, digits - 1, alternate, upper);
    } else {
        int places = digits - 1 - e;
        put_fixed(b, d, places < 0 ? 0 : places, alternate);
    }
}

static void put_repr(struct strbuf *b, double f) {
    char text[NUMBER_TEXT_BYTES];
    number_text_repr(f < 0 ? -f : f, text);
    strbuf_text(b, text[0] == '-' ? text + 1 : text);
}

bool format_float(struct render *r, struct strbuf *out, double f, const struct format_spec *spec) {
    struct strbuf body = {.r = r};
    struct number_digits d;
    char type = spec->type, lower = (char)(type | 0x20);
    bool upper = type && type != '%' && !(type & 0x20), negative = __builtin_signbit(f);
    int precision = spec->precision < 0 ? 6 : spec->precision;
    if (too_wide(r, spec)) return false;
    if (f - f != 0) {
        strbuf_text(&body, f != f ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf"));
        if (type == '%') strbuf_text(&body, "%");
        return put_number(r, out, negative && f == f, "", strbuf_view(&body), spec);
    }
    if (type == '%') f *= 100;
    if (f - f != 0) {
        strbuf_text(&body, "inf%");
        return put_number(r, out, negative, "", strbuf_view(&body), spec);
    }
    number_text_exact(f, &d);
    if (lower == 'f' || type == '%') {
        put_fixed(&body, &d, precision, spec->alternate);
    } else if (lower == 'e') {
        put_exponent(&body, &d, precision, spec->alternate, upper);
    } else if (lower == 'g' || lower == 'n') {
        put_general(&body, &d, precision, spec->alternate, upper);
    } else if (spec->precision < 0) {
        put_repr(&body, f);
    } else { // no type: as %g, but with a fraction where %g writes none
        size_t p = spec->precision ? (size_t)spec->precision : 1;
        if (d.count) number_text_round(&d, (int)p - d.point);
        int e = d.count ? d.point - 1 : 0, count = d.count ? d.count : 1;
        if (e < -4 || e >= (int)p - (p > 1 ? 1 : 0))
            put_exponent(&body, &d, count - 1, false, false);
        else
            put_fixed(&body, &d, count - 1 - e < 1 ? 1 : count - 1 - e, false);
    }
    if (type == '%') strbuf_text(&body, "%");
    return put_number(r, out, negative, "", strbuf_view(&body), spec);
}

/* round(f, digits): the nearest decimal, ties to even, as a double again. */
struct value *format_round(struct render *r, double f, int digits) {
    struct number_digits d;
    char text[NUMBER_DIGITS + 40];
    double result;
    size_t n = 0;
    if (f - f != 0) return value_float(r, f);
    number_text_exact(f, &d);
    number_text_round(&d, digits);
    if (d.count == 0) return value_float(r, __builtin_signbit(f) ? -0.0 : 0.0);
    if (__builtin_signbit(f)) text[n++] = '-';
    memcpy(text + n, d.digits, (size_t)d.count);
    n += (size_t)d.count;
    n += (size_t)snprintf(text + n, 32, "e%d", d.point - d.count);
    if (!render_work(r, 500) || !number_text_parse(text, n, &result)) return NULL;
    if (result - result != 0) return render_fail(r, "the rounded value is too large");
    return value_float(r, result);
}
