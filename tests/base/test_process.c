/* Marks of processes: this one is there, a child that has ended is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/process.h"

static void marks(void **state) {
    char own[PROCESS_MARK_BYTES], child[PROCESS_MARK_BYTES] = "", other[PROCESS_MARK_BYTES + 8];
    int ends[2];
    (void)state;
    process_mark(own);
    assert_true(process_is_alive(own));
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        process_mark(child);
        _exit(write(ends[1], child, sizeof child) != sizeof child);
    }
    assert_int_equal(read(ends[0], child, sizeof child), sizeof child);
    waitpid(pid, NULL, 0);
    assert_string_not_equal(own, child);
    assert_false(process_is_alive(child));
    /* the number of this process, but of one that began earlier */
    snprintf(other, sizeof other, "%s", own);
    *strrchr(other, ' ') = 0;
    strcat(other, " 1");
    assert_false(process_is_alive(other));
    assert_true(process_is_alive("another-host 1 1")); // nobody here can know
    assert_false(process_is_alive(""));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(marks)};
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
