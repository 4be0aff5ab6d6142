/* What must end in an error: endless work, deep nesting, large values, lack of memory; and messages
 * that say where and what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

#include "text/chat_template.h"

/* Status of parsing and rendering with no variables; the message into `err`. */
static enum jl_status run(const char *source, const struct chat_render_options *options,
                          struct jl_error *err) {
    struct chat_template *tmpl;
    struct chat_rendered result;
    json_t *input = json_object();
    enum jl_status status = chat_template_parse(source, strlen(source), &tmpl, err);
    if (status == JL_OK) {
        status = chat_template_render(tmpl, input, options, &result, err);
        chat_rendered_free(&result);
        chat_template_free(tmpl);
    }
    json_decref(input);
    return status;
}

static void work_is_bounded(void **state) {
    static const char *const cases[] = {
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
        "{% set ns = namespace(x='x') %}{% for i in range(99) %}{% set ns.x = ns.x * 9 %}{% endfor "
        "%}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}"
        "{% endfor %}",
        "{{ 'x' * 9999999999 }}",
        "{{ 'abc'.center(9999999999) }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ 'x'|indent(9999999999) }}",
        "{{ [1]|batch(99999999999, 1)|list }}",
        "{{ [1]|slice(99999999999)|list }}",
        "{{ 'a'.zfill(99999999999) }}",
        "{{ '\\t'.expandtabs(99999999999) }}",
        "{{ [1]|tojson(indent=99999999) }}",
        "{% set x = ' ' * 9999 %}{% for i in range(99999) %}{% set y = x|trim %}{% endfor %}",
        "{% set x = 'a' * 9999 %}{% for i in range(99999) %}{% set y = x|trim(x ~ 'b') %}{% endfor "
        "%}",
        "{% set x = ' ' * 9999 %}{% for i in range(99999) %}{% set y = x.rstrip() %}{% endfor %}",
        "{% set x = 'a' * 9999 %}{% for i in range(99999) %}{% set y = {x: 1} %}{% endfor %}",
        "{% for x in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
        "{% block a %}{{ self.a() }}{% endblock %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor "
        "%}"
        "{{ ns.x }}",
        "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor "
        "%}"
        "{{ ns.x == ns.x[0] }}",
        "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor "
        "%}"
        "{{ ns.x|tojson }}",
    };
    struct chat_render_options options = {
        .max_steps = 300000, .max_output = 100000, .max_memory = 4 << 20};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct jl_error err = {0};
        enum jl_status status = run(cases[i], &options, &err);
        if (status != JL_ERR_LIMIT)
            fail_msg("%s: %s, %s", cases[i], jl_status_name(status), err.message);
        assert_non_null(strstr(err.message, "line 1"));
    }
}

/* Each line of a long word must not look at all the rest of it: this takes seconds then. */
static void long_words_wrap_in_time(void **state) {
    (void)state;
    clock_t start = clock();
    assert_int_equal(run("{{ ('a' * 999999)|wordwrap(1)|length }}", NULL, NULL), JL_OK);
    assert_int_equal(run("{{ ('\u00e9' * 999999)|wordwrap(3, false)|length }}", NULL, NULL), JL_OK);
    assert_true((clock() - start) / CLOCKS_PER_SEC < 20);
}

/* Repeats `open`, then `middle`, then `close`, n times each. */
static char *nest(const char *open, const char *middle, const char *close, int n) {
    char *text = malloc((size_t)n * (strlen(open) + strlen(close)) + strlen(middle) + 1);
    assert_non_null(text);
    char *at = text;
    for (int i = 0; i < n; i++)
        at = stpcpy(at, open);
    at = stpcpy(at, middle);
    for (int i = 0; i < n; i++)
        at = stpcpy(at, close);
    return text;
}

static void nesting_is_bounded(void **state) {
    static const char *const parts[][3] = {
        {"{% if 1 %}", "x", "{% endif %}"},
        {"{% for i in [1] %}", "x", "{% endfor %}"},
        {"{{ (", "1", ") }}"},
        {"(", "1", ")"},
        {"[", "1", "]"},
        {"{1:", "1", "}"},
        {"-", "1", ""},
        {"not ", "1", ""},
        {"1 + ", "1", ""},
        {"1 ~ ", "1", ""},
        {"1 < ", "1", ""},
        {"a[", "1", "]"},
        {"f(", "1", ")"},
        {"", "1", ".a"},
        {"", "1", "|e"},
        {"", "1", "()"},
        {"1 if 1 else ", "1", ""},
        {"", "1", " if 1"},
        {"1 and ", "1", ""},
        {"2 ** ", "1", ""},
        {"{% macro m() %}", "x", "{% endmacro %}"},
        {"{% set a %}", "x", "{% endset %}"},
        {"{% with %}", "x", "{% endwith %}"},
        {"{% call f() %}", "x", "{% endcall %}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        bool tag = parts[i][0][0] == '{' && parts[i][0][1] == '%';
        char *inside = nest(parts[i][0], parts[i][1], parts[i][2], 100000), *text = inside;
        struct jl_error err = {0};
        if (!tag && asprintf(&text, "{{ %s }}", inside) < 0) fail();
        enum jl_status status = run(text, NULL, &err);
        assert_true(status != JL_OK || parts[i][0][2] == '~');
        if (text != inside) free(text);
        free(inside);
    }
    char *fine = nest("{% if 1 %}", "{{ ((((((1)))))) }}", "{% endif %}", 50);
    assert_int_equal(run(fine, NULL, NULL), JL_OK);
    free(fine);
}

static void messages(void **state) {
    static const char *const cases[][3] = {
        {"\n\n{{ raise_exception('roles must alternate') }}", "line 3", "roles must alternate"},
        {"{{ a.b }}", "line 1", "'a' is undefined"},
        {"a\n{% if %}", "line 2", "expected an expression"},
        {"{{ 1 + 'a' }}", "line 1", "int and a str"},
        {"{% for x in y", "line 1", "%}"},
        {"{{ x|nofilter }}", "line 1", "no filter 'nofilter'"},
        {"{{ 'abc }}", "line 1", "not closed"},
        {"{% include 'x' %}", "line 1", "another template"},
        {"{% frob %}", "line 1", "unknown tag 'frob'"},
        {"{{ 99999999999999999999 }}", "line 1", "64 bits"},
        {"{{ [].append(1) }}", "line 1", "may not change a list"},
        {"{{ {}.update({}) }}", "line 1", "may not change a dict"},
        {"{{ {'a': 1}.a.b.c }}", "line 1", "has no 'b'"},
        {"{% macro m(a) %}{% endmacro %}\n{{ m(1, 2) }}", "line 2", "not more than 1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct jl_error err = {0};
        assert_int_not_equal(run(cases[i][0], NULL, &err), JL_OK);
        if (!strstr(err.message, cases[i][1]) || !strstr(err.message, cases[i][2]))
            fail_msg("%s: %s", cases[i][0], err.message);
    }
}

static void bad_input(void **state) {
    struct chat_template *tmpl;
    struct chat_rendered result;
    struct jl_error err;
    json_t *list = json_array();
    (void)state;
    assert_int_equal(chat_template_parse("\xff", 1, &tmpl, &err), JL_ERR_FORMAT);
    assert_null(tmpl);
    assert_int_equal(chat_template_parse("", 0, &tmpl, NULL), JL_OK);
    assert_int_equal(chat_template_render(tmpl, list, NULL, &result, &err), JL_ERR_USAGE);
    assert_int_equal(chat_template_render(tmpl, NULL, NULL, &result, NULL), JL_ERR_USAGE);
    chat_template_free(tmpl);
    chat_template_free(NULL);
    assert_int_equal(chat_template_parse("{{ a }}{% set b = c %}", 22, &tmpl, &err), JL_OK);
    assert_true(chat_template_uses(tmpl, "a") && chat_template_uses(tmpl, "c"));
    assert_false(chat_template_uses(tmpl, "d"));
    chat_template_free(tmpl);
    json_decref(list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_is_bounded),    cmocka_unit_test(long_words_wrap_in_time),
        cmocka_unit_test(nesting_is_bounded), cmocka_unit_test(messages),
        cmocka_unit_test(bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
