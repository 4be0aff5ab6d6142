/* Every skill: its answers pass its own checks, its parts never meet, and it makes the same tasks
 * again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "run.h"
#include "text/expression.h"
#include "text/utf8.h"
#include "train/data/line.h"
#include "train/eval/line.h"

enum { N_TASK = 2000, N_PART = 4000 }; // of a group

/* Calls `look` with every group that needs no tables. */
static void every_group(void (*look)(struct run *run)) {
    const struct skill *skill;
    for (size_t i = 0; (skill = skill_at(i)); i++)
        for (const struct skill_group *group = skill->groups; !skill->load && group->name;
             group++) {
            struct run run = {.skill = skill, .group = group, .n = N_PART};
            look(&run);
            skill_task_free(&run.task);
            arena_free(&run.arena);
        }
}

/* ---- thoughts ---- */

/* The value of an expression without commas: false where the text is none. */
static bool value_of(const char *text, size_t n, struct fraction *out) {
    struct expression expression;
    bool ok = expression_read(text, n, &expression);
    *out = expression.value;
    return ok;
}

static int last_digit(struct fraction value) {
    int digit = (int)(value.num % 10);
    return digit < 0 ? -digit : digit;
}

/* A word "a=b=c": all sides that are expressions are equal, and there are two of them at least. A
 * leading "=" goes on from the line before (*last). "..2=340+272=612" begins with the last digit of
 * what follows. */
static void check_equation(const struct run *run, const char *word, size_t n, struct fraction *last,
                           int *n_equation) {
    const char *end = word + n;
    int digit = -1;
    if (*word == '/') word++; // a product that is to be compared with what would be divided
    if (n > 4 && !strncmp(word, "..", 2)) {
        digit = word[2] - '0';
        word += 4;
    }
    for (bool first = true;; first = false) {
        const char *equals = memchr(word, '=', (size_t)(end - word));
        const char *bar = memchr(word, '|', (size_t)(end - word)); // digits that are to come
        size_t side = (size_t)((equals ? equals : end) - word);
        if (bar && bar < word + side) side = (size_t)(bar - word);
        struct fraction value;
        if (side) {
            if (!value_of(word, side, &value)) run_fail(run, "an equation's side is no expression");
            if (!first && !fraction_equal(value, *last)) run_fail(run, "an equation is wrong");
            if (digit >= 0 && last_digit(value) != digit) run_fail(run, "a last digit is wrong");
            *n_equation += !first || digit >= 0;
            *last = value;
        }
        if (!equals) return;
        word = equals + 1;
    }
}

/* "16<=30", "0.25>0.1". */
static void check_comparison(const struct run *run, const char *word, size_t n, const char *sign) {
    struct fraction left, right, difference;
    bool or_equal = sign + 1 < word + n && sign[1] == '=';
    if (!value_of(word, (size_t)(sign - word), &left)) return;
    const char *second = sign + 1 + or_equal;
    assert_true(value_of(second, (size_t)(word + n - second), &right));
    assert_true(fraction_apply(left, '-', right, &difference));
    bool is_true = *sign == '>' ? difference.num > 0
                   : or_equal   ? difference.num <= 0
                                : difference.num < 0;
    if (!is_true) run_fail(run, "a comparison is wrong");
}

/* "3 8<": the number before, and a word that ends with what is between them. */
static bool check_behind(const struct run *run, struct fraction before, const char *word,
                         size_t n) {
    struct fraction number, difference;
    char sign = n > 1 ? word[n - 1] : 0;
    if (!sign || !strchr("<>=", sign) || !value_of(word, n - 1, &number)) return false;
    assert_true(fraction_apply(before, '-', number, &difference));
    bool is_true = sign == '<'   ? difference.num < 0
                   : sign == '>' ? difference.num > 0
                                 : difference.num == 0;
    if (!is_true) run_fail(run, "a comparison is wrong");
    return true;
}

/* Words that have an equals sign, comparisons of numbers, and multiples ("1:23 2:46"). */
static void check_thought(const struct run *run, const struct byte_buffer *thought,
                          int *n_equation) {
    struct fraction last = {0, 1}, right, once = {0, 1}, made;
    for (size_t at = 0; at < thought->len;) {
        size_t n = 0;
        const char *word = thought->data + at;
        while (at + n < thought->len && !strchr(" \n", word[n]))
            n++;
        at += n + 1;
        if (n && word[n - 1] == ':') n--;
        if (check_behind(run, last, word, n)) continue;
        const char *sign = memchr(word, '>', n);
        if (!sign) sign = memchr(word, '<', n);
        if (sign) {
            check_comparison(run, word, n, sign);
        } else if (memchr(word, '=', n)) {
            check_equation(run, word, n, &last, n_equation);
        } else if (value_of(word, n, &right)) {
            last = right;
        } else if (n > 2 && word[1] == ':' && value_of(word + 2, n - 2, &right)) {
            if (*word == '1') once = right;
            made = (struct fraction){once.num * (*word - '0'), once.den};
            if (!strcmp(run->skill->name, "sums") && !fraction_equal(made, right))
                run_fail(run, "a multiple is wrong");
        }
    }
}

static void look_thoughts(struct run *run) {
    int n_equation = 0, n_thought = 0;
    for (uint32_t i = 0; i < N_TASK; i++) {
        run_make(run, i % 10 ? SKILL_TRAIN : SKILL_HELD, 11, i);
        for (int k = 0; k < run->task.n_turn; k++) {
            const struct byte_buffer *thought = &run->task.turns[k].thought.bytes;
            n_thought += thought->len > 0;
            if (utf8_valid_length(thought->data, thought->len) != thought->len)
                run_fail(run, "a thought is no UTF-8");
            check_thought(run, thought, &n_equation);
        }
    }
    static const char *const counted[] = {"countdown", "sums", "story", "calendar"};
    for (size_t i = 0; i < sizeof counted / sizeof counted[0]; i++)
        if (!strcmp(run->skill->name, counted[i]) && n_thought > N_TASK / 2 && n_equation == 0 &&
            strcmp(run->group->name, "numeral") != 0)
            fail_msg("%s/%s: no equation was found to check", run->skill->name, run->group->name);
}

static void thoughts_true(void **state) {
    (void)state;
    every_group(look_thoughts);
}

/* ---- answers ---- */

static void look_answers(struct run *run) {
    for (uint32_t i = 0; i < N_TASK; i++) {
        run_make(run, SKILL_TRAIN, i % 7, i);
        run_check_answer(run);
        if (i % 5 == 0) {
            run_make(run, SKILL_HELD, i % 7, i);
            run_check_answer(run);
        }
    }
}

static void answers_pass(void **state) {
    (void)state;
    every_group(look_answers);
}

/* Both lines are what their readers take. */
static void look_lines(struct run *run) {
    struct byte_buffer line = {0};
    struct jl_error err = {0};
    for (uint32_t i = 0; i < 200; i++) {
        struct data_line learnt;
        struct eval_line task;
        run_make(run, SKILL_TRAIN, 9, i);
        line.len = 0;
        assert_int_equal(skill_task_train_line(&run->task, &line, NULL), JL_OK);
        assert_int_equal(line.data[line.len - 1], '\n');
        if (data_line_parse(line.data, line.len - 1, &learnt, &err) != JL_OK)
            run_fail(run, err.message);
        assert_int_equal(learnt.form, DATA_LINE_CHAT);
        assert_int_equal(json_array_size(learnt.messages), 2 * run->task.n_turn);
        data_line_free(&learnt);
        line.len = 0;
        assert_int_equal(skill_task_eval_line(&run->task, &line, NULL), JL_OK);
        if (eval_line_parse(line.data, line.len - 1, NULL, &task, &err) != JL_OK)
            run_fail(run, err.message);
        assert_int_equal(json_array_size(task.messages), 2 * run->task.n_turn - 1);
        assert_string_equal(task.check, run->task.check);
        assert_int_equal(task.expect.len, run->task.expect.bytes.len);
        eval_line_free(&task);
    }
    buffer_free(&line);
}

static void lines_read(void **state) {
    (void)state;
    every_group(look_lines);
}

/* What JSON escapes, and several turns. */
static void lines_written(void **state) {
    (void)state;
    struct skill_task task = {.group = "g", .tongue = SKILL_EN};
    struct byte_buffer line = {0};
    struct skill_turn *turn = skill_turn(&task);
    static const char *const values[] = {"1", "2"};
    skill_fill(&turn->user, "{{{a}}\t\"{b}\"\\", values, 2);
    skill_puts(&turn->thought, "1\n2");
    skill_puts(&turn->answer, "\xE9\xB1\xBC");
    turn = skill_turn(&task);
    skill_put(&turn->user, "%0300d", 7);
    skill_puts(&turn->answer, "b");
    skill_expect_answer(&task, "exact");
    assert_int_equal(skill_task_train_line(&task, &line, NULL), JL_OK);
    assert_int_equal(buffer_append(&line, "", 1), true);
    assert_non_null(strstr(line.data,
                           "{\"messages\": [{\"role\": \"user\", \"content\": "
                           "\"{1}\\t\\\"2\\\"\\\\\"}, {\"role\": \"assistant\", "
                           "\"reasoning_content\": \"1\\n2\", \"content\": "
                           "\"\xE9\xB1\xBC\"}, {\"role\": \"user\", \"content\": \"000"));
    assert_non_null(
        strstr(line.data, "0007\"}, {\"role\": \"assistant\", \"content\": \"b\"}]}\n"));
    line.len = 0;
    assert_int_equal(skill_task_eval_line(&task, &line, NULL), JL_OK);
    assert_int_equal(buffer_append(&line, "", 1), true);
    assert_non_null(strstr(line.data, "0007\"}], \"expect\": \"b\", \"check\": \"exact\", "
                                      "\"group\": \"g.en\"}\n"));
    buffer_free(&line);
    skill_task_free(&task);
}

static void same_again(void **state) {
    (void)state;
    every_group(run_check_again);
}

static int by_number(const void *a, const void *b) {
    long x = *(const long *)a, y = *(const long *)b;
    return x < y ? -1 : x > y;
}

/* What makes the task the same one: of some groups the numbers, in whatever order, and the answer;
 * of the others the question as it is. Caller frees. */
static char *identity(const struct run *run) {
    static const char *const by_numbers[] = {"add", "multiply", "three", "four-24", "three-24"};
    const struct byte_buffer *user = &run->task.turns[run->task.n_turn - 1].user.bytes;
    char *text = strndup(user->data, user->len);
    for (size_t i = 0; i < sizeof by_numbers / sizeof by_numbers[0]; i++) {
        if (strcmp(run->group->name, by_numbers[i]) != 0) continue;
        long numbers[16];
        int n = 0;
        for (char *at = text; *(at += strcspn(at, "0123456789")) && n < 16;)
            numbers[n++] = strtol(at, &at, 10);
        qsort(numbers, (size_t)n, sizeof *numbers, by_number);
        struct skill_text out = {0};
        for (int k = 0; k < n; k++)
            skill_put(&out, "%ld ", numbers[k]);
        skill_put(&out, "%.*s%c", (int)run->task.expect.bytes.len, run->task.expect.bytes.data, 0);
        free(text);
        return out.bytes.data;
    }
    return text;
}

static void look_parts(struct run *run) { run_check_parts(run, identity); }

static void parts_apart(void **state) {
    (void)state;
    every_group(look_parts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_pass), cmocka_unit_test(thoughts_true),
        cmocka_unit_test(lines_read),   cmocka_unit_test(lines_written),
        cmocka_unit_test(same_again),   cmocka_unit_test(parts_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
