/* A build without libmicrohttpd says what to install. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "serve/http/server.h"

static void says_what_to_install(void **state) {
    struct jl_error err = {0};
    struct http_server *server = (struct http_server *)&err;
    (void)state;
    assert_int_equal(http_server_start(&(struct http_server_options){0}, &server, &err),
                     JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "libmicrohttpd-dev"));
    assert_null(server);
    http_server_stop(server, 0);
    http_server_free(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(says_what_to_install)};
    return cmocka_run_group_tests_name("serve/absent", tests, NULL, NULL);
}
