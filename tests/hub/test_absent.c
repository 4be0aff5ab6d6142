/* A build without libcurl: everything there is to call says what to install. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hub/http.h"

static void says_what_to_install(void **state) {
    struct jl_error err = {0};
    struct hub_http *http = (struct hub_http *)&err;
    struct hub_response response = {.code = 200, .again = true};
    (void)state;
    assert_int_equal(hub_http_start(&err), JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "libcurl4-openssl-dev"));
    assert_int_equal(hub_http_create(&(struct hub_http_options){0}, &http, &err),
                     JL_ERR_UNSUPPORTED);
    assert_null(http);
    assert_int_equal(hub_http_get(http, &(struct hub_request){0}, &response, &err),
                     JL_ERR_UNSUPPORTED);
    assert_false(response.again);
    hub_http_free(http);
    hub_http_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(says_what_to_install)};
    return cmocka_run_group_tests_name("hub/absent", tests, NULL, NULL);
}
