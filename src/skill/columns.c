#include "skill/columns.h"

void columns_line(struct skill_text *text) {
    if (text->bytes.len) skill_puts(text, "\n");
}

static int power(int k) {
    int value = 1;
    while (k-- > 0)
        value *= 10;
    return value;
}

static int length(int n) {
    int k = 1;
    for (; n >= 10; n /= 10)
        k++;
    return k;
}

static int digit(int n, int k) { return n / power(k) % 10; }

/* The two numbers without their last k digits, as a column begins: "345+67+1: ". What it works on
 * is what stands last in each, so that no place has to be counted; digits alone are not said twice.
 */
static void open_column(struct skill_text *text, int a, char op, int b, int k, bool carry) {
    columns_line(text);
    a /= power(k), b /= power(k);
    if (a < 10 && b < 10) return;
    skill_put(text, "%d%c%d", a, op, b);
    if (carry) skill_put(text, "%c1", op);
    skill_puts(text, ": ");
}

/* The digits that are done, `n` columns in all; the last one leaves the whole result. */
static void close_column(struct skill_text *text, int result, int k, int n) {
    if (k < n - 1)
        skill_put(text, "%0*d", k + 1, result % power(k + 1));
    else
        skill_put(text, "%d", result);
}

void columns_add(struct skill_text *text, int a, int b) {
    int n = length(a > b ? a : b), carry = 0;
    for (int k = 0; k < n; k++) {
        int x = digit(a, k), y = digit(b, k), sum = x + y + carry;
        int left = a / power(k), right = b / power(k);
        if (k && !carry && (!left || !right)) {
            skill_put(text, "\n%d: %d", left + right, a + b);
            return;
        }
        open_column(text, a, '+', b, k, carry);
        skill_put(text, "%d+%d%s=%d ", x, y, carry ? "+1" : "", sum);
        carry = sum / 10;
        close_column(text, a + b, k, n);
    }
}

void columns_subtract(struct skill_text *text, int a, int b) {
    int n = length(a), borrowed = 0;
    for (int k = 0; k < n; k++) {
        int x = digit(a, k), y = digit(b, k), borrow = x - borrowed < y;
        if (k && !borrowed && !(b / power(k))) {
            skill_put(text, "\n%d: %d", a / power(k), a - b);
            return;
        }
        open_column(text, a, '-', b, k, borrowed);
        skill_put(text, "%d-%d%s=%d ", x + 10 * borrow, y, borrowed ? "-1" : "",
                  x + 10 * borrow - y - borrowed);
        borrowed = borrow;
        close_column(text, a - b, k, n);
    }
}

static void multiply_digit(struct skill_text *text, int a, int d) {
    int n = length(a), carry = 0;
    for (int k = 0; k < n; k++) {
        int x = digit(a, k), made = x * d;
        columns_line(text);
        if (k < n - 1) {
            skill_put(text, "%d*%d", a / power(k), d);
            if (carry) skill_put(text, "+%d", carry);
            skill_puts(text, ": ");
        }
        skill_put(text, "%d*%d=%d ", x, d, made);
        if (carry) skill_put(text, "%d+%d=%d ", made, carry, made + carry);
        carry = (made + carry) / 10;
        close_column(text, a * d, k, n);
    }
}

void columns_multiply(struct skill_text *text, int a, int b) {
    int sum = 0, n = length(b);
    if (n == 1) {
        multiply_digit(text, a, b);
        return;
    }
    for (int k = n - 1; k >= 0; k--) {
        int d = digit(b, k);
        columns_line(text);
        skill_put(text, "%d*%d|", a, d);
        if (k) skill_put(text, "%0*d", k, b % power(k));
        if (d < 2) skill_put(text, "=%d", a * d);
        if (d > 1) multiply_digit(text, a, d);
        if (k < n - 1 && d)
            columns_add(text, sum * 10, a * d);
        else if (k < n - 1)
            skill_put(text, "\n%d", sum * 10);
        sum = sum * 10 + a * d;
    }
}

void columns_divide(struct skill_text *text, int a, int b) {
    int n = length(a), rest = 0, quotient = 0;
    if (b > 9) {
        columns_line(text);
        for (int d = 1; d <= 9; d++)
            skill_put(text, "%s%d:%d", d > 1 ? " " : "", d, d * b);
    }
    for (int k = n - 1; k >= 0; k--) {
        rest = 10 * rest + digit(a, k);
        if (rest < b && !quotient && k) continue; // not long enough to begin with
        int d = rest / b;
        quotient = 10 * quotient + d;
        columns_line(text);
        skill_put(text, "%d|", rest);
        if (k) skill_put(text, "%0*d", k, a % power(k));
        if (b > 9)
            skill_put(text, ": %d:%d ", d, b * d);
        else
            skill_put(text, ": %d*%d=%d ", b, d, b * d);
        skill_put(text, "%d-%d=%d %d", rest, b * d, rest - b * d, quotient);
        rest -= b * d;
    }
}

int columns_euclid(struct skill_text *text, int a, int b) {
    for (;;) {
        int rest = a % b;
        columns_line(text);
        skill_put(text, "%d: %d*%d=%d %d-%d=%d", a, b, a / b, a - rest, a, a - rest, rest);
        if (!rest) return b;
        a = b;
        b = rest;
    }
}

/* Both before the sign: whoever writes has seen them then. */
static void put_order(struct skill_text *text, int a, int b) {
    skill_put(text, " %d %d%c", a, b, a < b ? '<' : a > b ? '>' : '=');
}

void columns_compare(struct skill_text *text, int a, int b) {
    int n = length(a);
    columns_line(text);
    skill_put(text, "%d %d:", a, b);
    put_order(text, n, length(b));
    for (int k = n - 1; length(b) == n && k >= 0; k--) {
        put_order(text, digit(a, k), digit(b, k));
        if (digit(a, k) != digit(b, k)) return;
    }
}

int columns_short(struct skill_text *text, int a, char op, int b) {
    int sign = op == '-' ? -1 : 1, units = b % 10, made = a + sign * b;
    skill_put(text, "%d%c%d=", a, op, b);
    if (b > 10 && units) skill_put(text, "%d%c%d=", a + sign * (b - units), op, units);
    skill_put(text, "%d", made);
    return made;
}
