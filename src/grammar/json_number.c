/* Numbers of JSON within bounds, as digits.
 *
 * A whole part has at most 18 digits, so that every reader of 64-bit integers takes it; a fraction
 * has so few that two numbers on different sides of a bound are different doubles. */
#include <stdlib.h>
#include <string.h>

#include "grammar/expr.h"
#include "grammar/json_parts.h"
#include "text/number_text.h"

#define MOST UINT64_C(999999999999999999)   // of 18 digits
#define DOUBLE_DIGITS 15                    // which a double tells apart
#define MOST_EXACT INT64_C(999999999999999) // of multiples: a reader of doubles must see them
#define MAX_SUFFIX 3

static grammar_expr digits(struct grammar_builder *b, int from, int to) {
    return grammar_bytes(b, (uint8_t)('0' + from), (uint8_t)('0' + to));
}

static grammar_expr any_digits(struct grammar_builder *b, size_t low, size_t high) {
    if (high == 0) return grammar_empty(b);
    return grammar_repeat(b, digits(b, 0, 9), (uint32_t)low, (uint32_t)high);
}

grammar_expr json_number_any(struct grammar_builder *b) {
    static const char pattern[] =
        "-?(?:0|[1-9][0-9]{0,17})(?:\\.[0-9]{1,15})?(?:[eE][+\\-]?[0-9]{1,2})?";
    return grammar_regex(b, pattern, sizeof pattern - 1);
}

bool json_number_bound(const json_t *value, struct json_bound *out) {
    struct number_digits d;
    memset(out, 0, sizeof *out);
    out->given = true;
    out->whole[0] = '0';
    if (json_is_integer(value)) {
        json_int_t n = json_integer_value(value);
        char text[32];
        uint64_t magnitude = n < 0 ? -(uint64_t)n : (uint64_t)n;
        out->negative = n < 0;
        snprintf(text, sizeof text, "%llu", (unsigned long long)magnitude);
        if (strlen(text) > JSON_NUMBER_DIGITS) return false;
        memcpy(out->whole, text, strlen(text) + 1);
        return true;
    }
    number_text_shortest(json_real_value(value), &d);
    out->negative = json_real_value(value) < 0;
    if (d.count == 0) return true;
    int zeros = d.point < 0 ? -d.point : 0, whole = d.point > 0 ? d.point : 0;
    int fraction = zeros + (d.count > whole ? d.count - whole : 0);
    if (whole > JSON_NUMBER_DIGITS || fraction > JSON_NUMBER_FRACTION) return false;
    for (int i = 0; i < whole; i++)
        out->whole[i] = i < d.count ? d.digits[i] : '0';
    memset(out->fraction, '0', (size_t)zeros);
    if (d.count > whole) memcpy(out->fraction + zeros, d.digits + whole, (size_t)(d.count - whole));
    return true;
}

/* ---- integers ---- */

/* Texts of n digits from `low` to `high`. */
static grammar_expr between(struct grammar_builder *b, const char *low, const char *high,
                            size_t n) {
    static const char zeros[] = "000000000000000000", nines[] = "999999999999999999";
    if (memcmp(low, zeros, n) == 0 && memcmp(high, nines, n) == 0) return any_digits(b, n, n);
    if (low[0] == high[0])
        return expr_seq2(b, grammar_literal(b, low, 1), between(b, low + 1, high + 1, n - 1));
    struct expr_list parts = {0};
    int first = low[0] - '0', last = high[0] - '0';
    if (memcmp(low + 1, zeros, n - 1) != 0) {
        expr_push(b, &parts,
                  expr_seq2(b, digits(b, first, first), between(b, low + 1, nines, n - 1)));
        first++;
    }
    if (memcmp(high + 1, nines, n - 1) != 0) {
        expr_push(b, &parts,
                  expr_seq2(b, digits(b, last, last), between(b, zeros, high + 1, n - 1)));
        last--;
    }
    if (first <= last)
        expr_push(b, &parts, expr_seq2(b, digits(b, first, last), any_digits(b, n - 1, n - 1)));
    return expr_alt_of(b, &parts);
}

/* Natural numbers from `low` to `high`, which is at most MOST. */
static grammar_expr naturals(struct grammar_builder *b, uint64_t low, uint64_t high) {
    struct expr_list parts = {0};
    uint64_t least = 0, most = 9; // of n digits
    for (size_t n = 1; n <= JSON_NUMBER_DIGITS && low <= high; n++) {
        char from[24], to[24];
        uint64_t first = low > least ? low : least, last = high < most ? high : most;
        if (first <= last) {
            snprintf(from, sizeof from, "%llu", (unsigned long long)first);
            snprintf(to, sizeof to, "%llu", (unsigned long long)last);
            expr_push(b, &parts, between(b, from, to, n));
        }
        least = most + 1;
        most = most * 10 + 9;
    }
    return expr_alt_of(b, &parts);
}

static grammar_expr signed_range(struct grammar_builder *b, int64_t low, int64_t high) {
    struct expr_list parts = {0};
    if (high >= 0 && low <= high)
        expr_push(b, &parts, naturals(b, low > 0 ? (uint64_t)low : 0, (uint64_t)high));
    if (low < 0 && low <= high)
        expr_push(b, &parts,
                  expr_seq2(b, grammar_text(b, "-"),
                            naturals(b, high < 0 ? (uint64_t)-high : 1, (uint64_t)-low)));
    return expr_alt_of(b, &parts);
}

/* The least integer within a lower bound, or the negative of the greatest within an upper. */
static int64_t least_integer(const struct json_bound *bound, bool upper) {
    if (!bound->given) return -(int64_t)MOST;
    int64_t n = (int64_t)strtoll(bound->whole, NULL, 10);
    bool negative = bound->negative != upper;
    if (bound->fraction[0]) return negative ? -n : n + 1;
    return (negative ? -n : n) + (bound->exclusive ? 1 : 0);
}

grammar_expr json_number_integer(struct grammar_builder *b, const struct json_range *range) {
    return signed_range(b, least_integer(&range->low, false), -least_integer(&range->high, true));
}

/* ---- multiples ---- */

/* Every multiple of n = 10^k / m with n below: what stands before the last k digits is free. */
static grammar_expr by_suffix(struct grammar_builder *b, uint64_t n, uint64_t power, int k) {
    struct expr_list small = {0}, suffixes = {0};
    for (uint64_t value = 0; value < power; value += n) {
        char text[24];
        snprintf(text, sizeof text, "%llu", (unsigned long long)value);
        if (value) expr_push(b, &small, grammar_text(b, text));
        snprintf(text, sizeof text, "%0*llu", k, (unsigned long long)value);
        expr_push(b, &suffixes, grammar_text(b, text));
    }
    grammar_expr head =
        expr_seq2(b, digits(b, 1, 9), any_digits(b, 0, (size_t)(DOUBLE_DIGITS - 1 - k)));
    expr_push(b, &small, expr_seq2(b, head, expr_alt_of(b, &suffixes)));
    return expr_alt_of(b, &small);
}

static grammar_expr listed(struct grammar_builder *b, int64_t low, int64_t high, int64_t n) {
    struct expr_list parts = {0};
    int64_t first = low - low % n;
    if (first < low) first += n;
    for (int64_t value = first; value <= high; value += n) {
        char text[24];
        snprintf(text, sizeof text, "%lld", (long long)value);
        expr_push(b, &parts, grammar_text(b, text));
    }
    return expr_alt_of(b, &parts);
}

grammar_expr json_number_multiple(struct grammar_builder *b, const struct json_range *range,
                                  uint64_t n) {
    int64_t low = least_integer(&range->low, false), high = -least_integer(&range->high, true);
    if (n == 1) return json_number_integer(b, range);
    if ((range->low.given && low < -MOST_EXACT) || (range->high.given && high > MOST_EXACT))
        return 0;
    if (n > 0 && n <= MOST && (low > high || (uint64_t)(high - low) / n < GRAMMAR_MAX_MULTIPLE))
        return listed(b, low, high, (int64_t)n);
    uint64_t power = 10;
    int k = 1;
    while (k <= MAX_SUFFIX && (n == 0 || power % n != 0)) {
        power *= 10;
        k++;
    }
    if (range->high.given || k > MAX_SUFFIX || (range->low.given && (low < 0 || low > (int64_t)n)))
        return 0; // the caller says where
    grammar_expr some = by_suffix(b, n, power, k);
    if (low > 0) return some;
    if (low < 0) some = expr_seq2(b, grammar_optional(b, grammar_text(b, "-")), some);
    return expr_alt2(b, some, grammar_text(b, "0"));
}

/* ---- numbers with fractions ---- */

struct fraction {
    struct grammar_builder *b;
    const struct json_bound *low, *high;
    size_t cap; // digits
};

/* Digits behind the first `at`, which are those of the lower bound (`on_low`), of the upper one
 * (`on_high`) or of both. */
static grammar_expr fraction_rest(const struct fraction *f, size_t at, bool on_low, bool on_high) {
    struct grammar_builder *b = f->b;
    size_t n_low = on_low ? strlen(f->low->fraction) : 0;
    size_t n_high = on_high ? strlen(f->high->fraction) : 0;
    if (on_low && at >= n_low && !f->low->exclusive) on_low = false;
    bool may_stop = at > 0 && !on_low && (!on_high || at < n_high || !f->high->exclusive);
    if (!on_low && !on_high) return any_digits(b, at == 0, f->cap > at ? f->cap - at : 0);
    if (at >= f->cap) return may_stop ? grammar_empty(b) : grammar_never(b);
    int first = on_low && at < n_low ? f->low->fraction[at] - '0' : 0;
    int last = on_high ? (at < n_high ? f->high->fraction[at] - '0' : 0) : 9;
    struct expr_list parts = {0};
    if (may_stop) expr_push(b, &parts, grammar_empty(b));
    if (on_low && on_high && first == last) {
        expr_push(b, &parts,
                  expr_seq2(b, digits(b, first, first), fraction_rest(f, at + 1, true, true)));
        return expr_alt_of(b, &parts);
    }
    if (on_low && first <= last) {
        expr_push(b, &parts,
                  expr_seq2(b, digits(b, first, first), fraction_rest(f, at + 1, true, false)));
        first++;
    }
    if (on_high && first <= last) {
        expr_push(b, &parts,
                  expr_seq2(b, digits(b, last, last), fraction_rest(f, at + 1, false, true)));
        last--;
    }
    if (first <= last)
        expr_push(b, &parts,
                  expr_seq2(b, digits(b, first, last), any_digits(b, 0, f->cap - at - 1)));
    return expr_alt_of(b, &parts);
}

/* The fraction behind a whole part that is that of the bounds which are not NULL. */
static grammar_expr fraction_of(struct grammar_builder *b, const struct json_bound *low,
                                const struct json_bound *high) {
    const struct json_bound *some = low ? low : high;
    size_t cap = DOUBLE_DIGITS - 1, least = 1;
    if (some) cap = strlen(some->whole) < DOUBLE_DIGITS ? DOUBLE_DIGITS - strlen(some->whole) : 0;
    if (low && strlen(low->fraction) > least) least = strlen(low->fraction);
    if (high && strlen(high->fraction) > least) least = strlen(high->fraction);
    if (cap < least) cap = least;
    struct fraction f = {b, low, high, cap};
    bool none = (!low || (!low->fraction[0] && !low->exclusive)) &&
                (!high || high->fraction[0] || !high->exclusive);
    grammar_expr some_digits =
        expr_seq2(b, grammar_text(b, "."), fraction_rest(&f, 0, low != NULL, high != NULL));
    return none ? grammar_optional(b, some_digits) : some_digits;
}

/* Numbers that are not negative; bounds are given, and so are they. */
static grammar_expr magnitudes(struct grammar_builder *b, const struct json_bound *low,
                               const struct json_bound *high) {
    struct expr_list parts = {0};
    uint64_t first = strtoull(low->whole, NULL, 10);
    uint64_t last = high->given ? strtoull(high->whole, NULL, 10) : MOST + 1;
    grammar_expr low_whole = grammar_text(b, low->whole);
    if (first == last) {
        expr_push(b, &parts, expr_seq2(b, low_whole, fraction_of(b, low, high)));
    } else if (first < last) {
        expr_push(b, &parts, expr_seq2(b, low_whole, fraction_of(b, low, NULL)));
        if (high->given)
            expr_push(b, &parts,
                      expr_seq2(b, grammar_text(b, high->whole), fraction_of(b, NULL, high)));
        if (first + 1 < last)
            expr_push(b, &parts,
                      expr_seq2(b, naturals(b, first + 1, last - 1), fraction_of(b, NULL, NULL)));
    }
    return expr_alt_of(b, &parts);
}

static bool is_zero(const struct json_bound *bound) {
    return bound->whole[0] == '0' && !bound->fraction[0];
}

grammar_expr json_number_real(struct grammar_builder *b, const struct json_range *range) {
    struct json_bound low = range->low, high = range->high;
    const struct json_bound zero = {.given = true, .whole = "0"};
    const struct json_bound above = {.given = true, .exclusive = true, .whole = "0"};
    struct expr_list parts = {0};
    bool low_negative = !low.given || (low.negative && !is_zero(&low));
    bool high_negative = high.given && (is_zero(&high) ? high.exclusive : high.negative);
    if (!high_negative) expr_push(b, &parts, magnitudes(b, low_negative ? &zero : &low, &high));
    if (low_negative) {
        bool below = high.given && high.negative && !is_zero(&high);
        expr_push(b, &parts,
                  expr_seq2(b, grammar_text(b, "-"), magnitudes(b, below ? &high : &above, &low)));
    }
    return expr_alt_of(b, &parts);
}
