/* The table of environment variables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/env.h"

static void empty_is_unset(void **state) {
    (void)state;
    unsetenv("JINLIN_CPU");
    assert_null(env_get(ENV_CPU));
    setenv("JINLIN_CPU", "", 1);
    assert_null(env_get(ENV_CPU));
    setenv("JINLIN_CPU", "ref", 1);
    assert_string_equal(env_get(ENV_CPU), "ref");
    unsetenv("JINLIN_CPU");
}

static void every_row_is_named_and_explained(void **state) {
    static const char *const others[] = {
        "HF_ENDPOINT",   "HF_TOKEN", "MODELSCOPE_ENDPOINT", "MODELSCOPE_API_TOKEN",
        "XDG_DATA_HOME", "HOME",     "SSL_CERT_FILE"};
    (void)state;
    for (int id = 0; id < ENV_COUNT; id++) {
        const char *name = env_name((enum env_id)id);
        bool ours = strncmp(name, "JINLIN_", 7) == 0, theirs = false;
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
            theirs = theirs || strcmp(name, others[i]) == 0;
        assert_true(ours || theirs);
        assert_true(strlen(env_help((enum env_id)id)) > 10);
    }
    assert_null(env_get(ENV_COUNT));
    assert_string_equal(env_name(ENV_COUNT), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_is_unset),
        cmocka_unit_test(every_row_is_named_and_explained),
    };
    return cmocka_run_group_tests_name("base/env", tests, NULL, NULL);
}
