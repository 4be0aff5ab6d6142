/* countdown: an expression that makes a target of given numbers, each used once. "3 3 8 8 = 24"
 * names them. Everything is exact; that there is no solution is right only where there is none. */
#include "train/verify/self.h"

#include <string.h>

#include "text/expression.h"

#define MOST_NUMBERS 4
#define MOST_VALUE 1000000

struct puzzle {
    struct fraction numbers[MOST_NUMBERS], target;
    int n;
};

/* ---- what is expected ---- */

static bool read_puzzle(const char *text, size_t len, struct puzzle *out) {
    const char *equals = memchr(text, '=', len), *at = text;
    struct expression one;
    if (!equals) return false;
    for (out->n = 0; at < equals;) {
        size_t n = 0;
        while (at < equals && *at == ' ')
            at++;
        while (at + n < equals && at[n] != ' ')
            n++;
        if (!n) break;
        if (out->n == MOST_NUMBERS || !expression_read(at, n, &one) || !one.plain ||
            one.n_number != 1 || one.value.num > MOST_VALUE)
            return false;
        out->numbers[out->n++] = one.value;
        at += n;
    }
    size_t n_target = len - (size_t)(equals + 1 - text);
    if (out->n < 2 || !expression_read(equals + 1, n_target, &one) || !one.plain ||
        one.n_number != 1 || one.value.num > MOST_VALUE)
        return false;
    out->target = one.value;
    return true;
}

enum jl_status verify_prepare_countdown(struct verify_expect *expect, struct jl_error *err) {
    struct puzzle puzzle;
    if (read_puzzle(expect->text, expect->len, &puzzle)) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT,
                   "2 to %d whole numbers and a target up to %d are expected, such as "
                   "3 3 8 8 = 24, not '%.*s'",
                   MOST_NUMBERS, MOST_VALUE, verify_shown(expect), expect->text);
}

/* ---- whether there is a solution ---- */

static bool can_make(const struct fraction *numbers, int n, struct fraction target);

/* With numbers i and j made one. */
static bool can_join(const struct fraction *numbers, int n, int i, int j, struct fraction target) {
    struct fraction rest[MOST_NUMBERS];
    int n_rest = 1;
    for (int k = 0; k < n; k++)
        if (k != i && k != j) rest[n_rest++] = numbers[k];
    for (const char *op = "+-*/"; *op; op++)
        if (fraction_apply(numbers[i], *op, numbers[j], &rest[0]) && can_make(rest, n_rest, target))
            return true;
    return false;
}

static bool can_make(const struct fraction *numbers, int n, struct fraction target) {
    if (n == 1) return fraction_equal(numbers[0], target);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            if (i != j && can_join(numbers, n, i, j, target)) return true;
    return false;
}

/* ---- what is answered ---- */

static bool holds(const char *line, size_t n, const char *words) {
    size_t len = strlen(words);
    for (size_t i = 0; i + len <= n; i++)
        if (!strncasecmp(line + i, words, len)) return true;
    return false;
}

static bool says_none(const char *line, size_t n) {
    return holds(line, n, "no solution") || holds(line, n, "\xE6\x97\xA0\xE8\xA7\xA3" /* 无解 */);
}

/* The last line with more than spaces in it. */
static void last_line(const char **text, size_t *len) {
    while (*len && strchr(" \t\r\n", (*text)[*len - 1]) && (*text)[*len - 1])
        --*len;
    for (size_t i = *len; i > 0; i--)
        if ((*text)[i - 1] == '\n') {
            *text += i;
            *len -= i;
            return;
        }
}

/* Where the characters of an expression that end at `len` begin. */
static size_t begin_of(const char *text, size_t len) {
    size_t begin = len;
    for (size_t i = 0, n; i < len; i += n ? n : 1) {
        n = expression_char(text + i, len - i);
        if (!n)
            begin = len;
        else if (begin == len)
            begin = i;
    }
    return begin;
}

static bool uses_all(const struct puzzle *puzzle, const struct expression *made) {
    bool used[MOST_NUMBERS] = {false};
    if (made->n_number != puzzle->n) return false;
    for (int i = 0; i < puzzle->n; i++) {
        int k = 0;
        while (k < puzzle->n && (used[k] || !fraction_equal(made->numbers[i], puzzle->numbers[k])))
            k++;
        if (k == puzzle->n) return false;
        used[k] = true;
    }
    return true;
}

/* Whether a line ends with "expression" or "expression = target", a full stop behind it or not. */
static bool is_solution(const struct puzzle *puzzle, const char *line, size_t len) {
    struct expression made;
    if (len && line[len - 1] == '.') len--;
    if (len >= 3 && !memcmp(line + len - 3, "\xE3\x80\x82" /* 。 */, 3)) len -= 3;
    const char *equals = memchr(line, '=', len);
    if (equals) {
        size_t n = len - (size_t)(equals + 1 - line);
        if (!expression_read(equals + 1, n, &made) || !made.plain || made.n_number != 1 ||
            !fraction_equal(made.value, puzzle->target))
            return false;
        len = (size_t)(equals - line);
    }
    size_t begin = begin_of(line, len);
    return expression_read(line + begin, len - begin, &made) && made.plain &&
           uses_all(puzzle, &made) && fraction_equal(made.value, puzzle->target);
}

enum jl_status verify_check_countdown(const struct verify_expect *expect, const char *answer,
                                      size_t len, bool *right, struct jl_error *err) {
    struct puzzle puzzle;
    (void)err;
    *right = false;
    if (!len || !read_puzzle(expect->text, expect->len, &puzzle)) return JL_OK;
    last_line(&answer, &len);
    if (!memchr(answer, '=', len) && says_none(answer, len))
        *right = !can_make(puzzle.numbers, puzzle.n, puzzle.target);
    else
        *right = is_solution(&puzzle, answer, len);
    return JL_OK;
}
