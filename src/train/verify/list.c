/* Answers with several parts: fractions, numbers in their order, lists. */
#include "train/verify/self.h"

#include <string.h>

#include "text/expression.h"

/* ---- fraction ---- */

static bool is_part(char c) { return (c >= '0' && c <= '9') || c == '/' || c == '.' || c == ','; }

static bool read_digits(const char **at, const char *end, int64_t *out) {
    const char *begin = *at;
    for (*out = 0; *at < end && **at >= '0' && **at <= '9'; ++*at)
        if (__builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, **at - '0', out))
            return false;
    return *at > begin;
}

/* The last run of digits, slashes, points and commas, which must be a whole number or a fraction;
 * one of the last two marks behind it is the sentence's. */
static bool last_fraction(const char *text, size_t len, int64_t *num, int64_t *den) {
    const char *end = len ? text + len : text, *at;
    while (end > text && !(end[-1] >= '0' && end[-1] <= '9')) {
        if (end[-1] == '/') return false;
        end--;
    }
    for (at = end; at > text && is_part(at[-1]);)
        at--;
    bool minus = verify_minus_before(text, at);
    if (minus && at - text >= 2 && at[-1] == '-' && at[-2] == '/') return false;
    *den = 1;
    if (!read_digits(&at, end, num)) return false;
    if (at < end && *at == '/') {
        at++;
        if (!read_digits(&at, end, den)) return false;
    }
    if (minus) *num = -*num;
    return at == end && *den > 0;
}

static bool lowest(int64_t num, int64_t den) {
    struct fraction made;
    return fraction_make(num, den, &made) && made.den == den;
}

enum jl_status verify_prepare_fraction(struct verify_expect *expect, struct jl_error *err) {
    int64_t num, den;
    if (last_fraction(expect->text, expect->len, &num, &den) && lowest(num, den)) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT,
                   "a fraction in lowest terms is expected, such as 3/4, not '%.*s'",
                   verify_shown(expect), expect->text);
}

enum jl_status verify_check_fraction(const struct verify_expect *expect, const char *answer,
                                     size_t len, bool *right, struct jl_error *err) {
    int64_t num, den, wanted_num, wanted_den;
    (void)err;
    *right = last_fraction(expect->text, expect->len, &wanted_num, &wanted_den) &&
             last_fraction(answer, len, &num, &den) && num == wanted_num && den == wanted_den;
    return JL_OK;
}

/* ---- numbers ---- */

enum jl_status verify_prepare_numbers(struct verify_expect *expect, struct jl_error *err) {
    double number;
    const char *at = expect->text, *end = at + expect->len;
    if (verify_next_number(expect->text, &at, end, &number)) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT, "numbers are expected, and '%.*s' has none",
                   verify_shown(expect), expect->text);
}

enum jl_status verify_check_numbers(const struct verify_expect *expect, const char *answer,
                                    size_t len, bool *right, struct jl_error *err) {
    const char *want = expect->text, *want_end = want + expect->len;
    const char *at = answer, *end = len ? answer + len : answer;
    double wanted, given;
    (void)err;
    for (;;) {
        bool more_wanted = verify_next_number(expect->text, &want, want_end, &wanted);
        bool more_given = verify_next_number(answer, &at, end, &given);
        *right = more_wanted == more_given && (!more_wanted || wanted == given);
        if (!*right || !more_wanted) return JL_OK;
    }
}

/* ---- list ---- */

/* Bytes of what parts items (or ends a list), 0: part of an item. */
static size_t separator(const char *at, const char *end) {
    static const char *const marks[] = {" ",
                                        "\t",
                                        "\n",
                                        "\r",
                                        ",",
                                        ";",
                                        "\xE3\x80\x81" /* 、 */,
                                        "\xEF\xBC\x8C" /* ， */,
                                        "\xEF\xBC\x9B" /* ； */,
                                        "\xE3\x80\x80"};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        size_t n = strlen(marks[i]);
        if (n <= (size_t)(end - at) && !memcmp(at, marks[i], n)) return n;
    }
    if (end - at == 1 && *at == '.') return 1;
    if (end - at == 3 && !memcmp(at, "\xE3\x80\x82" /* 。 */, 3)) return 3;
    return 0;
}

static bool next_item(const char **at, const char *end, const char **item, size_t *n) {
    size_t skip;
    while (*at < end && (skip = separator(*at, end)))
        *at += skip;
    *item = *at;
    while (*at < end && !separator(*at, end))
        ++*at;
    *n = (size_t)(*at - *item);
    return *n > 0;
}

enum jl_status verify_prepare_list(struct verify_expect *expect, struct jl_error *err) {
    const char *at = expect->text, *item;
    size_t n;
    if (next_item(&at, at + expect->len, &item, &n)) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT, "a list is expected, and '%.*s' has no item",
                   verify_shown(expect), expect->text);
}

enum jl_status verify_check_list(const struct verify_expect *expect, const char *answer, size_t len,
                                 bool *right, struct jl_error *err) {
    const char *want = expect->text, *want_end = want + expect->len;
    const char *at = answer, *end = len ? answer + len : answer;
    const char *wanted, *given;
    size_t n_wanted, n_given;
    (void)err;
    for (;;) {
        bool more = next_item(&want, want_end, &wanted, &n_wanted);
        *right = next_item(&at, end, &given, &n_given) == more && n_given == n_wanted &&
                 !memcmp(wanted, given, n_wanted);
        if (!*right || !more) return JL_OK;
    }
}
