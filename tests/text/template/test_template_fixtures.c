/* Every construct, and whole templates over made-up conversations, against what Jinja2 printed
 * (fixtures.jsonl, written by make_fixtures.py); then the published templates of the shared folder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "text/chat_template.h"

#define HERE "tests/text/template/"
#define SHARED "../shared/templates/"

static void complain(const char *where, int line, const char *wanted, const char *got) {
    fprintf(stderr, "%s:%d\n  wanted %.600s\n  got    %.600s\n", where, line, wanted, got);
}

/* Whether a row comes out as it should. */
static bool check(const char *where, int line, const char *source, size_t len,
                  const json_t *variables, const json_t *row, int64_t now) {
    const json_t *wanted = json_object_get(row, "output");
    const char *error = json_string_value(json_object_get(row, "error"));
    struct chat_render_options options = {.now = now, .has_now = true};
    struct chat_template *tmpl = NULL;
    struct chat_rendered result = {0};
    struct jl_error err = {0};
    enum jl_status status = chat_template_parse(source, len, &tmpl, &err);
    if (status == JL_OK) status = chat_template_render(tmpl, variables, &options, &result, &err);
    bool ok = error ? status != JL_OK
                    : status == JL_OK && result.len == json_string_length(wanted) &&
                          !memcmp(result.text, json_string_value(wanted), result.len);
    if (!ok)
        complain(where, line, error ? error : json_string_value(wanted),
                 status == JL_OK ? result.text : err.message);
    chat_rendered_free(&result);
    chat_template_free(tmpl);
    return ok;
}

/* Calls `each` for every line of a file of JSON lines. */
static int each_line(const char *path, bool (*each)(void *ctx, int line, const json_t *row),
                     void *ctx) {
    char *text;
    struct jl_error err;
    int n = 0, bad = 0;
    assert_int_equal(file_read(path, (size_t)64 << 20, &text, NULL, &err), JL_OK);
    for (char *at = text, *end; *at; at = end + 1) {
        json_error_t error;
        end = strchr(at, '\n');
        assert_non_null(end);
        json_t *row = json_loadb(at, (size_t)(end - at), JSON_ALLOW_NUL, &error);
        if (!row) fail_msg("%s:%d: %s", path, n + 1, error.text);
        bad += !each(ctx, ++n, row);
        json_decref(row);
    }
    free(text);
    assert_int_equal(bad, 0);
    return n;
}

struct fixtures {
    json_t *variables; // of the rows without any
    int64_t now;
    int errors;
};

static bool fixture(void *ctx, int line, const json_t *row) {
    struct fixtures *f = ctx;
    if (line == 1) {
        f->variables = json_incref(json_object_get(row, "variables"));
        f->now = json_integer_value(json_object_get(row, "now"));
        return true;
    }
    const json_t *input = json_object_get(row, "input"), *source = json_object_get(row, "template");
    const char *file = json_string_value(json_object_get(row, "file"));
    f->errors += json_object_get(row, "error") != NULL;
    if (!file)
        return check("fixtures.jsonl", line, json_string_value(source), json_string_length(source),
                     json_is_null(input) ? f->variables : input, row, f->now);
    char path[300], *text;
    size_t len;
    struct jl_error err;
    snprintf(path, sizeof path, HERE "templates/%s", file);
    assert_int_equal(file_read(path, (size_t)1 << 20, &text, &len, &err), JL_OK);
    bool ok = check("fixtures.jsonl", line, text, len, input, row, f->now);
    free(text);
    return ok;
}

static void fixtures(void **state) {
    struct fixtures f = {0};
    (void)state;
    int n = each_line(HERE "fixtures.jsonl", fixture, &f);
    json_decref(f.variables);
    assert_true(n > 1000);
    assert_true(f.errors > 100 && f.errors < n / 2);
}

static bool shared_case(void *ctx, int line, const json_t *row) {
    char path[300], *text;
    size_t len;
    struct jl_error err;
    const char *name = json_string_value(json_object_get(row, "template"));
    (void)ctx;
    snprintf(path, sizeof path, SHARED "%s%s", name, strstr(name, ".jinja") ? "" : ".jinja");
    assert_int_equal(file_read(path, (size_t)1 << 20, &text, &len, &err), JL_OK);
    bool ok = check("cases.jsonl", line, text, len, json_object_get(row, "input"), row, 1721952000);
    free(text);
    return ok;
}

static void shared_templates(void **state) {
    (void)state;
    if (!file_exists(SHARED "cases.jsonl")) {
        printf("SKIPPED: " SHARED "cases.jsonl is not here\n");
        skip();
    }
    assert_true(each_line(SHARED "cases.jsonl", shared_case, NULL) >= 90);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixtures),
        cmocka_unit_test(shared_templates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
