#include "fixture.h"

#include <stdlib.h>
#include <string.h>

static void test_texts(void **state) {
    (void)state;
    static const struct text_case cases[] = {
        {"", {""}, {"a"}},
        {"abc", {"abc"}, {"", "ab", "abcd", "xabc"}},
        {"^abc$", {"abc"}, {"ab", "abcd"}},
        {"a|bc|", {"a", "bc", ""}, {"b", "abc"}},
        {"(?:a|b)*c+d?", {"c", "abcc", "bacd"}, {"", "d", "abd"}},
        {"(a(b(c)?)?)?x", {"x", "ax", "abx", "abcx"}, {"acx", "bx"}},
        {"[a-c\\d_-]{2,3}", {"a1", "_-", "ccc", "0b-"}, {"a", "d1", "aaaa"}},
        {"[^a\\n]", {"b", "\xC3\xA9", "\xF0\x9F\x98\x80", "^"}, {"a", "\n", "\xC3", "bb"}},
        {".", {"a", "\xE4\xB8\xAD"}, {"", "\n", "\r", "\xE2\x80\xA8", "\x80", "\xED\xA0\x80"}},
        {"\\w\\W\\s\\S\\D", {"a- bc", "_\xC3\xA9\xC2\xA0xx"}, {"a-bcd", "--- b", "a- b1"}},
        {"\\u00e9\\u{1F600}\\x41\\t\\cA",
         {"\xC3\xA9\xF0\x9F\x98\x80"
          "A\t\x01"},
         {"A"}},
        {"\\uD83D\\uDE00", {"\xF0\x9F\x98\x80"}, {"\xED\xA0\xBD\xED\xB8\x80", ""}},
        {"[\\u4e00-\\u9fff]+", {"\xE4\xB8\xAD\xE6\x96\x87"}, {"a", "\xE3\x80\x82"}},
        {"[\\u07f0-\\u{10010}]",
         {"\xDF\xB0", "\xE0\xA0\x80", "\xF0\x90\x80\x90"},
         {"\xDF\xAF", "\xF0\x90\x80\x91", "\xED\xA0\x80"}},
        {"a{3}", {"aaa"}, {"aa", "aaaa"}},
        {"a{2,}b", {"aab", "aaaaaab"}, {"ab"}},
        {"a{,3}", {"a{,3}"}, {"a", ""}},
        {"x*?y+?z??", {"y", "xxyyz"}, {"x"}},
        {"(?<year>\\d{4})-\\d\\d", {"2024-05"}, {"24-05"}},
        {"\\/\\.\\-\\$\\{\\}", {"/.-${}"}, {"/x-${}"}},
        {"(a{1,300}b){2,3}", {"abab", "aabaaab", "ababab"}, {"ab", "abababab", "aba"}},
        {"(a*)*b", {"b", "aaab"}, {"a"}},
        {"((a+)+)+$", {"a", "aaaaaaaaaaaa"}, {"", "b"}},
        {"^a|b$", {"a", "b"}, {"ab", "xb"}},
    };
    check_cases(REGEX, cases, sizeof cases / sizeof *cases);
}

static void test_nul(void **state) {
    (void)state;
    struct grammar *g = compile(REGEX, "a\\0b");
    assert_true(matches(g, "a\0b", 3));
    grammar_free(g);
}

static void test_refused(void **state) {
    (void)state;
    static const struct error_case cases[] = {
        {"(?=a)", JL_ERR_UNSUPPORTED, "lookaround"},
        {"(?<!a)b", JL_ERR_UNSUPPORTED, "lookaround"},
        {"(a)\\1", JL_ERR_UNSUPPORTED, "back-references"},
        {"\\bword", JL_ERR_UNSUPPORTED, "word boundaries"},
        {"\\p{L}+", JL_ERR_UNSUPPORTED, "\\p{...} is not supported"},
        {"(?i)a", JL_ERR_UNSUPPORTED, "(?"},
        {"a^b", JL_ERR_UNSUPPORTED, "^ and $"},
        {"(^a)b", JL_ERR_UNSUPPORTED, "^ and $"},
        {"a$b", JL_ERR_UNSUPPORTED, "^ and $"},
        {"(a", JL_ERR_FORMAT, "a group without its end"},
        {"a)", JL_ERR_FORMAT, "a ) without its ("},
        {"[a", JL_ERR_FORMAT, "a class without its end"},
        {"*a", JL_ERR_FORMAT, "nothing to repeat"},
        {"a**", JL_ERR_FORMAT, "nothing to repeat"},
        {"a{3,2}", JL_ERR_FORMAT, "least count is the greater"},
        {"[z-a]", JL_ERR_FORMAT, "ends before it begins"},
        {"[\\d-z]", JL_ERR_FORMAT, "a range with a class"},
        {"\\x1", JL_ERR_FORMAT, "hexadecimal"},
        {"\\u{110000}", JL_ERR_FORMAT, "code point"},
        {"\\q", JL_ERR_UNSUPPORTED, "unknown escape"},
        {"a\\", JL_ERR_UNSUPPORTED, "unknown escape"},
        {"\xFF", JL_ERR_FORMAT, "UTF-8"},
        {"[]", JL_ERR_UNSUPPORTED, "no text at all"},
        {"[\\uD800]", JL_ERR_UNSUPPORTED, "no text at all"},
        {"a{2000000000}", JL_ERR_LIMIT, "least count"},
    };
    check_errors(REGEX, cases, sizeof cases / sizeof *cases);
}

static void test_gbnf_texts(void **state) {
    (void)state;
    static const struct text_case cases[] = {
        {"root ::= \"a\" b?  # a comment\nb ::= [0-9]+ | \"x\"\n",
         {"a", "a12", "ax"},
         {"", "b", "a1x"}},
        {"root ::= (\"x\" \"y\"\n | \"z\"\n)* # over lines\n", {"", "xyz", "zzxy"}, {"x", "xz"}},
        {"root ::=\n  a\n  | \"c\"\n\na ::= \"b\"", {"b", "c"}, {"a"}},
        {"root ::= \"\\\"\\\\\\n\\t\\r\\x41\\u00e9\\U0001F600\"",
         {"\"\\\n\t\rA\xC3\xA9\xF0\x9F\x98\x80"},
         {""}},
        {"root ::= [^\\]\\-a-c] .", {"d\n", "\xC3\xA9x"}, {"]a", "-a", "ba", "d"}},
        {"root ::= [a-]{2} [-z]", {"a-z", "---"}, {"aaa"}},
        {"root ::= \"a\"{2,3}+ \"b\"{,2} \"c\"{1,}", {"aac", "aaaaabbc", "aacc"}, {"abc", "aabbb"}},
        {"root ::= item (\",\" item)*\nitem ::= \"(\" root? \")\"",
         {"()", "((),())", "(()),()"},
         {"(", "()("}},
        {"root ::= \"\" | \"a\"", {"", "a"}, {"b"}},
        {"root ::= e\ne ::= t (\"+\" t)*\nt ::= f (\"*\" f)*\nf ::= \"(\" e \")\" | [0-9]+",
         {"1", "1+2*3", "((1))*2"},
         {"", "1+", "(1"}},
        {"root ::= | \"a\" root \"b\"", {"", "ab", "aaabbb"}, {"aab", "abb"}},
        {"root ::= \"x\" root | \"x\"", {"x", "xxxxxx"}, {"", "y"}},
    };
    check_cases(GBNF, cases, sizeof cases / sizeof *cases);
}

static void test_gbnf_refused(void **state) {
    (void)state;
    static const struct error_case cases[] = {
        {"", JL_ERR_FORMAT, "no rule \"root\""},
        {"a ::= \"b\"", JL_ERR_FORMAT, "no rule \"root\""},
        {"root ::= other", JL_ERR_FORMAT, "uses rule \"other\""},
        {"root ::= \"a\"\nroot ::= \"b\"", JL_ERR_FORMAT, "defined twice"},
        {"root = \"a\"", JL_ERR_FORMAT, "::= is expected"},
        {"root ::= \"a", JL_ERR_FORMAT, "a literal without its end"},
        {"root ::= [a", JL_ERR_FORMAT, "a class without its end"},
        {"root ::= (\"a\"", JL_ERR_FORMAT, "a ( without its )"},
        {"root ::= \"a\")", JL_ERR_FORMAT, "the end of the line"},
        {"root ::= \"a\"{}", JL_ERR_FORMAT, "without a count"},
        {"root ::= \"\\q\"", JL_ERR_FORMAT, "unknown escape"},
        {"root ::= e\ne ::= e \"+\" e | [0-9]", JL_ERR_UNSUPPORTED, "\"e\" is left-recursive"},
        {"root ::= a\na ::= b \"x\"\nb ::= \"y\"? a | \"z\"", JL_ERR_UNSUPPORTED, "left-recursive"},
        {"root ::= root", JL_ERR_UNSUPPORTED, "no text at all"},
        {"root ::= <think>", JL_ERR_FORMAT, "is expected"},
    };
    check_errors(GBNF, cases, sizeof cases / sizeof *cases);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_gbnf_texts),
        cmocka_unit_test(test_gbnf_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
