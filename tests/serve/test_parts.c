/* The small parts: the bucket of a rate, a line of the log, the bytes that wait, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "serve/http/log.h"
#include "serve/http/problem.h"
#include "serve/http/rate.h"
#include "serve/http/self.h"

#define SECOND INT64_C(1000000000)

static void a_minute_has_its_requests(void **state) {
    int64_t tat = 0, now = 1000 * SECOND;
    (void)state;
    for (int i = 0; i < 6; i++)
        assert_int_equal(http_rate_take(&tat, 6, now), 0);
    assert_int_equal(http_rate_take(&tat, 6, now), 10 * SECOND);
    assert_int_equal(http_rate_take(&tat, 6, now + 9 * SECOND), SECOND);
    assert_int_equal(http_rate_take(&tat, 6, now + 10 * SECOND), 0);
    assert_int_equal(http_rate_take(&tat, 6, now + 10 * SECOND), 10 * SECOND);
    now += 1000 * SECOND; // a long rest fills it to a minute's worth, no more
    for (int i = 0; i < 6; i++)
        assert_int_equal(http_rate_take(&tat, 6, now), 0);
    assert_true(http_rate_take(&tat, 6, now) > 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(http_rate_take(&tat, 0, now), 0);
    tat = 0;
    assert_int_equal(http_rate_take(&tat, 1, now), 0);
    assert_int_equal(http_rate_take(&tat, 1, now), 60 * SECOND);
    tat = 0;
    assert_int_equal(http_rate_take(&tat, 1000000000, now), 0);
    assert_int_equal(http_rate_take(&tat, 1000000000, now), 0);
}

static void a_line_is_json(void **state) {
    char out[HTTP_LOG_BYTES], longest[4096];
    (void)state;
    memset(longest, 1, sizeof longest);
    longest[sizeof longest - 1] = 0;
    struct http_log_line line = {.time_ms = 1700000000123,
                                 .id = "req_1",
                                 .method = "GET",
                                 .path = "/a\"b\\c\n\x7F\xE9",
                                 .status = 200,
                                 .end = "done",
                                 .bytes_in = 1,
                                 .bytes_out = UINT64_MAX,
                                 .duration_us = 1500};
    size_t n = http_log_format(&line, out);
    assert_int_equal(n, strlen(out));
    assert_null(strchr(out, '\n'));
    assert_non_null(
        strstr(out, "{\"time\":\"2023-11-14T22:13:20.123Z\",\"id\":\"req_1\",\"method\""));
    assert_non_null(strstr(out, "\"path\":\"/a\\\"b\\\\c\\u000a\\u007f\\u00e9\""));
    assert_non_null(strstr(out, "\"ms\":1.500}"));
    assert_null(strstr(out, "\"key\""));
    line.id = line.key = line.client = line.method = line.path = line.end = longest;
    line.bytes_in = UINT64_MAX;
    line.duration_us = INT64_MAX;
    n = http_log_format(&line, out);
    assert_true(n < sizeof out && n > 6 * 512 * 6);
    line.bytes_in = line.bytes_out = 0;
    n = http_log_format(&line, out);
    json_t *json = json_loadb(out, n, 0, NULL);
    assert_non_null(json);
    json_decref(json);
}

static void bytes_wait_in_order(void **state) {
    struct http_buffer buffer = {0};
    unsigned char in = 0, out = 0, block[700];
    (void)state;
    for (int round = 0; round < 500; round++) {
        size_t n = (size_t)(round * 37 % 701);
        for (size_t i = 0; i < n; i++)
            block[i] = in++;
        assert_true(http_buffer_add(&buffer, (const char *)block, n));
        n = http_buffer_take(&buffer, (char *)block, (size_t)(round * 53 % 700));
        for (size_t i = 0; i < n; i++)
            assert_int_equal(block[i], out++);
    }
    while (buffer.len) {
        size_t n = http_buffer_take(&buffer, (char *)block, sizeof block);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(block[i], out++);
    }
    assert_int_equal(in, out);
    assert_true(buffer.room <= 512); // an idle stream keeps little
    http_buffer_free(&buffer);
}

static char *shape_long(const struct http_problem *problem) {
    return strdup(problem->status == 400 ? "long" : "?");
}
static char *shape_short(const struct http_problem *problem) { return strdup(problem->kind); }

static void errors_have_the_shape_of_their_path(void **state) {
    static const struct http_shape shapes[] = {{"/v1/messages", shape_long}, {"/v1", shape_short}};
    struct http_problem problem = {
        .status = 400, .kind = "k", .message = "a \"b\"", .path = "/v1/x"};
    (void)state;
    char *text = http_problem_body(shapes, 2, &problem);
    assert_string_equal(text, "k");
    free(text);
    problem.path = "/v1/messages/count";
    text = http_problem_body(shapes, 2, &problem);
    assert_string_equal(text, "long");
    free(text);
    problem.path = "/api";
    text = http_problem_body(shapes, 2, &problem);
    assert_string_equal(text,
                        "{\"error\":{\"message\":\"a \\\"b\\\"\",\"type\":\"k\",\"code\":400}}");
    free(text);
}

static void addresses_are_judged(void **state) {
    static const struct {
        const char *address;
        int local; // -1: no address
    } cases[] = {{"127.0.0.1", 1}, {"127.8.0.1", 1},   {"::1", 1},
                 {"localhost", 1}, {"unix:x", 1},      {"0.0.0.0", 0},
                 {"::", 0},        {"192.168.1.2", 0}, {"fd00::1", 0},
                 {"box.lan", -1},  {"", -1},           {"127.0.0.1:80", -1},
                 {"[::1]", -1},    {"*", -1},          {"::ffff:127.0.0.1", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool local;
        enum jl_status status = http_listen_is_local(cases[i].address, &local, NULL);
        if ((status == JL_OK) != (cases[i].local >= 0) ||
            (status == JL_OK && local != (cases[i].local == 1)))
            fail_msg("%s", cases[i].address);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_minute_has_its_requests),
                                       cmocka_unit_test(a_line_is_json),
                                       cmocka_unit_test(bytes_wait_in_order),
                                       cmocka_unit_test(errors_have_the_shape_of_their_path),
                                       cmocka_unit_test(addresses_are_judged)};
    return cmocka_run_group_tests_name("serve/parts", tests, NULL, NULL);
}
