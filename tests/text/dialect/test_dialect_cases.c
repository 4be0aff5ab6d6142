/* The committed cases, each cut at every byte, byte by byte and at random: the events are always
 * those of the file. cases/NAME.json is a list of
 *   {"case", "dialect", "text", "events", and perhaps "tools", "prompt", "options": [...]}
 * where `whole` gives the events of a stream that holds calls until they are complete, if other. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

#define CASES "tests/text/dialect/cases"
#define MAX_TOOLS 8

static uint64_t seed;

static bool has_option(const json_t *item, const char *name) {
    size_t i;
    json_t *option;
    json_array_foreach(json_object_get(item, "options"), i, option) {
        if (strcmp(json_string_value(option), name) == 0) return true;
    }
    return false;
}

static void compare(const json_t *item, const char *how, json_t *got, const json_t *wanted) {
    if (!json_equal(got, wanted)) {
        char *g = json_dumps(got, JSON_ENSURE_ASCII), *w = json_dumps(wanted, JSON_ENSURE_ASCII);
        fail_msg("case '%s', %s\ngot    %s\nwanted %s",
                 json_string_value(json_object_get(item, "case")), how, g, w);
    }
    json_decref(got);
}

static void run_all_cuts(const json_t *item, const struct dialect *dialect,
                         const struct dialect_options *options, const json_t *wanted) {
    const char *text = json_string_value(json_object_get(item, "text"));
    size_t len = json_string_length(json_object_get(item, "text"));
    compare(item, "in one piece", run_stream(dialect, options, text, len, cut_whole, NULL), wanted);
    compare(item, "byte by byte", run_stream(dialect, options, text, len, cut_bytes, NULL), wanted);
    for (size_t place = 1; place < len; place++) {
        char how[64];
        snprintf(how, sizeof how, "cut at %zu", place);
        compare(item, how, run_stream(dialect, options, text, len, cut_once, &place), wanted);
    }
    for (unsigned i = 0; i < 50; i++) {
        struct cut_random random = {seed + i, 1 + i};
        compare(item, "cut at random", run_stream(dialect, options, text, len, cut_random, &random),
                wanted);
    }
}

/* The text ends early, at every character, as when a request's token limit is reached. */
static void run_prefixes(const json_t *item, const struct dialect *dialect,
                         const struct dialect_options *options) {
    const char *text = json_string_value(json_object_get(item, "text"));
    size_t len = json_string_length(json_object_get(item, "text"));
    for (size_t n = 0; n < len; n++) {
        if (((unsigned char)text[n] & 0xC0) == 0x80) continue; // inside a character
        char how[64];
        snprintf(how, sizeof how, "ended at %zu", n);
        json_t *wanted = run_stream(dialect, options, text, n, cut_whole, NULL);
        compare(item, how, run_stream(dialect, options, text, n, cut_bytes, NULL), wanted);
        json_decref(wanted);
    }
}

static void run_case(const json_t *item) {
    const struct dialect *dialect =
        dialect_by_name(json_string_value(json_object_get(item, "dialect")));
    assert_non_null(dialect);
    struct dialect_options options = dialect_options_default();
    struct dialect_tool tools[MAX_TOOLS];
    char *schemas[MAX_TOOLS];
    const char *name;
    json_t *schema;
    json_object_foreach(json_object_get(item, "tools"), name, schema) {
        assert_true(options.n_tool < MAX_TOOLS);
        schemas[options.n_tool] = json_is_null(schema) ? NULL : json_dumps(schema, 0);
        tools[options.n_tool] = (struct dialect_tool){name, schemas[options.n_tool]};
        options.n_tool++;
    }
    options.tools = tools;
    const json_t *prompt = json_object_get(item, "prompt");
    if (prompt)
        options.start =
            dialect_prompt_end(dialect, json_string_value(prompt), json_string_length(prompt));
    options.hide_thinking = has_option(item, "hide_thinking");
    options.ignore_calls = has_option(item, "ignore_calls");
    const json_t *events = json_object_get(item, "events");
    const json_t *whole = json_object_get(item, "whole");
    assert_non_null(events);
    run_all_cuts(item, dialect, &options, events);
    run_prefixes(item, dialect, &options);
    options.whole_calls = true;
    run_prefixes(item, dialect, &options);
    run_all_cuts(item, dialect, &options, whole ? whole : events);
    for (size_t i = 0; i < options.n_tool; i++)
        free(schemas[i]);
}

static void run_file(const char *file) {
    char path[512];
    json_error_t where;
    snprintf(path, sizeof path, CASES "/%s", file);
    json_t *items = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    if (!items) fail_msg("%s:%d: %s", path, where.line, where.text);
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item) run_case(item);
    assert_true(json_array_size(items) > 0);
    printf("%s: %zu cases\n", file, json_array_size(items));
    json_decref(items);
}

static void test_cases(void **state) {
    (void)state;
    DIR *dir = opendir(CASES);
    assert_non_null(dir);
    int n = 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot || strcmp(dot, ".json") != 0) continue;
        run_file(entry->d_name);
        n++;
    }
    closedir(dir);
    assert_true(n >= 10);
}

int main(void) {
    seed = random_seed();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
