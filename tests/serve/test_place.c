/* Host and Origin: what is well formed, what is ours, what may ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "serve/http/place.h"

static void hosts_are_taken_apart(void **state) {
    static const struct {
        const char *text, *host; // NULL: not well formed
        int port;
        bool literal, loopback;
    } cases[] = {
        {"localhost", "localhost", -1, false, true},
        {"LocalHost:8080", "localhost", 8080, false, true},
        {"localhost.", "localhost", -1, false, true},
        {"a.localhost", "a.localhost", -1, false, true},
        {"localhost.evil.com", "localhost.evil.com", -1, false, false},
        {"xlocalhost", "xlocalhost", -1, false, false},
        {"127.0.0.1:80", "127.0.0.1", 80, true, true},
        {"127.9.9.9", "127.9.9.9", -1, true, true},
        {"127.0.0.1.evil.com", "127.0.0.1.evil.com", -1, false, false},
        {"127.1", "127.1", -1, false, false},
        {"2130706433", "2130706433", -1, false, false},
        {"0x7f.1", "0x7f.1", -1, false, false},
        {"[::1]", "::1", -1, true, true},
        {"[0:0:0:0:0:0:0:1]:81", "::1", 81, true, true},
        {"[::ffff:127.0.0.1]", "::ffff:127.0.0.1", -1, true, true},
        {"[fe80::1]:65535", "fe80::1", 65535, true, false},
        {"10.0.0.1", "10.0.0.1", -1, true, false},
        {"a_b-c.d", "a_b-c.d", -1, false, false},
        {"", NULL, 0, false, false},
        {":80", NULL, 0, false, false},
        {"a:", NULL, 0, false, false},
        {"a:65536", NULL, 0, false, false},
        {"a:8x", NULL, 0, false, false},
        {"a:-1", NULL, 0, false, false},
        {"a:000080", NULL, 0, false, false},
        {"a b", NULL, 0, false, false},
        {"a/b", NULL, 0, false, false},
        {"a@b", NULL, 0, false, false},
        {"a,b", NULL, 0, false, false},
        {".", NULL, 0, false, false},
        {".a", NULL, 0, false, false},
        {"a..b", NULL, 0, false, false},
        {"[", NULL, 0, false, false},
        {"[]", NULL, 0, false, false},
        {"[::1", NULL, 0, false, false},
        {"[::1]x", NULL, 0, false, false},
        {"[::1]:", NULL, 0, false, false},
        {"[127.0.0.1]", NULL, 0, false, false},
        {"[fe80::1%25eth0]", NULL, 0, false, false},
        {"::1", NULL, 0, false, false},
        {"h\xC3\xA9", NULL, 0, false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_place place;
        bool good = http_place_parse(cases[i].text, strlen(cases[i].text), &place);
        if (good != (cases[i].host != NULL)) fail_msg("%s", cases[i].text);
        if (!good) continue;
        assert_string_equal(place.host, cases[i].host);
        assert_int_equal(place.port, cases[i].port);
        assert_int_equal(place.literal, cases[i].literal);
        if (http_place_loopback(&place) != cases[i].loopback) fail_msg("%s", cases[i].text);
    }
    char longest[300];
    struct http_place place;
    memset(longest, 'a', sizeof longest);
    assert_true(http_place_parse(longest, 255, &place));
    assert_false(http_place_parse(longest, 256, &place));
    assert_false(http_place_parse("a\0b", 3, &place));
}

static void hosts_are_allowed(void **state) {
    static const char *const names[] = {"box.lan", "*.example.com"};
    static const char *const all[] = {"*"};
    static const struct {
        const char *listen, *host;
        bool with_names, allowed;
    } cases[] = {
        {"127.0.0.1", "localhost", false, true},
        {"127.0.0.1", "127.0.0.1", false, true},
        {"127.0.0.1", "[::1]", false, true},
        {"127.0.0.1", "evil.com", false, false},
        {"127.0.0.1", "10.0.0.5", false, false},
        {"10.0.0.5", "10.0.0.5:8080", false, true},
        {"10.0.0.5", "10.0.0.6", false, false},
        {"0.0.0.0", "10.0.0.6", false, true},
        {"::", "10.0.0.6", false, true},
        {"::", "[fd00::1]", false, true},
        {"0.0.0.0", "evil.com", false, false},
        {"0.0.0.0", "box.lan", false, false},
        {NULL, "localhost", false, true},
        {NULL, "evil.com", false, false},
        {"127.0.0.1", "BOX.lan:1", true, true},
        {"127.0.0.1", "x.box.lan", true, false},
        {"127.0.0.1", "a.example.com", true, true},
        {"127.0.0.1", "a.b.example.com", true, true},
        {"127.0.0.1", "example.com", true, false},
        {"127.0.0.1", "aexample.com", true, false},
    };
    struct http_place place;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_places places = {
            .listen = cases[i].listen, .hosts = names, .n_hosts = cases[i].with_names ? 2 : 0};
        assert_true(http_place_parse(cases[i].host, strlen(cases[i].host), &place));
        if (http_place_host_allowed(&places, &place) != cases[i].allowed)
            fail_msg("%s on %s", cases[i].host, cases[i].listen ? cases[i].listen : "unix");
    }
    assert_true(http_place_parse("evil.com", 8, &place));
    assert_true(http_place_host_allowed(
        &(struct http_places){.listen = "127.0.0.1", .hosts = all, .n_hosts = 1}, &place));
}

static void origins_are_judged(void **state) {
    static const char *const names[] = {"https://app.example", "http://dev.lan:5173"};
    static const char *const all[] = {"*"};
    static const char *const null[] = {"null"};
    static const struct {
        const char *origin, *host;
        enum http_origin plain, with_names;
    } cases[] = {
        {"http://localhost:8080", "localhost:8080", HTTP_ORIGIN_SAME, HTTP_ORIGIN_SAME},
        {"http://LOCALHOST:8080", "localhost:8080", HTTP_ORIGIN_SAME, HTTP_ORIGIN_SAME},
        {"http://localhost:8081", "localhost:8080", HTTP_ORIGIN_REFUSED, HTTP_ORIGIN_REFUSED},
        {"http://127.0.0.1:8080", "localhost:8080", HTTP_ORIGIN_REFUSED, HTTP_ORIGIN_REFUSED},
        {"http://localhost", "localhost", HTTP_ORIGIN_SAME, HTTP_ORIGIN_SAME},
        {"http://localhost", "localhost:80", HTTP_ORIGIN_SAME, HTTP_ORIGIN_SAME},
        {"https://box", "box", HTTP_ORIGIN_SAME, HTTP_ORIGIN_SAME},
        {"https://app.example", "localhost", HTTP_ORIGIN_REFUSED, HTTP_ORIGIN_ALLOWED},
        {"https://APP.example:443", "localhost", HTTP_ORIGIN_REFUSED, HTTP_ORIGIN_ALLOWED},
        {"http://app.example", "localhost", HTTP_ORIGIN_REFUSED, HTTP_ORIGIN_REFUSED},
        {"https://app.example:8443", "localhost", HTTP_ORIGIN_REFUSED, HTTP_ORIGIN_REFUSED},
        {"https://app.example.evil", "localhost", HTTP_ORIGIN_REFUSED, HTTP_ORIGIN_REFUSED},
        {"http://dev.lan:5173", "localhost", HTTP_ORIGIN_REFUSED, HTTP_ORIGIN_ALLOWED},
        {"http://dev.lan", "localhost", HTTP_ORIGIN_REFUSED, HTTP_ORIGIN_REFUSED},
        {"null", "localhost", HTTP_ORIGIN_REFUSED, HTTP_ORIGIN_REFUSED},
        {"", "localhost", HTTP_ORIGIN_REFUSED, HTTP_ORIGIN_REFUSED},
        {"https://app.example/", "localhost", HTTP_ORIGIN_REFUSED, HTTP_ORIGIN_REFUSED},
        {"file://", "localhost", HTTP_ORIGIN_REFUSED, HTTP_ORIGIN_REFUSED},
        {"http://localhost:8080 http://evil", "localhost:8080", HTTP_ORIGIN_REFUSED,
         HTTP_ORIGIN_REFUSED},
    };
    struct http_places none = {0}, some = {.origins = names, .n_origins = 2};
    struct http_place host;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(http_place_parse(cases[i].host, strlen(cases[i].host), &host));
        if (http_place_judge(&none, cases[i].origin, &host) != cases[i].plain ||
            http_place_judge(&some, cases[i].origin, &host) != cases[i].with_names)
            fail_msg("%s to %s", cases[i].origin, cases[i].host);
    }
    assert_int_equal(http_place_judge(&none, "http://a", NULL), HTTP_ORIGIN_REFUSED);
    some = (struct http_places){.origins = all, .n_origins = 1};
    assert_int_equal(http_place_judge(&some, "null", NULL), HTTP_ORIGIN_ALLOWED);
    some.origins = null;
    assert_int_equal(http_place_judge(&some, "null", NULL), HTTP_ORIGIN_ALLOWED);
    assert_int_equal(http_place_judge(&some, "http://null", NULL), HTTP_ORIGIN_REFUSED);
}

static void entries_are_checked(void **state) {
    (void)state;
    assert_true(http_place_host_entry("box.lan"));
    assert_true(http_place_host_entry("*.lan"));
    assert_true(http_place_host_entry("*"));
    assert_true(http_place_host_entry("[fd00::1]"));
    assert_false(http_place_host_entry("box.lan:80"));
    assert_false(http_place_host_entry("http://box"));
    assert_false(http_place_host_entry("*box"));
    assert_false(http_place_host_entry(""));
    assert_true(http_place_origin_entry("https://a:1"));
    assert_true(http_place_origin_entry("*"));
    assert_true(http_place_origin_entry("null"));
    assert_false(http_place_origin_entry("a"));
    assert_false(http_place_origin_entry("https://a/"));
    assert_false(http_place_origin_entry("https://*.a"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_taken_apart), cmocka_unit_test(hosts_are_allowed),
        cmocka_unit_test(origins_are_judged), cmocka_unit_test(entries_are_checked)};
    return cmocka_run_group_tests_name("serve/place", tests, NULL, NULL);
}
