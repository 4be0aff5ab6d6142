/* Thoughts about three numbers: some make a mistake and find it, and all end in what is answered.
 * (That their equations are true is test_skill.c's.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "skill/skill.h"

#define N_TASK 6000

struct seen {
    int strays;       // a yes whose operations, worked out again, come to something else
    int drafts;       // an expression that is none
    int second_looks; // and those that found what had been overlooked
    int found_late;
    int none;
};

static bool ends(const char *line, const char *with) {
    size_t n = strlen(line), m = strlen(with);
    return n >= m && !strcmp(line + n - m, with);
}

/* "80: 44 43 → ...": no equation before the arrow. */
static bool is_second_look(const char *line) {
    const char *arrow = strstr(line, "→"), *colon = strchr(line, ':'), *equals = strchr(line, '=');
    return arrow && colon && colon < arrow && (!equals || equals > arrow);
}

static void look_at(const struct skill_turn *turn, struct seen *seen) {
    char thought[4096], answer[128], *last = NULL, *save;
    bool late = false;
    memcpy(thought, turn->thought.bytes.data, turn->thought.bytes.len);
    thought[turn->thought.bytes.len] = 0;
    memcpy(answer, turn->answer.bytes.data, turn->answer.bytes.len);
    answer[turn->answer.bytes.len] = 0;
    for (char *line = strtok_r(thought, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        bool search = strstr(line, "→") != NULL;
        late |= is_second_look(line);
        if (!search && ends(line, "? no")) seen->strays++;
        if (!search && ends(line, " no") && !ends(line, "? no")) seen->drafts++;
        last = line;
    }
    seen->second_looks += late;
    if (!strchr(answer, '=')) { // no solution
        assert_true(is_second_look(last) && ends(last, " no"));
        seen->none++;
        return;
    }
    // "76-18-57: 58-57 yes" and "76-18-57 = 1"
    assert_true(ends(last, " yes"));
    assert_int_equal(strcspn(last, ":"), strcspn(answer, " "));
    assert_memory_equal(last, answer, strcspn(last, ":"));
    seen->found_late += late;
}

static void slips(void **state) {
    (void)state;
    static struct arena arena;
    static struct skill_task task;
    struct seen seen = {0};
    const struct skill *skill = skill_find("countdown");
    struct skill_order order = {.seed = 5, .group = skill_find_group(skill, "three")};
    for (order.number = 0; order.number < N_TASK; order.number++) {
        assert_int_equal(skill_make(skill, NULL, &order, &arena, &task, NULL), JL_OK);
        look_at(&task.turns[0], &seen);
    }
    assert_in_range(seen.strays, N_TASK / 50, N_TASK / 8);
    assert_in_range(seen.drafts, N_TASK / 50, N_TASK / 8);
    assert_in_range(seen.found_late, N_TASK / 50, N_TASK / 6);
    assert_in_range(seen.none, N_TASK / 40, N_TASK / 10);
    assert_int_equal(seen.second_looks, seen.found_late + seen.none);
    skill_task_free(&task);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(slips)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
