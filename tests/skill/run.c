#include "run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void run_make(struct run *run, enum skill_part part, uint64_t seed, uint32_t number) {
    const struct skill_order order = {seed, number, part, run->group};
    struct jl_error err = {0};
    if (skill_make(run->skill, run->tables, &order, &run->arena, &run->task, &err) != JL_OK)
        fail_msg("%s/%s seed %u number %u: %s", run->skill->name, run->group->name, (unsigned)seed,
                 number, err.message);
}

void run_fail(const struct run *run, const char *why) {
    const struct skill_turn *turn = &run->task.turns[run->task.n_turn ? run->task.n_turn - 1 : 0];
    fail_msg("%s/%s: %s\nasked: %.*s\nthought: %.*s\nanswer: %.*s\nexpect: %.*s (%s)",
             run->skill->name, run->group->name, why, (int)turn->user.bytes.len,
             turn->user.bytes.data, (int)turn->thought.bytes.len, turn->thought.bytes.data,
             (int)turn->answer.bytes.len, turn->answer.bytes.data, (int)run->task.expect.bytes.len,
             run->task.expect.bytes.data, run->task.check);
}

/* {a} and the like; with tables any brace: only sets are written with some. */
static bool has_hole(const struct run *run, const struct byte_buffer *text) {
    if (run->tables) return memchr(text->data, '{', text->len) != NULL;
    for (size_t i = 0; i + 2 < text->len; i++)
        if (text->data[i] == '{' && text->data[i + 1] >= 'a' && text->data[i + 1] <= 'z' &&
            text->data[i + 2] == '}')
            return true;
    return false;
}

void run_check_answer(const struct run *run) {
    const struct skill_task *task = &run->task;
    if (task->text.bytes.len) { // a text is not judged
        assert_true(task->n_prompt > 0 && task->n_prompt < task->text.bytes.len);
        assert_string_equal(task->check, "loss");
        return;
    }
    const struct byte_buffer *answer = &task->turns[task->n_turn - 1].answer.bytes;
    struct verify_expect expect = {.text = task->expect.bytes.data, .len = task->expect.bytes.len};
    const struct verifier *verifier = verify_find(task->check);
    struct jl_error err = {0};
    bool right;
    if (!verifier) run_fail(run, "no such check");
    if (verify_prepare(verifier, &expect, &err) != JL_OK) run_fail(run, err.message);
    expect.tables = run->judges;
    assert_int_equal(verifier->check(&expect, answer->data, answer->len, &right, &err), JL_OK);
    if (!right) run_fail(run, "its own answer is wrong");
    for (int i = 0; i < task->n_turn; i++) {
        if (!task->turns[i].user.bytes.len) run_fail(run, "nothing is asked");
        if (!task->turns[i].answer.bytes.len) run_fail(run, "nothing is answered");
        if (has_hole(run, &task->turns[i].user.bytes)) run_fail(run, "a phrase was not filled");
    }
    verify_free(&expect);
}

void run_check_again(struct run *run) {
    struct byte_buffer first = {0}, second = {0};
    for (uint32_t i = 0; i < 50; i++) {
        run_make(run, SKILL_TRAIN, 3, i);
        assert_int_equal(skill_task_train_line(&run->task, &first, NULL), JL_OK);
    }
    for (uint32_t i = 0; i < 50; i++) {
        run_make(run, SKILL_TRAIN, 4, i); // what was made between does not matter
        run_make(run, SKILL_TRAIN, 3, i);
        assert_int_equal(skill_task_train_line(&run->task, &second, NULL), JL_OK);
    }
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    buffer_free(&first);
    buffer_free(&second);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void run_check_parts(struct run *run, char *(*identity)(const struct run *run)) {
    char **held = calloc(run->n, sizeof *held);
    for (uint32_t i = 0; i < run->n; i++) {
        run_make(run, SKILL_HELD, 1, i);
        held[i] = identity(run);
    }
    qsort(held, run->n, sizeof *held, by_text);
    for (uint32_t i = 0; i < run->n; i++) {
        run_make(run, SKILL_TRAIN, 2, i);
        char *text = identity(run);
        if (bsearch(&text, held, run->n, sizeof *held, by_text))
            run_fail(run, "both parts have this task");
        free(text);
    }
    for (uint32_t i = 0; i < run->n; i++)
        free(held[i]);
    free(held);
}
