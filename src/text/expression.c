#include "text/expression.h"

#include <string.h>

#define MOST_DEPTH 32

/* ---- fractions ---- */

static int64_t common_divisor(int64_t a, int64_t b) {
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

bool fraction_make(int64_t num, int64_t den, struct fraction *out) {
    if (!den || num == INT64_MIN || den == INT64_MIN) return false;
    if (den < 0) num = -num, den = -den;
    int64_t by = common_divisor(num < 0 ? -num : num, den);
    *out = (struct fraction){num / by, den / by};
    return true;
}

bool fraction_apply(struct fraction a, char op, struct fraction b, struct fraction *out) {
    int64_t left, right, num, den;
    if (op == '/') {
        int64_t kept = b.num;
        b.num = b.den;
        b.den = kept;
    }
    if (__builtin_mul_overflow(a.den, b.den, &den)) return false;
    if (op == '*' || op == '/') {
        if (__builtin_mul_overflow(a.num, b.num, &num)) return false;
        return fraction_make(num, den, out);
    }
    if (__builtin_mul_overflow(a.num, b.den, &left) || __builtin_mul_overflow(b.num, a.den, &right))
        return false;
    if (op == '-' ? __builtin_sub_overflow(left, right, &num)
                  : __builtin_add_overflow(left, right, &num))
        return false;
    return fraction_make(num, den, out);
}

bool fraction_equal(struct fraction a, struct fraction b) {
    return a.num == b.num && a.den == b.den;
}

/* ---- characters ---- */

static const struct {
    const char *bytes;
    char means;
} wide[] = {
    {"\xC3\x97", '*'},     {"\xC3\xB7", '/'},     {"\xE2\x88\x92", '-'},
    {"\xEF\xBC\x88", '('}, {"\xEF\xBC\x89", ')'}, {"\xE3\x80\x80", ' '},
};

/* The character at `text` in ASCII, 0: none of an expression; its bytes in *n. */
static char char_at(const char *text, size_t len, size_t *n) {
    *n = 1;
    if (!len) return 0;
    if (memchr("0123456789.+-*/() ", *text, 18)) return *text;
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        *n = strlen(wide[i].bytes);
        if (*n <= len && !memcmp(text, wide[i].bytes, *n)) return wide[i].means;
    }
    return 0;
}

size_t expression_char(const char *text, size_t len) {
    size_t n;
    return char_at(text, len, &n) ? n : 0;
}

/* ---- reading: a sum is of products, a product of factors ---- */

struct reader {
    const char *at, *end;
    struct expression *out;
    int depth;
};

static char peek(struct reader *r) {
    size_t n;
    char c;
    while ((c = char_at(r->at, (size_t)(r->end - r->at), &n)) == ' ')
        r->at += n;
    return c;
}

static void skip(struct reader *r) {
    size_t n;
    char_at(r->at, (size_t)(r->end - r->at), &n);
    r->at += n;
}

static bool is_digit(const struct reader *r) {
    return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

static bool read_digits(struct reader *r, int64_t *num, int64_t *den) {
    const char *begin = r->at;
    for (; is_digit(r); r->at++) {
        if (__builtin_mul_overflow(*num, 10, num) ||
            __builtin_add_overflow(*num, *r->at - '0', num) ||
            (den && __builtin_mul_overflow(*den, 10, den)))
            return false;
    }
    return r->at > begin;
}

static bool read_number(struct reader *r, struct fraction *out) {
    int64_t num = 0, den = 1;
    if (!read_digits(r, &num, NULL)) return false;
    if (r->at < r->end && *r->at == '.') {
        r->at++;
        r->out->plain = false;
        if (!read_digits(r, &num, &den)) return false;
    }
    if (r->out->n_number == EXPRESSION_MOST_NUMBERS || !fraction_make(num, den, out)) return false;
    r->out->numbers[r->out->n_number++] = *out;
    return true;
}

static bool read_sum(struct reader *r, struct fraction *out);

static bool read_factor(struct reader *r, struct fraction *out) {
    char c = peek(r);
    if (c == '-') {
        struct fraction zero = {0, 1}, value;
        skip(r);
        r->out->plain = false;
        c = peek(r);
        if (c == '-' || !read_factor(r, &value)) return false;
        return fraction_apply(zero, '-', value, out);
    }
    if (c != '(') return read_number(r, out);
    skip(r);
    if (++r->depth > MOST_DEPTH || !read_sum(r, out) || peek(r) != ')') return false;
    skip(r);
    r->depth--;
    return true;
}

static bool read_product(struct reader *r, struct fraction *out) {
    if (!read_factor(r, out)) return false;
    for (char op; (op = peek(r)) == '*' || op == '/';) {
        struct fraction right;
        skip(r);
        if (!read_factor(r, &right) || !fraction_apply(*out, op, right, out)) return false;
    }
    return true;
}

static bool read_sum(struct reader *r, struct fraction *out) {
    if (!read_product(r, out)) return false;
    for (char op; (op = peek(r)) == '+' || op == '-';) {
        struct fraction right;
        skip(r);
        if (!read_product(r, &right) || !fraction_apply(*out, op, right, out)) return false;
    }
    return true;
}

bool expression_read(const char *text, size_t len, struct expression *out) {
    struct reader r = {.at = text, .end = len ? text + len : text, .out = out};
    out->n_number = 0;
    out->plain = true;
    if (!len || !read_sum(&r, &out->value)) return false;
    peek(&r);
    return r.at == r.end;
}
