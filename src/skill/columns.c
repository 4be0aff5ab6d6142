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

void columns_add(struct skill_text *text, int a, int b) {
    int n = length(a > b ? a : b), carry = 0;
    for (int k = 0; k < n; k++) {
        int x = digit(a, k), y = digit(b, k), sum = x + y + carry;
        columns_line(text);
        skill_put(text, "%d+%d%s=%d ", x, y, carry ? "+1" : "", sum);
        carry = sum / 10;
        if (k < n - 1)
            skill_put(text, "%0*d", k + 1, (a + b) % power(k + 1));
        else
            skill_put(text, "%d", a + b);
    }
}

void columns_subtract(struct skill_text *text, int a, int b) {
    int n = length(a), borrowed = 0;
    for (int k = 0; k < n; k++) {
        int x = digit(a, k), y = digit(b, k), borrow = x - borrowed < y;
        columns_line(text);
        skill_put(text, "%d-%d%s=%d ", x + 10 * borrow, y, borrowed ? "-1" : "",
                  x + 10 * borrow - y - borrowed);
        borrowed = borrow;
        if (k < n - 1)
            skill_put(text, "%0*d", k + 1, (a - b) % power(k + 1));
        else
            skill_put(text, "%d", a - b);
    }
}

/* a * d * 10^zeros, d a digit. */
static void multiply_digit(struct skill_text *text, int a, int d, int zeros) {
    int n = length(a), carry = 0;
    for (int k = 0; k < n; k++) {
        int x = digit(a, k), made = x * d + carry;
        columns_line(text);
        skill_put(text, "%d*%d", x, d);
        if (carry) skill_put(text, "+%d", carry);
        skill_put(text, "=%d ", made);
        carry = made / 10;
        if (k < n - 1)
            skill_put(text, "%0*d", k + 1 + zeros, a * d % power(k + 1) * power(zeros));
        else
            skill_put(text, "%d", a * d * power(zeros));
    }
}

void columns_multiply(struct skill_text *text, int a, int b) {
    int sum = 0, n = length(b);
    for (int k = 0; k < n; k++) {
        int d = digit(b, k), part = a * d * power(k);
        if (!d) continue;
        if (n > 1) {
            columns_line(text);
            skill_put(text, "%d*%d", a, d * power(k));
            if (d == 1) skill_put(text, "=%d", part);
        }
        if (n == 1 || d > 1) multiply_digit(text, a, d, k);
        if (sum) {
            skill_put(text, "\n%d+%d", sum, part);
            columns_add(text, sum, part);
        }
        sum += part;
    }
}

void columns_divide(struct skill_text *text, int a, int b) {
    int n = length(a), rest = 0, quotient = 0;
    for (int k = n - 1; k >= 0; k--) {
        rest = 10 * rest + digit(a, k);
        if (rest < b && !quotient && k) continue; // not long enough to begin with
        int d = rest / b;
        quotient = 10 * quotient + d;
        columns_line(text);
        skill_put(text, "%d: %d*%d=%d %d-%d=%d %d", rest, b, d, b * d, rest, b * d, rest - b * d,
                  quotient);
        rest -= b * d;
    }
}

int columns_euclid(struct skill_text *text, int a, int b) {
    for (;;) {
        int rest = a % b;
        columns_line(text);
        skill_put(text, "%d=%d*%d+%d", a, b, a / b, rest);
        if (!rest) return b;
        a = b;
        b = rest;
    }
}
