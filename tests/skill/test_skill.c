/* Every skill: its answers pass its own checks, its parts never meet, and it makes the same tasks
 * again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "skill/skill.h"
#include "train/verify.h"

enum { N_TASK = 1500 }; // a group and part

struct run {
    const struct skill *skill;
    const struct skill_group *group;
    struct arena arena;
    struct skill_task task;
};

static void make(struct run *run, enum skill_part part, uint64_t seed, uint32_t number) {
    const struct skill_order order = {seed, number, part, run->group};
    struct jl_error err = {0};
    if (skill_make(run->skill, NULL, &order, &run->arena, &run->task, &err) != JL_OK)
        fail_msg("%s/%s seed %u number %u: %s", run->skill->name, run->group->name, (unsigned)seed,
                 number, err.message);
}

/* Calls `look` with every group that needs no tables. */
static void every_group(void (*look)(struct run *run)) {
    const struct skill *skill;
    for (size_t i = 0; (skill = skill_at(i)); i++)
        for (const struct skill_group *group = skill->groups; !skill->load && group->name;
             group++) {
            struct run run = {.skill = skill, .group = group};
            look(&run);
            skill_task_free(&run.task);
            arena_free(&run.arena);
        }
}

static void fail_task(const struct run *run, const char *why) {
    const struct skill_turn *turn = &run->task.turns[run->task.n_turn - 1];
    fail_msg("%s/%s: %s\nasked: %.*s\nthought: %.*s\nanswer: %.*s\nexpect: %.*s (%s)",
             run->skill->name, run->group->name, why, (int)turn->user.bytes.len,
             turn->user.bytes.data, (int)turn->thought.bytes.len, turn->thought.bytes.data,
             (int)turn->answer.bytes.len, turn->answer.bytes.data, (int)run->task.expect.bytes.len,
             run->task.expect.bytes.data, run->task.check);
}

static void check_answer(const struct run *run) {
    const struct skill_task *task = &run->task;
    const struct byte_buffer *answer = &task->turns[task->n_turn - 1].answer.bytes;
    struct verify_expect expect = {.text = task->expect.bytes.data, .len = task->expect.bytes.len};
    const struct verifier *verifier = verify_find(task->check);
    struct jl_error err = {0};
    bool right;
    if (!verifier) fail_task(run, "no such check");
    if (verify_prepare(verifier, &expect, &err) != JL_OK) fail_task(run, err.message);
    assert_int_equal(verifier->check(&expect, answer->data, answer->len, &right, &err), JL_OK);
    if (!right) fail_task(run, "its own answer is wrong");
    if (task->turns[0].user.bytes.len == 0) fail_task(run, "nothing is asked");
    if (memchr(task->turns[0].user.bytes.data, '{', task->turns[0].user.bytes.len))
        fail_task(run, "a phrase was not filled");
    verify_free(&expect);
}

static void look_answers(struct run *run) {
    for (uint32_t i = 0; i < N_TASK; i++) {
        make(run, SKILL_TRAIN, i % 7, i);
        check_answer(run);
        if (i % 5 == 0) {
            make(run, SKILL_HELD, i % 7, i);
            check_answer(run);
        }
    }
}

static void answers_pass(void **state) {
    (void)state;
    every_group(look_answers);
}

static void look_again(struct run *run) {
    struct byte_buffer first = {0}, second = {0};
    for (uint32_t i = 0; i < 50; i++) {
        make(run, SKILL_TRAIN, 3, i);
        assert_int_equal(skill_task_train_line(&run->task, &first, NULL), JL_OK);
    }
    for (uint32_t i = 0; i < 50; i++) {
        make(run, SKILL_TRAIN, 4, i); // what was made between does not matter
        make(run, SKILL_TRAIN, 3, i);
        assert_int_equal(skill_task_train_line(&run->task, &second, NULL), JL_OK);
    }
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    buffer_free(&first);
    buffer_free(&second);
}

static void same_again(void **state) {
    (void)state;
    every_group(look_again);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* No question of one part is one of the other. */
static void look_parts(struct run *run) {
    char **asked = calloc(N_TASK, sizeof *asked);
    for (uint32_t i = 0; i < N_TASK; i++) {
        make(run, SKILL_HELD, 1, i);
        const struct byte_buffer *user = &run->task.turns[run->task.n_turn - 1].user.bytes;
        asked[i] = strndup(user->data, user->len);
    }
    qsort(asked, N_TASK, sizeof *asked, by_text);
    for (uint32_t i = 0; i < N_TASK; i++) {
        make(run, SKILL_TRAIN, 2, i);
        const struct byte_buffer *user = &run->task.turns[run->task.n_turn - 1].user.bytes;
        char *text = strndup(user->data, user->len);
        if (bsearch(&text, asked, N_TASK, sizeof *asked, by_text))
            fail_task(run, "both parts have this task");
        free(text);
    }
    for (uint32_t i = 0; i < N_TASK; i++)
        free(asked[i]);
    free(asked);
}

static void parts_apart(void **state) {
    (void)state;
    every_group(look_parts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_pass),
        cmocka_unit_test(same_again),
        cmocka_unit_test(parts_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
