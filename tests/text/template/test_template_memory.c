/* Every allocation of parsing and rendering fails once: each must end in JL_ERR_MEMORY, without a
 * crash and without a leak. The linker routes malloc, calloc, realloc and aligned_alloc of the code
 * through the counters below (-Wl,--wrap). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "text/chat_template.h"
#include "text/json_print.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static long countdown = -1; // the allocation that fails, counted from 0; negative: none
static long failures;

static bool fails(void) {
    if (countdown < 0 || countdown-- > 0) return false;
    failures++;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *old, size_t size) { return fails() ? NULL : __real_realloc(old, size); }
void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

static const char source[] =
    "{% macro m(a, b=2) %}{{ a }}{{ caller() if caller }}{% endmacro %}"
    "{% set ns = namespace(t='x' * 5000) %}"
    "{% for x in range(40) if x is even %}{% set ns.t = ns.t + u ~ x %}{{ loop.length }}{% endfor "
    "%}"
    "{{ ns.t[::-1]|upper|tojson(indent=2) }}{{ m(d) }}{% call m(1) %}{{ u * 4000 }}{% endcall %}"
    "{{ '%s'|format(u) }}{{ '{:>9}'.format(u) }}{{ d|dictsort|list }}{{ ns.t.split('x')|sort }}"
    "{% generation %}{{ u }}{% endgeneration %}{{ [1, 2]|map('string')|join(',') }}";

static enum jl_status render(const json_t *input) {
    struct chat_template *tmpl;
    struct chat_rendered result;
    enum jl_status status = chat_template_parse(source, sizeof source - 1, &tmpl, NULL);
    if (status != JL_OK) return status;
    status = chat_template_render(tmpl, input, NULL, &result, NULL);
    chat_rendered_free(&result);
    chat_template_free(tmpl);
    return status;
}

static enum jl_status print(const json_t *input) {
    const struct json_print_options options = {.sort_keys = true, .indent = 8};
    struct byte_buffer out = {0};
    enum jl_status status = json_print_value(input, &options, &out, NULL);
    buffer_free(&out);
    return status;
}

/* Runs `action` with its n-th allocation failing, for n = 0, 1, ... until it needs no more. */
static void fail_each(enum jl_status (*action)(const json_t *), long at_least) {
    json_t *input = json_pack("{s:s, s:{s:s, s:[i,f]}}", "u", "a<b", "d", "k", "v", "l", 1, 2.5);
    assert_non_null(input);
    for (long n = 0;; n++) {
        failures = 0;
        countdown = n;
        enum jl_status status = action(input);
        countdown = -1;
        if (!failures) {
            assert_int_equal(status, JL_OK);
            assert_true(n >= at_least);
            break;
        }
        assert_int_equal(status, JL_ERR_MEMORY);
    }
    json_decref(input);
}

static void rendering(void **state) {
    (void)state;
    fail_each(render, 8);
}

static void printing(void **state) {
    (void)state;
    fail_each(print, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rendering),
        cmocka_unit_test(printing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
