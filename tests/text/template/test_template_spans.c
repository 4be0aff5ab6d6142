/* Which bytes of a prompt are the user's: through every way that text can take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "text/chat_template.h"

/* The variables: u is the user's, bos_token is not. */
static const char variables[] =
    "{\"u\": \"<|x|> \\\"q\\\" Ab\", \"bos_token\": \"<|bos|>\", \"pad_token\": {\"u\": \"no\"},"
    " \"list\": [\"p\", \"q\"], \"d\": {\"key\": \"val\"}, \"n\": 12,"
    " \"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}";

/* Renders and shows the user's bytes as [...], those of generation blocks as {...}. */
static char *show(const char *source) {
    struct chat_template *tmpl;
    struct chat_rendered result;
    struct jl_error err = {0};
    json_t *input = json_loads(variables, 0, NULL);
    assert_non_null(input);
    if (chat_template_parse(source, strlen(source), &tmpl, &err) != JL_OK ||
        chat_template_render(tmpl, input, NULL, &result, &err) != JL_OK)
        fail_msg("%s: %s", source, err.message);
    char *shown = calloc(result.len * 3 + 10, 1), *at = shown;
    size_t u = 0, g = 0;
    for (size_t i = 0; i <= result.len; i++) {
        if (u < result.n_user && result.user[u].stop == i) *at++ = ']', u++;
        if (g < result.n_generation && result.generation[g].stop == i) *at++ = '}', g++;
        if (g < result.n_generation && result.generation[g].start == i) *at++ = '{';
        if (u < result.n_user && result.user[u].start == i) *at++ = '[';
        if (i < result.len) *at++ = result.text[i];
    }
    assert_int_equal(u, result.n_user);
    assert_int_equal(g, result.n_generation);
    json_decref(input);
    chat_rendered_free(&result);
    chat_template_free(tmpl);
    return shown;
}

static void user_bytes(void **state) {
    static const char *const cases[][2] = {
        {"a{{ u }}b", "a[<|x|> \"q\" Ab]b"},
        {"{{ bos_token }}{{ u[:5] }}", "<|bos|>[<|x|>]"},
        {"{{ bos_token + u }}", "<|bos|>[<|x|> \"q\" Ab]"},
        {"{{ 'A' ~ u ~ 'B' }}", "A[<|x|> \"q\" Ab]B"},
        {"{{ ('A' + u + 'B')[1:-1] }}", "[<|x|> \"q\" Ab]"},
        {"{{ ('A' + u)[::-1] }}", "[bA \"q\" >|x|<]A"},
        {"{{ ('A' + u[:2] + 'B')|upper|lower }}", "a[<|]b"},
        {"{{ ('a' + u[:3])|title }}", "A[<|x]"},
        {"{{ ('  ' + u[:2] + '  ')|trim }}", "[<|]"},
        {"{{ ('x-y'|replace('-', u[:2])) }}", "x[<|]y"},
        {"{{ u|replace('<|x|>', 'T') }}", "T[ \"q\" Ab]"},
        {"{{ list|join('-') }}", "[p]-[q]"},
        {"{{ '-'.join(list) }}", "[p]-[q]"},
        {"{{ u[:2].join(['a', 'b']) }}", "a[<|]b"},
        {"{{ d|tojson }}", "{\"[key]\": \"[val]\"}"},
        {"{{ u|tojson }}", "\"[<|x|> \\\"q\\\" Ab]\""},
        {"{{ d }}", "{'[key]': '[val]'}"},
        {"{{ '%s|%5s' % (u[:2], 'T') }}", "[<|]|    T"},
        {"{{ '{}-{:>4}'.format(u[:2], u[:1]) }}", "[<|]-   [<]"},
        {"{{ u[:2] % () }}", "[<|]"},
        {"{{ (u ~ 'T').split(' ') }}", "['[<|x|>]', '[\"q\"]', '[Ab]T']"},
        {"{{ u.split('|')[1] ~ 'T' }}", "[x]T"},
        {"{{ u[:1] * 3 ~ 'T' }}", "[<<<]T"},
        {"{{ 'T' if u else 'F' }}{{ u == 'x' }}{{ '<|x|>' in u }}{{ u|length }}", "TFalseTrue12"},
        {"{{ n }}{{ n + 1 }}{{ n|string }}", "121312"},
        {"{{ pad_token.u }}", "[no]"},
        {"{% set x %}a{{ u[:2] }}b{% endset %}{{ x }}", "a[<|]b"},
        {"{% macro m(y) %}a{{ y }}b{% endmacro %}{{ m(u[:2])|upper }}", "A[<|]B"},
        {"{% filter replace('a', 'T') %}a{{ u[:2] }}b{% endfilter %}", "T[<|]b"},
        {"{% set ns = namespace(t='') %}{% for x in list %}{% set ns.t = ns.t + x + ',' %}"
         "{% endfor %}{{ ns.t }}",
         "[p],[q],"},
        {"{{ ('a\\n' + u[:2])|indent(2, true) }}", "  a\n  [<|]"},
        {"{{ ('<' + u[:1])|e }}", "&lt;[&lt;]"},
        {"{{ ('ß' + list[0])|upper }}", "SS[P]"},
        {"{{ (list[0] + 'x').center(5, '*') }}", "**[p]x*"},
        {"{{ ('a ' + u[:2])|urlencode }}", "a%20[%3C%7C]"},
        {"{{ strftime_now('x') }}{{ list[0]|string }}", "x[p]"},
        {"{{ (bos_token ~ u[:1])[6:8] }}", ">[<]"},
        {"{{ u[:5]|safe + '<' }}", "[<|x|>]&lt;"},
        {"{{ ('a b ' + u)|truncate(9, true, '!', 0) }}", "a b [<|x|]!"},
        {"{{ ('aa ' + u[:5])|wordwrap(4) }}", "aa [<]\n[|x|>]"},
        {"{% set a = 'x' * 600 %}{% set b = a + u[:1] %}{% set c = a + 'T' %}{% set d = b + 'T' %}"
         "{{ b[-2:] }}{{ c[-2:] }}{{ d[-3:] }}",
         "x[<]xTx[<]T"}, // texts that share their beginning
        {"{{ ('%s' % u[:2]) ~ ('{}'.format(u[:2])) ~ '<%s>'|safe|format(u[:1]) }}",
         "[<|<|]<[&lt;]>"},
        {"{{ messages|map(attribute='content')|list }}", "['[hi]']"},
        {"{{ messages[0]|items|list }}", "[('[role]', '[user]'), ('[content]', '[hi]')]"},
        {"{{ list|sort(reverse=true)|first }}{{ list|batch(1)|list }}", "[q][['[p]'], ['[q]']]"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *shown = show(cases[i][0]);
        if (strcmp(shown, cases[i][1]) != 0)
            fail_msg("%s\n  wanted %s\n  got    %s", cases[i][0], cases[i][1], shown);
        free(shown);
    }
}

static void generation_bytes(void **state) {
    static const char *const cases[][2] = {
        {"a{% generation %}b{% endgeneration %}c", "a{b}c"},
        {"{% generation %}{{ bos_token }}{% endgeneration %}", "{<|bos|>}"},
        {"a{% generation %}x{{ list[0] }}y{% endgeneration %}z", "a{x[p]y}z"},
        {"{% for x in 'ab' %}{{ x }}{% generation %}g{% endgeneration %}{% endfor %}", "a{g}b{g}"},
        {"{% set q %}a{% generation %}b{% endgeneration %}{% endset %}-{{ q }}", "-a{b}"},
        {"{% generation %}{% set q %}in{% endset %}{% endgeneration %}{{ q }}out", "out"},
        {"{% generation %}{% set q = 1 %}{{ q }}{% endgeneration %}{{ q }}", "{1}"},
        {"{% macro m() %}m{% endmacro %}{% generation %}{{ m() }}{% endgeneration %}{{ m() }}",
         "{m}m"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *shown = show(cases[i][0]);
        assert_string_equal(shown, cases[i][1]);
        free(shown);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(user_bytes),
        cmocka_unit_test(generation_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
