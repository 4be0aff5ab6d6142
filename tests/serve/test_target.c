/* Paths and queries: taken apart, decoded, refused; and which route they find. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "serve/http/route.h"
#include "serve/http/target.h"

static struct arena arena = {.block_size = 4096};

static void targets_are_taken_apart(void **state) {
    static const struct {
        const char *raw, *parts, *pairs; // NULL: refused
    } cases[] = {
        {"/", "[]", ""},
        {"/a", "[a]", ""},
        {"/a/", "[a][]", ""},
        {"//a", "[][a]", ""},
        {"/a%2Fb/c", "[a/b][c]", ""},
        {"/a%2fb", "[a/b]", ""},
        {"/%E9%B2%A4", "[\xE9\xB2\xA4]", ""},
        {"/a+b?a+b=c+d", "[a+b]", "(a b=c d)"},
        {"/a%3Fb?x%3D=%26", "[a?b]", "(x==&)"},
        {"/a?", "[a]", ""},
        {"/a?b", "[a]", "(b=)"},
        {"/a?b=&c=1=2&&d", "[a]", "(b=)(c=1=2)(d=)"},
        {"/a?b=/c?d", "[a]", "(b=/c?d)"},
        {"/%41%7E~-._!$&'()*,;=:@", "[A~~-._!$&'()*,;=:@]", ""},
        {"", NULL, NULL},
        {"a", NULL, NULL},
        {"*", NULL, NULL},
        {"http://evil/a", NULL, NULL},
        {"/a#b", NULL, NULL},
        {"/.", NULL, NULL},
        {"/a/..", NULL, NULL},
        {"/a/%2e%2E/b", NULL, NULL},
        {"/%", NULL, NULL},
        {"/%4", NULL, NULL},
        {"/a%4", NULL, NULL},
        {"/%4/", NULL, NULL},
        {"/%G1", NULL, NULL},
        {"/%1G", NULL, NULL},
        {"/% 1", NULL, NULL},
        {"/%00", NULL, NULL},
        {"/a%00b", NULL, NULL},
        {"/%0a", NULL, NULL},
        {"/%7F", NULL, NULL},
        {"/%C0%AF", NULL, NULL},
        {"/%ED%A0%80", NULL, NULL},
        {"/%F4%90%80%80", NULL, NULL},
        {"/%E0%80%AF", NULL, NULL},
        {"/%F0%80%80%AF", NULL, NULL},
        {"/%E9%B2", NULL, NULL},
        {"/\xFF", NULL, NULL},
        {"/a?b=%00", NULL, NULL},
        {"/a?%FF", NULL, NULL},
        {"/a?b=%4", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_target target;
        struct jl_error err = {0};
        char parts[256] = "", pairs[256] = "";
        enum jl_status status = http_target_parse(cases[i].raw, &arena, &target, &err);
        if ((status == JL_OK) != (cases[i].parts != NULL))
            fail_msg("%s: %d %s", cases[i].raw, status, err.message);
        if (status != JL_OK) {
            assert_int_equal(status, JL_ERR_FORMAT);
            continue;
        }
        for (size_t k = 0; k < target.n_parts; k++)
            sprintf(parts + strlen(parts), "[%s]", target.parts[k]);
        for (size_t k = 0; k < target.n_pairs; k++)
            sprintf(pairs + strlen(pairs), "(%s=%s)", target.pairs[k].name, target.pairs[k].value);
        assert_string_equal(parts, cases[i].parts);
        assert_string_equal(pairs, cases[i].pairs);
        assert_int_equal(strlen(target.path), strcspn(cases[i].raw, "?"));
        arena_reset(&arena);
    }
}

static void many_parts_and_pairs_are_refused(void **state) {
    char path[256] = "", query[512] = "/?";
    struct http_target target;
    (void)state;
    for (int i = 0; i < HTTP_TARGET_PARTS; i++)
        strcat(path, "/a");
    assert_int_equal(http_target_parse(path, &arena, &target, NULL), JL_OK);
    assert_int_equal(http_target_parse(strcat(path, "/a"), &arena, &target, NULL), JL_ERR_LIMIT);
    for (int i = 0; i < HTTP_TARGET_PAIRS; i++)
        strcat(query, "a=b&");
    assert_int_equal(http_target_parse(query, &arena, &target, NULL), JL_OK);
    assert_int_equal(http_target_parse(strcat(query, "a"), &arena, &target, NULL), JL_ERR_LIMIT);
}

static void handle(void *ctx, struct http_request *request) { (void)ctx, (void)request; }

static const struct http_route routes[] = {
    {"GET", "/", handle, NULL, false},
    {"GET", "/v1/models", handle, NULL, false},
    {"GET", "/v1/models/mine", handle, NULL, false},
    {"GET", "/v1/models/{id...}", handle, NULL, false},
    {"DELETE", "/v1/models/{name}", handle, NULL, false},
    {"POST", "/v1/{kind}/x/{id}", handle, NULL, false},
};

static void routes_are_found(void **state) {
    static const struct {
        const char *method, *raw;
        int row; // -1: none
        const char *values, *allow;
    } cases[] = {
        {"GET", "/", 0, "", "GET, HEAD, OPTIONS"},
        {"HEAD", "/", 0, "", "GET, HEAD, OPTIONS"},
        {"POST", "/", -1, "", "GET, HEAD, OPTIONS"},
        {"GET", "/v1/models", 1, "", "GET, HEAD, OPTIONS"},
        {"GET", "/v1/models/", 1, "", "GET, HEAD, OPTIONS"},
        {"GET", "/v1/models/mine", 2, "", "GET, HEAD, DELETE, OPTIONS"},
        {"GET", "/v1/models/a%2Fb", 3, "id=a/b ", "GET, HEAD, DELETE, OPTIONS"},
        {"GET", "/v1/models/a/b%20c/", 3, "id=a/b c ", "GET, HEAD, OPTIONS"},
        {"DELETE", "/v1/models/a%2Fb", 4, "name=a/b ", "GET, HEAD, DELETE, OPTIONS"},
        {"DELETE", "/v1/models/a/b", -1, "", "GET, HEAD, OPTIONS"},
        {"POST", "/v1/k/x/7", 5, "kind=k id=7 ", "POST, OPTIONS"},
        {"POST", "/v1/k/x/", -1, "", ""},
        {"POST", "/v1//x/7", -1, "", ""},
        {"GET", "/V1/models", -1, "", ""},
        {"BREW", "/v1/models", -1, "", "GET, HEAD, OPTIONS"},
        {"get", "/v1/models", -1, "", "GET, HEAD, OPTIONS"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_target target;
        struct http_match match;
        char values[256] = "";
        assert_int_equal(http_target_parse(cases[i].raw, &arena, &target, NULL), JL_OK);
        assert_int_equal(http_route_find(routes, 6, cases[i].method, &target, &arena, &match, NULL),
                         JL_OK);
        int row = match.route ? (int)(match.route - routes) : -1;
        if (row != cases[i].row) fail_msg("%s %s: %d", cases[i].method, cases[i].raw, row);
        for (size_t k = 0; k < match.n_values; k++)
            sprintf(values + strlen(values), "%s=%s ", match.values[k].name, match.values[k].value);
        assert_string_equal(values, cases[i].values);
        assert_string_equal(match.allow, cases[i].allow);
    }
}

static void tables_that_cannot_work_are_refused(void **state) {
    static const struct http_route bad[] = {
        {"GET", "no", handle, NULL, false},
        {"GET", "/a", NULL, NULL, false},
        {"OPTIONS", "/a", handle, NULL, false},
        {"GET", "/{a...}/b", handle, NULL, false},
        {"GET", "/{a}/{b}/{c}/{d}/{e}", handle, NULL, false},
    };
    (void)state;
    assert_int_equal(http_route_check(routes, 6, NULL), JL_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(http_route_check(&bad[i], 1, NULL), JL_ERR_USAGE);
}

static int end(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(targets_are_taken_apart),
                                       cmocka_unit_test(many_parts_and_pairs_are_refused),
                                       cmocka_unit_test(routes_are_found),
                                       cmocka_unit_test(tables_that_cannot_work_are_refused)};
    return cmocka_run_group_tests_name("serve/target", tests, NULL, end);
}
