/* Verifiers: what each takes for right, odd answers included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "train/verify/verify.h"

struct verdict {
    const char *expect, *answer;
    bool right;
};

static void judge(const char *name, double tolerance, const struct verdict *cases) {
    const struct verifier *verifier = verify_find(name);
    assert_non_null(verifier);
    for (; cases->expect; cases++) {
        struct verify_expect expect = {
            .text = cases->expect, .len = strlen(cases->expect), .tolerance = tolerance};
        struct jl_error err = {0};
        bool right;
        if (verify_prepare(verifier, &expect, &err) != JL_OK)
            fail_msg("%s '%s': %s", name, cases->expect, err.message);
        assert_int_equal(
            verifier->check(&expect, cases->answer, strlen(cases->answer), &right, &err), JL_OK);
        if (right != cases->right)
            fail_msg("%s: '%s' for '%s' is %s", name, cases->answer, cases->expect,
                     right ? "right" : "wrong");
        verify_free(&expect);
    }
}

static void exact(void **state) {
    (void)state;
    static const struct verdict cases[] = {
        {"a", "a", true},
        {" a\n", "\ta\v\f\r\n ", true},
        {"a b", "a  b", false},
        {"a", "A", false},
        {"a", "", false},
        {"a", "   ", false},
        {"  ", "", true},
        {"鱼", "鱼", true},
        {"a", "a.", false},
        {"a\xC2\xA0", "a", false}, // a no-break space is no white space here
        {NULL, NULL, false},
    };
    judge("exact", 0, cases);
    const struct verify_expect nul = {.text = "a\0b", .len = 3};
    bool right;
    assert_int_equal(verify_find("exact")->check(&nul, " a\0b", 4, &right, NULL), JL_OK);
    assert_true(right);
    assert_int_equal(verify_find("exact")->check(&nul, "a", 1, &right, NULL), JL_OK);
    assert_false(right);
    assert_int_equal(verify_find("exact")->check(&nul, NULL, 0, &right, NULL), JL_OK);
    assert_false(right);
}

static void contains(void **state) {
    (void)state;
    static const struct verdict cases[] = {
        {"b", "abc", true},  {"abc", "abc", true}, {"abcd", "abc", false}, {"b", "", false},
        {"B", "abc", false}, {"字", "汉字", true}, {NULL, NULL, false},
    };
    judge("contains", 0, cases);
}

static void regex(void **state) {
    (void)state;
    static const struct verdict cases[] = {
        {"^[0-9]+$", "123", true},
        {"^[0-9]+$", "12 3", false},
        {"b.d", "abcde", true},
        {"(?i)YES", "yes!", true},
        {"^\\w$", "鱼", true},
        {"^.$", "鱼", true},
        {"^$", "", true},
        {"a", "\xFF\xFE", false},
        {"a",
         "\xFF"
         "a",
         true},
        {NULL, NULL, false},
    };
    judge("regex", 0, cases);
    struct verify_expect slow = {.text = "^(a|aa|b?a)+$", .len = 13};
    struct jl_error err = {0};
    char *text = calloc(1, 4001);
    bool right = true;
    memset(text, 'a', 4000);
    text[3999] = '!';
    assert_int_equal(verify_prepare(verify_find("regex"), &slow, &err), JL_OK);
    assert_int_equal(verify_find("regex")->check(&slow, text, 4000, &right, &err), JL_ERR_LIMIT);
    assert_non_null(strstr(err.message, "too many steps"));
    assert_false(right);
    free(text);
    verify_free(&slow);
}

static void number(void **state) {
    (void)state;
    static const struct verdict cases[] = {
        {"42", "42", true},
        {"42", "The answer is 42.", true},
        {"42", "41, no: 42", true},
        {"42", "42 of 50", false},
        {"1234", "It costs 1,234 in all", true},
        {"1234567", "1,234,567", true},
        {"3", "1,2,3", true},
        {"3", "1, 2, 3", true},
        {"2345", "1,2345", true},
        {"234", "1,234,56", false},
        {"56", "1,234,56", true},
        {"34", "12,34", true},
        {"234", "1234,234", true}, // no groups behind four digits
        {"-5", "-5", true},
        {"-5",
         "minus: \xE2\x88\x92"
         "5",
         true},
        {"-5", "(-5)", true},
        {"5", "10-5", true},
        {"5", "x-5", true},
        {"5", "f(2)-5", true},
        {"-5", "10 -5", true},
        {"2.5", "2.50", true},
        {"2.5", "= 2.5e0.", true},
        {"1500", "1.5E+3", true},
        {"1.5", "1.5e", true},
        {"0.5", ".5", true},
        {"7", "v1.2.7", false},
        {"0.7", "v1.2.7", true},
        {"1e3", "1000", true},
        {" 8 ", "8", true},
        {"8", "", false},
        {"8", "eight", false},
        {"8", "1e999", false},
        {"8", "8 or 1e999", false},
        {"0", "-0", true},
        {"0.1", "0.10000000000000001", true},
        {NULL, NULL, false},
    };
    static const struct verdict near[] = {
        {"3.14", "3.1", true}, {"3.14", "3.0", false}, {"3", "3.05", true}, {NULL, NULL, false}};
    judge("number", 0, cases);
    judge("number", 0.0500000001, near);
    char digits[600];
    double out = -1;
    memset(digits, '1', sizeof digits);
    memcpy(digits, "5 ", 2);
    assert_false(verify_last_number(digits, sizeof digits, &out)); // too long to be one
    assert_true(verify_last_number(digits, 2, &out) && out == 5);
    assert_false(verify_last_number(NULL, 0, &out));
}

static void fraction(void **state) {
    (void)state;
    static const struct verdict three_quarters[] = {
        {"3/4", "3/4", true},
        {"3/4", "The sum is 3/4.", true},
        {"3/4", "1/2+1/4=3/4", true},
        {"3/4", "6/8", false}, // not in lowest terms
        {"3/4", "-3/4", false},
        {"3/4", "0.75", false},
        {"3/4", "3/4 or 1/2", false},
        {"3/4", "3/4/1", false},
        {"3/4", "1/3/4", false},
        {"3/4", "3 / 4", false},
        {"3/4", "3/40", false},
        {"3/4", "13/4", false},
        {"3/4", "3/4.5", false},
        {"3/4", "3/", false},
        {"3/4", "3/0", false},
        {"3/4", "", false},
        {"3/4", "99999999999999999999/4", false},
        {"-5", "-5", true},
        {"-5", "= -5", true},
        {"-5", "5/-1", false},
        {"-5", "-10/2", false},
        {"-5",
         "\xE2\x88\x92"
         "5",
         true},
        {"-7/3", "-7/3", true},
        {"-7/3", "7/-3", false},
        {"4", "4/1", true},
        {"4", "1,004", false},
        {"0", "0", true},
        {NULL, NULL, false},
    };
    judge("fraction", 0, three_quarters);
}

static void numbers(void **state) {
    (void)state;
    static const struct verdict cases[] = {
        {"334 3", "334 remainder 3", true},
        {"334 3", "334 \xE4\xBD\x99 3", true},
        {"334 3", "334, 3", true},
        {"334 3", "334,3", true},
        {"334 3", "3 334", false},
        {"334 3", "334", false},
        {"334 3", "334 3 0", false},
        {"334 3", "334 -3", false},
        {"334 3", "", false},
        {"334 3", "none", false},
        {"2 15", "2 hours 15 minutes", true},
        {"1.5 -2", "1.50 and -2", true},
        {NULL, NULL, false},
    };
    judge("numbers", 0, cases);
}

static void list(void **state) {
    (void)state;
    static const struct verdict cases[] = {
        {"ant, bee", "ant, bee", true},
        {"ant, bee", "ant bee.", true},
        {"ant, bee", "ant\nbee\n", true},
        {"ant, bee", "ant;bee", true},
        {"ant, bee", "bee, ant", false},
        {"ant, bee", "ant, bee, bee", false},
        {"ant, bee", "ant", false},
        {"ant, bee", "antbee", false},
        {"ant, bee", "ant and bee", false},
        {"ant, bee", "Ant, bee", false},
        {"ant, bee", "", false},
        {"1, 20",
         "1\xE3\x80\x81"
         "20\xE3\x80\x82",
         true},
        {"1, 20",
         "1\xEF\xBC\x8C"
         "20",
         true},
        {"1, 20", "1, 2 0", false},
        {"1.5", "1.5", true},
        {"1.5", "1 5", false},
        {NULL, NULL, false},
    };
    judge("list", 0, cases);
}

static void countdown(void **state) {
    (void)state;
    static const struct verdict cases[] = {
        {"8 2 1 3 = 24", "(8-2)*(1+3) = 24", true},
        {"8 2 1 3 = 24", "(8-2)*(1+3)", true},
        {"8 2 1 3 = 24", "(8-2)*(1+3)=24.", true},
        {"8 2 1 3 = 24", "(8 - 2) \xC3\x97 (1 + 3) = 24\xE3\x80\x82", true},
        {"8 2 1 3 = 24", "8*3 = 24\nIn all: (3+1)*(8-2)", true},
        {"8 2 1 3 = 24",
         "\xEF\xBC\x88"
         "8-2\xEF\xBC\x89*(1+3)",
         true},
        {"8 2 1 3 = 24", "(8-2)*(1+3) = 25", false},
        {"8 2 1 3 = 24", "(8-2)*(1+3) = 48/2", false},
        {"8 2 1 3 = 24", "24 = (8-2)*(1+3)", false},
        {"8 2 1 3 = 24", "(8-2)*(1+3) = 24\n8*3*1+2 = 26", false},
        {"8 2 1 3 = 24", "8*3 = 24", false},
        {"8 2 1 3 = 24", "8*3*1*(2-1) = 24", false},
        {"8 2 1 3 = 24", "82-1-3 = 24", false},
        {"8 2 1 3 = 24", "24", false},
        {"8 2 1 3 = 24", "24 = 24", false},
        {"8 2 1 3 = 24", "(8-2)*(1+3", false},
        {"8 2 1 3 = 24", "(8-2)(1+3) = 24", false},
        {"8 2 1 3 = 24", "8*3*1*2/2 = 24", false},
        {"8 2 1 3 = 24", "-(2-8)*(1+3) = 24", false},
        {"8 2 1 3 = 24", "8.0*3*1+2-2 = 24", false},
        {"8 2 1 3 = 24", "no solution", false},
        {"8 2 1 3 = 24", "(8-2)*(1+3) = 24 = 24", false},
        {"8 2 1 3 = 24", "", false},
        {"8 2 1 3 = 24", "\n \n", false},
        {"3 3 8 8 = 24", "8/(3-8/3) = 24", true}, // exact, where a double may not be
        {"3 3 8 8 = 24", "no solution", false},
        {"3 3 7 7 = 24", "7*(3+3/7)", true},
        {"1 1 1 1 = 24", "no solution", true},
        {"1 1 1 1 = 24", "No solution.", true},
        {"1 1 1 1 = 24", "\xE6\x97\xA0\xE8\xA7\xA3", true},
        {"1 1 1 1 = 24", "(1+1+1)*8\nno solution", true},
        {"1 1 1 1 = 24", "no", false},
        {"1 1 1 1 = 24", "no solution\n(1+1+1+1)*6 = 24", false},
        {"5 5 5 = 24", "5*5-5/5 = 24", false},
        {"7 3 = 10", "7+3", true},
        {"7 3 = 10", "1/0*(7+3)", false},
        {"0 5 5 = 1", "5/5+0", true},
        {"0 5 5 = 1", "5/(5*0)", false},
        {"999999 999999 2 2 = 4", "999999/999999*2*2 = 4", true},
        {NULL, NULL, false},
    };
    judge("countdown", 0, cases);
    // Deep and long texts end in a verdict.
    struct verify_expect expect = {.text = "1 2 = 3", .len = 7};
    size_t len = 1 << 20;
    char *text = malloc(len);
    static const char fills[] = "(-1+* ";
    for (const char *fill = fills; *fill; fill++) {
        bool right = true;
        memset(text, *fill, len);
        assert_int_equal(verify_find("countdown")->check(&expect, text, len, &right, NULL), JL_OK);
        assert_false(right);
        assert_int_equal(verify_find("fraction")->check(&expect, text, len, &right, NULL), JL_OK);
        assert_int_equal(verify_find("numbers")->check(&expect, text, len, &right, NULL), JL_OK);
        assert_int_equal(verify_find("list")->check(&expect, text, len, &right, NULL), JL_OK);
        assert_false(right);
    }
    free(text);
    bool right = true;
    assert_int_equal(verify_find("countdown")->check(&expect, NULL, 0, &right, NULL), JL_OK);
    assert_false(right);
}

static void refused(void **state) {
    (void)state;
    static const struct {
        const char *name, *expect, *what;
    } cases[] = {
        {"exact", "", "an empty text"},
        {"number", "four", "'four' is none"},
        {"number", "nan", "'nan' is none"},
        {"number", "1e999", "is none"},
        {"number", "1 2", "is none"},
        {"regex", "(", "missing closing parenthesis"},
        {"regex", "\\C", "is wrong at byte"},
        {"regex", "\xFF", "is wrong at byte"},
        {"schema", "{\"typ\": 1", "schema: "},
        {"fraction", "half", "lowest terms"},
        {"fraction", "2/4", "lowest terms"},
        {"fraction", "1/0", "lowest terms"},
        {"numbers", "none", "has none"},
        {"list", " , ", "no item"},
        {"countdown", "24", "a target"},
        {"countdown", "1 = 24", "a target"},
        {"countdown", "1 2 3 4 5 = 24", "a target"},
        {"countdown", "1 2", "a target"},
        {"countdown", "1 2 = x", "a target"},
        {"countdown", "1 2.5 = 3", "a target"},
        {"countdown", "1 -2 = 3", "a target"},
        {"countdown", "1 2 = 99999999", "a target"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verify_expect expect = {.text = cases[i].expect, .len = strlen(cases[i].expect)};
        struct jl_error err = {0};
        assert_int_equal(verify_prepare(verify_find(cases[i].name), &expect, &err), JL_ERR_FORMAT);
        if (!strstr(err.message, cases[i].what))
            fail_msg("%s '%s': %s", cases[i].name, cases[i].expect, err.message);
        verify_free(&expect);
    }
    assert_null(verify_find("choice"));
    size_t n = 0;
    while (verify_at(n))
        n++;
    assert_int_equal(n, 12);
}

/* What needs tables says so without them, and is prepared without them. */
static void tables(void **state) {
    static const struct {
        const char *name, *expect;
        unsigned parts;
    } cases[] = {
        {"verse", "{\"form\": \"五绝\", \"theme\": \"月\"}", SKILL_RHYMES},
        {"verse_form", "{\"form\": \"4x5\"}", SKILL_RHYMES},
        {"idiom_move", "{\"after\": \"山水花鸟\"}", SKILL_IDIOMS},
    };
    static const char answer[] = "夜雨落寒塘，鱼儿梦水乡。\n金鳞藏月影，一跃见天光。";
    const struct skill_tables none = {0}; // unknown characters: any tone, and no rhyme
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct verifier *verifier = verify_find(cases[i].name);
        struct verify_expect expect = {.text = cases[i].expect, .len = strlen(cases[i].expect)};
        struct jl_error err = {0};
        bool right = true;
        assert_int_equal(verifier->tables, cases[i].parts);
        assert_int_equal(verify_prepare(verifier, &expect, &err), JL_OK);
        assert_int_equal(verifier->check(&expect, answer, strlen(answer), &right, &err),
                         JL_ERR_USAGE);
        assert_false(right);
        assert_non_null(strstr(err.message, "--data"));
        expect.tables = &none;
        assert_int_equal(verifier->check(&expect, answer, strlen(answer), &right, &err), JL_OK);
        assert_int_equal(right, i == 1); // the form alone
        assert_int_equal(verifier->check(&expect, NULL, 0, &right, &err), JL_OK);
        assert_false(right);
        verify_free(&expect);
        expect = (struct verify_expect){.text = "{}", .len = 2};
        assert_int_equal(verify_prepare(verifier, &expect, &err), JL_ERR_FORMAT);
        verify_free(&expect);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables),  cmocka_unit_test(exact),  cmocka_unit_test(contains),
        cmocka_unit_test(regex),   cmocka_unit_test(number), cmocka_unit_test(fraction),
        cmocka_unit_test(numbers), cmocka_unit_test(list),   cmocka_unit_test(countdown),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
