/* Exact decimal expansions: a double is m * 2^e, and both m * 2^e and m * 5^-e / 10^-e are whole
 * numbers of at most 1100 bits or so. They are kept in base 10^9. Rounding a decimal text is then
 * comparing digits; no estimate is made anywhere. */
#include "text/number_text.h"

#include <stdint.h>
#include <string.h>

#define LIMB 1000000000u
#define MAX_LIMBS 90 // 810 digits

struct whole { // little endian
    uint32_t limbs[MAX_LIMBS];
    int count;
};

static void times(struct whole *w, uint32_t factor) {
    uint64_t carry = 0;
    for (int i = 0; i < w->count; i++) {
        carry += (uint64_t)w->limbs[i] * factor;
        w->limbs[i] = (uint32_t)(carry % LIMB);
        carry /= LIMB;
    }
    for (; carry && w->count < MAX_LIMBS; carry /= LIMB) // a factor may be above LIMB
        w->limbs[w->count++] = (uint32_t)(carry % LIMB);
}

/* mantissa * 2^exponent; mantissa below 2^55, exponent of a double or one less. */
static void expand(uint64_t mantissa, int exponent, struct number_digits *out) {
    struct whole w = {.count = 0};
    out->count = out->point = 0;
    if (mantissa == 0) return;
    for (; mantissa % 2 == 0; mantissa /= 2)
        exponent++;
    for (; mantissa; mantissa /= LIMB)
        w.limbs[w.count++] = (uint32_t)(mantissa % LIMB);
    for (int i = 0; i < exponent; i += 16)
        times(&w, 1u << (exponent - i < 16 ? exponent - i : 16));
    int fives = exponent < 0 ? -exponent : 0;
    for (; fives >= 13; fives -= 13)
        times(&w, 1220703125u); // 5^13
    for (; fives > 0; fives--)
        times(&w, 5);
    char text[MAX_LIMBS * 9];
    int n = 0;
    for (int i = w.count - 1; i >= 0; i--) {
        uint32_t limb = w.limbs[i];
        for (int k = 8; k >= 0; k--, limb /= 10)
            text[n + k] = (char)('0' + limb % 10);
        n += 9;
    }
    int first = 0;
    while (text[first] == '0')
        first++;
    out->point = n - first + (exponent < 0 ? exponent : 0);
    while (text[n - 1] == '0')
        n--;
    out->count = n - first;
    memcpy(out->digits, text + first, (size_t)out->count);
}

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#define FRACTION (((uint64_t)1 << 52) - 1)
#define INFINITE ((uint64_t)0x7FF << 52)

static void take_apart(uint64_t bits, uint64_t *mantissa, int *exponent) {
    int biased = (int)(bits >> 52 & 0x7FF);
    *mantissa = (bits & FRACTION) | (biased ? (uint64_t)1 << 52 : 0);
    *exponent = (biased ? biased : 1) - 1075;
}

void number_text_exact(double value, struct number_digits *out) {
    uint64_t mantissa;
    int exponent;
    take_apart(bits_of(value), &mantissa, &exponent);
    expand(mantissa, exponent, out);
}

/* Order of two magnitudes. */
static int compare(const struct number_digits *a, const struct number_digits *b) {
    if (a->count == 0 || b->count == 0) return (a->count > 0) - (b->count > 0);
    if (a->point != b->point) return a->point < b->point ? -1 : 1;
    int shared = a->count < b->count ? a->count : b->count;
    int order = memcmp(a->digits, b->digits, (size_t)shared);
    return order ? order : (a->count > b->count) - (a->count < b->count);
}

static void drop_zeros(struct number_digits *d) {
    while (d->count && d->digits[d->count - 1] == '0')
        d->count--;
    if (d->count == 0) d->point = 0;
}

static void add_one_at_end(struct number_digits *d) {
    int i = d->count - 1;
    while (i >= 0 && d->digits[i] == '9')
        d->digits[i--] = '0';
    if (i >= 0) {
        d->digits[i]++;
        return;
    }
    d->digits[0] = '1'; // 99 -> 100
    d->count = 1;
    d->point++;
}

/* Cuts to the first n digits, towards zero or away from it. */
static void cut(struct number_digits *d, int n, bool up) {
    if (n >= d->count) return;
    d->count = n;
    if (up && n > 0) add_one_at_end(d);
    drop_zeros(d);
}

void number_text_round(struct number_digits *d, int place) {
    int64_t keep = (int64_t)d->point + place;
    if (keep >= d->count) return;
    if (keep < 0) {
        d->count = d->point = 0;
        return;
    }
    int n = (int)keep;
    bool half = d->digits[n] == '5' && d->count == n + 1;
    bool up = half ? n > 0 && (d->digits[n - 1] - '0') % 2 == 1 : d->digits[n] >= '5';
    if (n == 0) {
        if (up) {
            d->digits[0] = '1';
            d->count = 1;
            d->point++;
        } else {
            d->count = d->point = 0;
        }
        return;
    }
    cut(d, n, up);
}

/* Of the texts with n digits next to `value`, the nearer one that lies within the limits. */
static bool shortest_at(const struct number_digits *value, int n, const struct number_digits *low,
                        const struct number_digits *high, bool ends_too,
                        struct number_digits *out) {
    struct number_digits down = *value, up = *value;
    cut(&down, n, false);
    cut(&up, n, true);
    int below = compare(low, &down), above = compare(&up, high);
    bool down_fits = below < 0 || (ends_too && below == 0);
    bool up_fits = above < 0 || (ends_too && above == 0);
    if (!down_fits && !up_fits) return false;
    if (down_fits && up_fits) {
        struct number_digits nearest = *value;
        number_text_round(&nearest, n - value->point);
        *out = nearest;
        return true;
    }
    *out = down_fits ? down : up;
    return true;
}

void number_text_shortest(double value, struct number_digits *out) {
    uint64_t bits = bits_of(value) & ~((uint64_t)1 << 63), mantissa;
    int exponent;
    struct number_digits exact, low, high;
    take_apart(bits, &mantissa, &exponent);
    expand(mantissa, exponent, &exact);
    *out = exact;
    if (mantissa == 0) return;
    expand(2 * mantissa + 1, exponent - 1, &high);
    bool power = (bits & FRACTION) == 0 && bits >> 52 > 1; // the neighbour below is nearer
    if (power)
        expand(4 * mantissa - 1, exponent - 2, &low);
    else
        expand(2 * mantissa - 1, exponent - 1, &low);
    for (int n = 1; n < 18 && n < exact.count; n++) {
        if (shortest_at(&exact, n, &low, &high, mantissa % 2 == 0, out)) return;
    }
}

/* ---- text ---- */

size_t number_text_repr(double value, char out[NUMBER_TEXT_BYTES]) {
    uint64_t bits = bits_of(value);
    struct number_digits d;
    char *at = out;
    if ((bits & INFINITE) == INFINITE) {
        strcpy(out, bits & FRACTION ? "nan" : bits >> 63 ? "-inf" : "inf");
        return strlen(out);
    }
    if (bits >> 63) *at++ = '-';
    number_text_shortest(value, &d);
    if (d.count == 0) {
        d.digits[0] = '0';
        d.count = d.point = 1;
    }
    if (d.point > -4 && d.point <= 16) {
        for (int i = d.point < 1 ? d.point - 1 : 0; i < d.count || i < d.point + 1; i++) {
            if (i == d.point) *at++ = '.';
            *at++ = i < 0 || i >= d.count ? '0' : d.digits[i];
        }
    } else {
        int e = d.point - 1, size = e < 0 ? -e : e;
        *at++ = d.digits[0];
        if (d.count > 1) {
            *at++ = '.';
            memcpy(at, d.digits + 1, (size_t)d.count - 1);
            at += d.count - 1;
        }
        *at++ = 'e';
        *at++ = e < 0 ? '-' : '+';
        if (size >= 100) *at++ = (char)('0' + size / 100);
        *at++ = (char)('0' + size / 10 % 10);
        *at++ = (char)('0' + size % 10);
    }
    *at = '\0';
    return (size_t)(at - out);
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct reader {
    const char *text;
    size_t len, at;
};

/* Digits into d, the first ones only (a nonzero rest leaves a 1 behind them). The value read is
 * 0.DIGITS * 10^point. False: there is no digit. */
static bool read_digits(struct reader *in, struct number_digits *d, bool fraction) {
    size_t start = in->at;
    for (; in->at < in->len; in->at++) {
        char c = in->text[in->at];
        if (c == '_' && in->at > start && in->at + 1 < in->len && is_digit(in->text[in->at + 1]) &&
            is_digit(in->text[in->at - 1]))
            continue;
        if (!is_digit(c)) break;
        if (d->count == 0 && c == '0') {
            if (fraction) d->point--;
            continue;
        }
        if (!fraction && d->point < 1000000) d->point++;
        if (d->count < NUMBER_DIGITS - 1)
            d->digits[d->count++] = c;
        else if (c != '0')
            d->digits[NUMBER_DIGITS - 1] = '1'; // sticky
    }
    return in->at > start;
}

static bool word(const char *text, size_t len, const char *what) {
    if (len != strlen(what)) return false;
    for (size_t i = 0; i < len; i++) {
        if ((text[i] | 0x20) != what[i]) return false;
    }
    return true;
}

/* A double near the digits, mostly the nearest, as its bits. Only a start: nothing depends on it.
 */
static uint64_t guess(const struct number_digits *d) {
    long double value = 0, power = 10;
    int n = d->count < 18 ? d->count : 18, exponent = d->point - n;
    for (int i = 0; i < n; i++)
        value = value * 10 + (d->digits[i] - '0');
    for (int left = exponent < 0 ? -exponent : exponent; left; left /= 2, power *= power) {
        if (left % 2) value = exponent < 0 ? value / power : value * power;
    }
    double start = (double)value;
    return start - start == 0 ? bits_of(start) : INFINITE - 1;
}

/* Whether the double with these bits is at most the digits. */
static bool at_most(uint64_t bits, const struct number_digits *d) {
    struct number_digits probe;
    if (bits >= INFINITE) return false;
    number_text_exact(double_of(bits), &probe);
    return compare(&probe, d) <= 0;
}

/* The double nearest to the digits. Bit patterns have the order of their values: first the largest
 * one that is not above the digits, around the guess or by halving; then its upper half-way. */
static double nearest(const struct number_digits *d) {
    struct number_digits middle;
    uint64_t low = 0, high = INFINITE, start, mantissa; // low <= d < high
    int exponent;
    if (d->count == 0 || d->point < -330) return 0;
    if (d->point > 310) return double_of(INFINITE);
    start = guess(d);
    if (start > 2 && at_most(start - 2, d)) low = start - 2;
    if (start < INFINITE - 2 && !at_most(start + 2, d)) high = start + 2;
    while (high - low > 1) {
        uint64_t mid = low + (high - low) / 2;
        if (at_most(mid, d))
            low = mid;
        else
            high = mid;
    }
    take_apart(low, &mantissa, &exponent);
    expand(2 * mantissa + 1, exponent - 1, &middle);
    int order = compare(d, &middle);
    return double_of(order > 0 || (order == 0 && low % 2 == 1) ? high : low);
}

bool number_text_parse(const char *text, size_t len, double *out) {
    struct reader in = {text, len, 0};
    struct number_digits d = {.count = 0};
    d.digits[NUMBER_DIGITS - 1] = '0';
    bool negative = len && text[0] == '-';
    if (len && (text[0] == '-' || text[0] == '+')) in.at = 1;
    const char *rest = text + in.at;
    if (word(rest, len - in.at, "inf") || word(rest, len - in.at, "infinity")) {
        *out = double_of(INFINITE | (uint64_t)negative << 63);
        return true;
    }
    if (word(rest, len - in.at, "nan")) {
        *out = double_of(INFINITE | (uint64_t)1 << 51 | (uint64_t)negative << 63);
        return true;
    }
    bool some = read_digits(&in, &d, false);
    if (in.at < len && text[in.at] == '.') {
        in.at++;
        some |= read_digits(&in, &d, true);
    }
    if (!some) return false;
    if (in.at < len && (text[in.at] == 'e' || text[in.at] == 'E')) {
        in.at++;
        bool minus = in.at < len && text[in.at] == '-';
        if (in.at < len && (text[in.at] == '-' || text[in.at] == '+')) in.at++;
        int exponent = 0;
        size_t start = in.at;
        for (; in.at < len &&
               (is_digit(text[in.at]) || (text[in.at] == '_' && in.at > start && in.at + 1 < len &&
                                          is_digit(text[in.at + 1]) && is_digit(text[in.at - 1])));
             in.at++) {
            if (text[in.at] != '_' && exponent < 100000000)
                exponent = exponent * 10 + (text[in.at] - '0');
        }
        if (in.at == start) return false;
        d.point += minus ? -exponent : exponent;
    }
    if (in.at < len) return false;
    if (d.count == NUMBER_DIGITS - 1 && d.digits[NUMBER_DIGITS - 1] == '1')
        d.count = NUMBER_DIGITS;
    else
        drop_zeros(&d);
    *out = nearest(&d);
    if (negative) *out = -*out;
    return true;
}
