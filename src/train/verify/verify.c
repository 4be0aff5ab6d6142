#include "train/verify/verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text/number_text.h"
#include "train/verify/schema.h"
#include "train/verify/self.h"

#define NUMBER_MOST_DIGITS 400 // of a number's text without its commas

/* ---- exact, contains, regex ---- */

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void trim(const char **text, size_t *len) {
    while (*len && is_space((*text)[*len - 1]))
        --*len;
    while (*len && is_space(**text))
        ++*text, --*len;
}

static enum jl_status check_exact(const struct verify_expect *expect, const char *answer,
                                  size_t len, bool *right, struct jl_error *err) {
    const char *wanted = expect->text;
    size_t n = expect->len;
    (void)err;
    trim(&wanted, &n);
    trim(&answer, &len);
    *right = n == len && !memcmp(wanted, answer, n);
    return JL_OK;
}

static enum jl_status check_contains(const struct verify_expect *expect, const char *answer,
                                     size_t len, bool *right, struct jl_error *err) {
    (void)err;
    *right = len && memmem(answer, len, expect->text, expect->len) != NULL;
    return JL_OK;
}

static enum jl_status prepare_regex(struct verify_expect *expect, struct jl_error *err) {
    return match_new(expect->text, expect->len, &expect->match, err);
}

static enum jl_status check_regex(const struct verify_expect *expect, const char *answer,
                                  size_t len, bool *right, struct jl_error *err) {
    return match_search(expect->match, answer, len, right, err);
}

/* ---- number ---- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static size_t count_digits(const char *at, const char *end) {
    size_t n = 0;
    while (at + n < end && is_digit(at[n]))
        n++;
    return n;
}

struct number_text {
    char text[NUMBER_MOST_DIGITS + 16];
    size_t len;
    bool fits;
};

static void put(struct number_text *out, const char *bytes, size_t n) {
    out->fits = out->fits && n <= sizeof out->text - out->len;
    if (!out->fits) return;
    memcpy(out->text + out->len, bytes, n);
    out->len += n;
}

/* Digits from `at` on, groups of three joined. A comma that no group of three follows is none of
 * the number's. */
static const char *put_whole(struct number_text *out, const char *at, const char *end) {
    size_t n = count_digits(at, end);
    put(out, at, n);
    at += n;
    for (bool grouped = n >= 1 && n <= 3; grouped && at < end && *at == ',';) {
        if (count_digits(at + 1, end) != 3) break;
        put(out, at + 1, 3);
        at += 4;
    }
    return at;
}

static const char *put_exponent(struct number_text *out, const char *at, const char *end) {
    if (at == end || (*at != 'e' && *at != 'E')) return at;
    size_t sign = at + 1 < end && (at[1] == '-' || at[1] == '+');
    size_t n = count_digits(at + 1 + sign, end);
    if (!n) return at;
    put(out, at, 1 + sign + n);
    return at + 1 + sign + n;
}

/* Whether a sign stands before `at`; one behind a digit, a letter or a bracket is a difference or a
 * hyphen. U+2212 is a minus, too. */
bool verify_minus_before(const char *begin, const char *at) {
    size_t n = (size_t)(at - begin), sign = 0;
    if (n >= 1 && at[-1] == '-') sign = 1;
    if (n >= 3 && !memcmp(at - 3, "\xE2\x88\x92", 3)) sign = 3;
    if (!sign) return false;
    if (n == sign) return true;
    char before = at[-(ptrdiff_t)sign - 1];
    bool letter = (before >= 'a' && before <= 'z') || (before >= 'A' && before <= 'Z');
    return !is_digit(before) && !letter && before != ')' && before != ']';
}

/* The number whose digits, or point before digits, begin at `at`; where it ends. */
static const char *read_number(const char *begin, const char *at, const char *end, double *out,
                               bool *ok) {
    struct number_text text = {.fits = true};
    if (verify_minus_before(begin, at)) put(&text, "-", 1);
    if (is_digit(*at))
        at = put_whole(&text, at, end);
    else
        put(&text, "0", 1);
    size_t n = at < end && *at == '.' ? count_digits(at + 1, end) : 0;
    if (n) put(&text, at, n + 1), at += n + 1;
    at = put_exponent(&text, at, end);
    *ok = text.fits && number_text_parse(text.text, text.len, out);
    return at;
}

bool verify_next_number(const char *begin, const char **at, const char *end, double *out) {
    for (; *at < end; ++*at) {
        bool point = **at == '.' && *at + 1 < end && is_digit((*at)[1]), ok;
        if (!is_digit(**at) && !point) continue;
        *at = read_number(begin, *at, end, out, &ok);
        if (!ok) *out = (double)NAN;
        return true;
    }
    return false;
}

bool verify_last_number(const char *text, size_t len, double *out) {
    const char *at = text, *end = len ? text + len : text; // an empty text may be NULL
    double number, last = (double)NAN; // one too long to be one hides those before
    while (verify_next_number(text, &at, end, &number))
        last = number;
    if (isnan(last)) return false;
    *out = last;
    return true;
}

static enum jl_status prepare_number(struct verify_expect *expect, struct jl_error *err) {
    const char *text = expect->text;
    size_t len = expect->len;
    trim(&text, &len);
    if (number_text_parse(text, len, &expect->number) && isfinite(expect->number)) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT, "a number is expected, and '%.*s' is none",
                   (int)(len < 100 ? len : 100), text);
}

static enum jl_status check_number(const struct verify_expect *expect, const char *answer,
                                   size_t len, bool *right, struct jl_error *err) {
    double number;
    (void)err;
    *right = verify_last_number(answer, len, &number) && isfinite(number) &&
             fabs(number - expect->number) <= expect->tolerance;
    return JL_OK;
}

int verify_shown(const struct verify_expect *expect) {
    return (int)(expect->len < 100 ? expect->len : 100);
}

/* ---- schema ---- */

static enum jl_status prepare_schema(struct verify_expect *expect, struct jl_error *err) {
    return schema_read(expect->text, expect->len, &expect->schema, err);
}

static enum jl_status check_schema(const struct verify_expect *expect, const char *answer,
                                   size_t len, bool *right, struct jl_error *err) {
    return schema_check(expect->schema, answer, len, right, err);
}

/* ---- the table ---- */

static const struct verifier verifiers[] = {
    {"exact", false, 0, NULL, check_exact},
    {"contains", false, 0, NULL, check_contains},
    {"number", true, 0, prepare_number, check_number},
    {"regex", false, 0, prepare_regex, check_regex},
    {"schema", false, 0, prepare_schema, check_schema},
    {"fraction", false, 0, verify_prepare_fraction, verify_check_fraction},
    {"numbers", false, 0, verify_prepare_numbers, verify_check_numbers},
    {"list", false, 0, verify_prepare_list, verify_check_list},
    {"countdown", false, 0, verify_prepare_countdown, verify_check_countdown},
    {"verse", false, SKILL_RHYMES, verify_prepare_verse, verify_check_verse},
    {"verse_form", false, SKILL_RHYMES, verify_prepare_verse, verify_check_verse_form},
    {"idiom_move", false, SKILL_IDIOMS, verify_prepare_move, verify_check_move},
};

const struct verifier *verify_at(size_t index) {
    return index < sizeof verifiers / sizeof verifiers[0] ? &verifiers[index] : NULL;
}

const struct verifier *verify_find(const char *name) {
    for (size_t i = 0; verify_at(i); i++)
        if (!strcmp(verifiers[i].name, name)) return &verifiers[i];
    return NULL;
}

enum jl_status verify_prepare(const struct verifier *verifier, struct verify_expect *expect,
                              struct jl_error *err) {
    if (!expect->len) return jl_fail(err, JL_ERR_FORMAT, "an empty text is expected");
    return verifier->prepare ? verifier->prepare(expect, err) : JL_OK;
}

void verify_free(struct verify_expect *expect) {
    match_free(expect->match);
    schema_free(expect->schema);
    free(expect->wanted);
    *expect = (struct verify_expect){0};
}
