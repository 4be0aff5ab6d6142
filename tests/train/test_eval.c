/* Lines of tasks, files of them, and the figures made of verdicts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/scratch.h"
#include "train/eval/eval.h"

/* ---- lines ---- */

static enum jl_status parse(const char *text, const char *defaults, struct eval_line *out,
                            struct jl_error *err) {
    struct eval_head head = {0};
    char line[512];
    bool is_head = true;
    if (defaults) {
        snprintf(line, sizeof line, "{\"task\":\"t\",\"defaults\":%s}", defaults);
        if (eval_head_parse(line, strlen(line), &is_head, &head, err) != JL_OK)
            fail_msg("%s", err->message);
    }
    enum jl_status status = eval_line_parse(text, strlen(text), head.defaults, out, err);
    eval_head_free(&head);
    return status;
}

static struct eval_line good(const char *text, const char *defaults) {
    struct eval_line line;
    struct jl_error err = {0};
    if (parse(text, defaults, &line, &err) != JL_OK) fail_msg("%s: %s", text, err.message);
    return line;
}

static void lines(void **state) {
    (void)state;
    struct eval_line line = good("{\"prompt\":\"p\\u0000q\",\"expect\":\"e\"}", NULL);
    assert_int_equal(line.kind, EVAL_ANSWER);
    assert_string_equal(line.check, "exact");
    assert_int_equal(line.n_prompt, 3);
    assert_int_equal(line.max_tokens, EVAL_MAX_TOKENS);
    assert_null(line.group);
    eval_line_free(&line);

    line = good("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"tools\":[{}],\"expect\":"
                "\"1\",\"check\":\"number\",\"tolerance\":0.5,\"stop\":[\"x\",\"yz\"],"
                "\"max_tokens\":9,\"group\":\"g\"}",
                NULL);
    assert_string_equal(line.verifier->name, "number");
    assert_true(line.expect.tolerance == 0.5 && line.expect.number == 1);
    assert_int_equal(line.n_stop, 2);
    assert_int_equal(line.stop[1].len, 2);
    assert_int_equal(line.max_tokens, 9);
    assert_string_equal(line.group, "g");
    assert_non_null(line.tools);
    eval_line_free(&line);

    line = good("{\"prompt\":\"p\",\"check\":\"choice\",\"choices\":[\"a\",\"bc\"],\"expect\":1,"
                "\"score\":\"bytes\"}",
                NULL);
    assert_int_equal(line.kind, EVAL_CHOICE);
    assert_true(line.right == 1 && line.per_byte && line.n_choice == 2);
    eval_line_free(&line);
    line = good("{\"prompt\":\"p\",\"expect\":\"bc\"}",
                "{\"check\":\"choice\",\"choices\":[\"a\",\"bc\"]}");
    assert_true(line.right == 1 && !line.per_byte);
    eval_line_free(&line);
    line = good("{\"prompt\":\"p\",\"expect\":\"e\",\"check\":\"loss\"}", NULL);
    assert_int_equal(line.kind, EVAL_LOSS);
    eval_line_free(&line);
}

/* A line's own key comes before a default, and one that the check does not read is left out. */
static void defaults(void **state) {
    (void)state;
    const char *all = "{\"check\":\"number\",\"tolerance\":1,\"max_tokens\":5,\"group\":\"g\","
                      "\"stop\":\"s\",\"choices\":[\"a\",\"b\"],\"score\":\"sum\","
                      "\"tools\":[{}]}";
    struct eval_line line = good("{\"prompt\":\"p\",\"expect\":\"1\",\"max_tokens\":7}", all);
    assert_true(line.max_tokens == 7 && line.expect.tolerance == 1 && line.n_stop == 1);
    assert_null(line.tools);
    eval_line_free(&line);
    line = good("{\"prompt\":\"p\",\"expect\":\"a\",\"check\":\"choice\",\"group\":\"h\"}", all);
    assert_int_equal(line.n_choice, 2);
    assert_string_equal(line.group, "h");
    assert_int_equal(json_object_size(line.root), 6); // no tolerance, stop, max_tokens, tools
    eval_line_free(&line);
}

static void refused(void **state) {
    (void)state;
#define CHOICE "{\"prompt\":\"p\",\"check\":\"choice\","
    static const struct {
        const char *line, *what;
    } cases[] = {
        {"[]", "must be an object"},
        {"{", "it is no JSON"},
        {"{\"prompt\":\"\xFF\"}", "no UTF-8"},
        {"{\"prompt\":\"p\",\"prompt\":\"p\",\"expect\":\"e\"}", "duplicate"},
        {"{}", "must say what to \"expect\""},
        {"{\"prompt\":\"p\"}", "must say what to \"expect\""},
        {"{\"expect\":\"e\"}", "one of the two"},
        {"{\"prompt\":\"p\",\"messages\":[],\"expect\":\"e\"}", "one of the two"},
        {"{\"prompt\":\"\",\"expect\":\"e\"}", "\"prompt\" must be a text"},
        {"{\"prompt\":5,\"expect\":\"e\"}", "\"prompt\" must be a text"},
        {"{\"prompt\":\"p\",\"expect\":\"\"}", "\"expect\" must be a text"},
        {"{\"prompt\":\"p\",\"expect\":[\"e\"]}", "\"expect\" must be a text"},
        {"{\"prompt\":\"p\",\"expect\":\"e\",\"answer\":\"e\"}", "unknown key \"answer\""},
        {"{\"prompt\":\"p\",\"expect\":\"e\",\"tools\":[{}]}", "go with \"messages\""},
        {"{\"prompt\":\"p\",\"expect\":\"e\",\"check\":\"judge\"}", "no check \"judge\""},
        {"{\"prompt\":\"p\",\"expect\":\"e\",\"check\":1}", "\"check\" must be a text"},
        {"{\"prompt\":\"p\",\"expect\":\"e\",\"tolerance\":1}", "means nothing to the check"},
        {"{\"prompt\":\"p\",\"expect\":\"e\",\"choices\":[\"a\",\"b\"]}", "means nothing"},
        {"{\"prompt\":\"p\",\"expect\":\"e\",\"check\":\"loss\",\"stop\":\"x\"}", "means nothing"},
        {CHOICE "\"choices\":[\"a\",\"b\"],\"expect\":0,\"max_tokens\":1}", "means nothing"},
        {"{\"prompt\":\"p\",\"expect\":\"e\",\"group\":\"\"}", "\"group\" must be"},
        {"{\"prompt\":\"p\",\"expect\":\"e\",\"group\":1}", "\"group\" must be"},
        {"{\"prompt\":\"p\",\"expect\":\"e\",\"group\":\"a\\u0000\"}", "\"group\" must be"},
        {"{\"prompt\":\"p\",\"expect\":\"e\",\"max_tokens\":0}", "\"max_tokens\" must be"},
        {"{\"prompt\":\"p\",\"expect\":\"e\",\"max_tokens\":1.5}", "\"max_tokens\" must be"},
        {"{\"prompt\":\"p\",\"expect\":\"e\",\"stop\":[]}", "\"stop\" must be"},
        {"{\"prompt\":\"p\",\"expect\":\"e\",\"stop\":[\"a\",\"\"]}", "\"stop\" must be"},
        {"{\"prompt\":\"p\",\"expect\":\"e\",\"stop\":\"\"}", "\"stop\" must be"},
        {"{\"prompt\":\"p\",\"expect\":\"x\",\"check\":\"number\"}", "'x' is none"},
        {"{\"prompt\":\"p\",\"expect\":\"1\",\"check\":\"number\",\"tolerance\":-1}",
         "\"tolerance\" must be"},
        {"{\"prompt\":\"p\",\"expect\":\"1\",\"check\":\"number\",\"tolerance\":\"1\"}",
         "\"tolerance\" must be"},
        {"{\"prompt\":\"p\",\"expect\":\"[\",\"check\":\"regex\"}", "is wrong at byte"},
        {"{\"prompt\":\"p\",\"expect\":7,\"check\":\"loss\"}", "\"expect\" must be a text"},
        {CHOICE "\"expect\":0}", "\"choices\" must be a list"},
        {CHOICE "\"choices\":[\"a\"],\"expect\":0}", "\"choices\" must be a list"},
        {CHOICE "\"choices\":[\"a\",2],\"expect\":0}", "choice 1 must be a text"},
        {CHOICE "\"choices\":[\"a\",\"\"],\"expect\":0}", "choice 1 must be a text"},
        {CHOICE "\"choices\":[\"a\",\"a\"],\"expect\":0}", "choices 0 and 1 are the same"},
        {CHOICE "\"choices\":[\"a\",\"b\"],\"expect\":2}", "there are 2"},
        {CHOICE "\"choices\":[\"a\",\"b\"],\"expect\":-1}", "there are 2"},
        {CHOICE "\"choices\":[\"a\",\"b\"],\"expect\":\"c\"}", "one of the choices"},
        {CHOICE "\"choices\":[\"a\",\"b\"],\"expect\":true}", "one of the choices"},
        {CHOICE "\"choices\":[\"a\",\"b\"],\"expect\":0,\"score\":\"mean\"}", "\"score\" must be"},
        {"{\"messages\":[],\"expect\":\"e\"}", "must be a list of messages"},
        {"{\"messages\":[{\"role\":\"user\"}],\"expect\":\"e\"}", "message 1 needs \"content\""},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\","
         "\"content\":\"b\"}],\"expect\":\"e\"}",
         "the last message is the assistant's"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"tools\":[],\"expect\":\"e\"}",
         "\"tools\" must be a list"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct eval_line line;
        struct jl_error err = {0};
        if (parse(cases[i].line, NULL, &line, &err) != JL_ERR_FORMAT)
            fail_msg("%s is taken", cases[i].line);
        if (!strstr(err.message, cases[i].what))
            fail_msg("%s: '%s' does not say '%s'", cases[i].line, err.message, cases[i].what);
        assert_null(line.root);
    }
}

static void heads(void **state) {
    (void)state;
    static const struct {
        const char *line, *what; // NULL: it is good
    } cases[] = {
        {"{\"task\":\"t\"}", NULL},
        {"{\"task\":\"t\",\"defaults\":{}}", NULL},
        {"{\"task\":\"\"}", "must be a name"},
        {"{\"task\":1}", "must be a name"},
        {"{\"task\":\"a\\u0000b\"}", "must be a name"},
        {"{\"task\":\"t\",\"default\":{}}", "no other key"},
        {"{\"task\":\"t\",\"defaults\":[]}", "must be an object"},
        {"{\"task\":\"t\",\"defaults\":{\"prompt\":\"p\"}}", "can have no default"},
        {"{\"task\":\"t\",\"defaults\":{\"what\":1}}", "can have no default"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct eval_head head;
        struct jl_error err = {0};
        bool is_head;
        enum jl_status status =
            eval_head_parse(cases[i].line, strlen(cases[i].line), &is_head, &head, &err);
        assert_int_equal(status, cases[i].what ? JL_ERR_FORMAT : JL_OK);
        if (cases[i].what && !strstr(err.message, cases[i].what))
            fail_msg("%s: %s", cases[i].line, err.message);
        assert_true(is_head);
        eval_head_free(&head);
    }
    struct eval_head head;
    bool is_head = true;
    assert_int_equal(eval_head_parse("{\"prompt\":1}", 12, &is_head, &head, NULL), JL_OK);
    assert_false(is_head);
}

/* ---- files ---- */

#define LINE "{\"prompt\":\"p\",\"expect\":\"e\"}\n"

static void bad_file(const char *name, const char *what) {
    struct eval_tasks list = {0};
    struct jl_error err = {0};
    assert_true(eval_tasks_add(&list, scratch_path(name), &err) != JL_OK);
    if (!strstr(err.message, what)) fail_msg("%s does not say %s", err.message, what);
    eval_tasks_free(&list);
}

static void files(void **state) {
    (void)state;
    struct eval_tasks list = {0};
    struct jl_error err = {0};
    scratch_text("tasks/b.jsonl",
                 "\n {\"task\":\"other\",\"defaults\":{\"group\":\"g\"}}\n\n" LINE);
    scratch_text("tasks/a.jsonl", LINE "\r\n{\"prompt\":\"q\",\"expect\":\"e\"}");
    scratch_text("tasks/.hidden.jsonl", "no");
    scratch_text("tasks/notes.txt", "no");
    if (eval_tasks_add(&list, scratch_path("tasks"), &err) != JL_OK) fail_msg("%s", err.message);
    assert_int_equal(list.n, 3);
    assert_int_equal(list.n_name, 2);
    assert_string_equal(list.tasks[0].name, "a");
    assert_string_equal(list.tasks[2].name, "other");
    assert_string_equal(list.tasks[2].line.group, "g");
    assert_int_equal(list.tasks[1].number, 3);
    assert_int_equal(list.tasks[2].number, 4);
    assert_int_equal(strlen(list.tasks[0].id), 32);
    assert_string_not_equal(list.tasks[0].id, list.tasks[1].id);
    assert_string_not_equal(list.tasks[0].id, list.tasks[2].id);
    assert_int_equal(eval_tasks_add(&list, scratch_path("tasks/a.jsonl"), &err), JL_ERR_FORMAT);
    assert_non_null(strstr(err.message, "another file has the task 'a', too"));
    eval_tasks_free(&list);

    scratch_text("again.jsonl", LINE "{\"prompt\":\"q\",\"expect\":\"e\"}\n" LINE LINE);
    assert_int_equal(eval_tasks_add(&list, scratch_path("again.jsonl"), &err), JL_OK);
    static const int again[] = {0, 0, 1, 2};
    for (int i = 0; i < 4; i++)
        assert_int_equal(list.tasks[i].again, again[i]);
    assert_string_equal(list.tasks[0].id, list.tasks[3].id);
    eval_tasks_free(&list);

    scratch_text("empty.jsonl", "\n \n");
    bad_file("empty.jsonl", "there is no task in it");
    scratch_text("head.jsonl", "{\"task\":\"t\"}\n");
    bad_file("head.jsonl", "there is no task in it");
    scratch_text("late.jsonl", LINE "{\"task\":\"t\"}\n");
    bad_file("late.jsonl", "late.jsonl, line 2: a task has an unknown key \"task\"");
    scratch_text("bad.jsonl", LINE LINE "{\"prompt\":\"p\"}\n");
    bad_file("bad.jsonl", "bad.jsonl, line 3: a task must say");
    scratch_text("none/x.txt", "");
    bad_file("none", "there is no .jsonl in it");
    bad_file("absent.jsonl", "absent.jsonl");
}

static void limits(void **state) {
    (void)state;
    struct eval_tasks list[3] = {{0}};
    char text[4096];
    size_t at = 0;
    struct jl_error err;
    for (int i = 0; i < 40; i++)
        at += (size_t)snprintf(text + at, sizeof text - at,
                               "{\"prompt\":\"p%d\",\"expect\":\"e\"}\n", i);
    scratch_text("many.jsonl", text);
    for (int k = 0; k < 3; k++) {
        assert_int_equal(eval_tasks_add(&list[k], scratch_path("many.jsonl"), &err), JL_OK);
        assert_int_equal(eval_tasks_limit(&list[k], 10, k == 2 ? 8 : 7, &err), JL_OK);
        assert_int_equal(list[k].n, 10);
        assert_int_equal(list[k].n_left_out, 30);
        for (int i = 1; i < 10; i++)
            assert_true(list[k].tasks[i - 1].number < list[k].tasks[i].number);
    }
    bool differs = false;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(list[0].tasks[i].number, list[1].tasks[i].number);
        differs = differs || list[0].tasks[i].number != list[2].tasks[i].number;
    }
    assert_true(differs);
    assert_int_equal(eval_tasks_limit(&list[0], 100, 7, &err), JL_OK);
    assert_int_equal(list[0].n, 10);
    for (int k = 0; k < 3; k++)
        eval_tasks_free(&list[k]);
}

/* ---- figures ---- */

static void intervals(void **state) {
    (void)state;
    // Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    static const struct {
        double right;
        int64_t n;
        double low, high;
    } cases[] = {{81, 263, 0.2553, 0.3662},
                 {15, 148, 0.0624, 0.1605},
                 {0, 20, 0, 0.1611},
                 {1, 29, 0.0061, 0.1718},
                 {20, 20, 0.8389, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct eval_interval in = eval_wilson(cases[i].right, cases[i].n);
        assert_true(fabs(in.low - cases[i].low) < 5e-5 && fabs(in.high - cases[i].high) < 5e-5);
    }
    assert_true(eval_wilson(0, 0).low == 0 && eval_wilson(0, 0).high == 1);
}

static int clean(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),     cmocka_unit_test(defaults), cmocka_unit_test(refused),
        cmocka_unit_test(heads),     cmocka_unit_test(files),    cmocka_unit_test(limits),
        cmocka_unit_test(intervals),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
