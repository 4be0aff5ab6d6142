/* The table: rows are found by templates and tokens, marks do not hide one another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text/dialect.h"
#include "text/dialect/format.h"
#include "text/dialect/match.h"

static const char *detect(const char *text) {
    return dialect_detect(text, strlen(text), NULL, NULL)->name;
}

static void test_templates(void **state) {
    (void)state;
    assert_string_equal(detect("{{'<tool_call>\\n' + tc | tojson}}<think>"), "hermes");
    assert_string_equal(detect("{{'<tool_call>\\n<function=' + n}}<parameter="), "qwen-xml");
    assert_string_equal(detect("<｜Assistant｜><｜tool▁calls▁begin｜>```json"), "deepseek-r1");
    assert_string_equal(detect("<｜Assistant｜><｜tool▁calls▁begin｜>"), "deepseek-v3.1");
    assert_string_equal(detect("<｜DSML｜function_calls>"), "deepseek-v3.2");
    assert_string_equal(detect("<｜DSML｜tool_calls>"), "deepseek-v4");
    assert_string_equal(detect("<tool_call>{{n}}<arg_key>"), "glm-4.5");
    assert_string_equal(detect("clear_thinking <tool_call>{{n}}<arg_key>"), "glm-4.7");
    assert_string_equal(detect("<|tool_calls_section_begin|>"), "kimi-k2");
    assert_string_equal(detect("<|tool_calls_section_begin|><think>"), "kimi-k2-thinking");
    assert_string_equal(detect("<minimax:tool_call>"), "minimax-m2");
    assert_string_equal(detect("<tool_calls>"), "hunyuan");
    assert_string_equal(detect("'[TOOL_CALLS]['"), "mistral");
    assert_string_equal(detect("'[TOOL_CALLS]' + n + '[ARGS]'"), "mistral-v13");
    assert_string_equal(detect("'[TOOL_CALLS]' + n + '[CALL_ID]' + '[ARGS]'"), "mistral-v11");
    assert_string_equal(detect("<|start_header_id|>"), "llama3");
    assert_string_equal(detect("<|start_header_id|>{{c.split('</think>')}}"), "llama3-thinking");
    assert_string_equal(detect("{{c.split('</think>')}}"), "plain-thinking");
    assert_string_equal(detect("<start_of_turn>"), "gemma");
    assert_string_equal(detect("<|im_start|>"), "chatml");
    assert_string_equal(detect("{{ messages }}"), "plain");
    assert_string_equal(detect(""), "plain");
    assert_string_equal(dialect_detect(NULL, 0, NULL, NULL)->name, "plain");
}

static bool has(void *ctx, const char *text) { return strcmp(ctx, text) == 0; }

static void test_tokens(void **state) {
    (void)state;
    static const char *const rows[][2] = {{"｜DSML｜", "deepseek-v3.2"},
                                          {"<tool_call>", "hermes"},
                                          {"[TOOL_CALLS]", "mistral"},
                                          {"<|python_tag|>", "llama3"},
                                          {"<|im_start|>", "chatml"},
                                          {"<s>", "plain"},
                                          {"<|tool_calls_section_begin|>", "kimi-k2"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(dialect_detect("", 0, has, (void *)(uintptr_t)rows[i][0])->name,
                            rows[i][1]);
    // A template decides even if it is not known.
    assert_string_equal(dialect_detect("x", 1, has, (void *)(uintptr_t) "<tool_call>")->name,
                        "plain");
}

/* The public templates that a developer's machine may have. */
static void test_public_templates(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use", "hermes"},
        {"Qwen-Qwen2.5-7B-Instruct", "hermes"},
        {"deepseek-ai-DeepSeek-R1-Distill-Llama-8B", "deepseek-r1"},
        {"google-gemma-2-2b-it", "gemma"},
        {"meta-llama-Llama-3.1-8B-Instruct", "llama3"},
        {"meta-llama-Llama-3.2-3B-Instruct", "llama3"},
        {"microsoft-Phi-3.5-mini-instruct", "phi"},
        {"mistralai-Mistral-Nemo-Instruct-2407", "mistral"},
        {"CohereForAI-c4ai-command-r-plus-tool_use", "command-r"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[256], text[65536];
        snprintf(path, sizeof path, "../shared/templates/%s.jinja", rows[i][0]);
        FILE *file = fopen(path, "rb");
        if (!file) {
            printf("SKIPPED: %s is not here\n", path);
            continue;
        }
        size_t len = fread(text, 1, sizeof text, file);
        fclose(file);
        assert_string_equal(dialect_detect(text, len, NULL, NULL)->name, rows[i][1]);
    }
}

static void check_pair(const struct dialect *d, const char *a, const char *b) {
    size_t n_a, n_b;
    a = match_trim(a, &n_a);
    b = match_trim(b, &n_b);
    if (a == b || n_a == 0 || n_b == 0) return;
    if (n_a <= n_b && memcmp(a, b, n_a) == 0)
        fail_msg("%s: the mark %s begins like %s", d->name, b, a);
}

static void test_rows(void **state) {
    (void)state;
    const struct dialect *d;
    for (size_t i = 0; (d = dialect_at(i)); i++) {
        if (!dialect_at(i + 1)) assert_string_equal(d->name, "plain");
        assert_ptr_equal(dialect_by_name(d->name), d);
        assert_int_equal(*d->think.open == 0, *d->think.close == 0);
        assert_true(strlen(d->think.close) < MATCH_BYTES / 2);
        const struct call_format *f = d->calls;
        const char *text[] = {
            d->think.open,           d->answer_open,
            d->answer_close,         f ? f->section_open : "",
            f ? f->section_alt : "", f && (f->lone || !*f->section_open) ? f->open : ""};
        for (size_t a = 0; a < 6; a++)
            for (size_t b = 0; b < 6; b++)
                check_pair(d, text[a], text[b]);
        if (!f) continue;
        check_pair(d, f->open, f->section_close);
        check_pair(d, f->section_close, f->open);
        check_pair(d, f->key_open, f->close);
        check_pair(d, f->close, f->key_open);
        assert_true(strlen(f->open) < MATCH_BYTES && strlen(f->close) < MATCH_BYTES);
    }
    assert_null(dialect_by_name("none such"));
}

static void test_prompt_end(void **state) {
    (void)state;
    static const struct {
        const char *dialect, *prompt;
        bool in_thought;
        const char *skip;
    } rows[] = {
        {"deepseek-r1", "<｜Assistant｜><think>\n", true, NULL},
        {"deepseek-r1", "<｜Assistant｜><think>", true, "\n"},
        {"hermes", "<|im_start|>assistant\n<think>\n\n</think>\n\n", false, NULL},
        {"hermes", "<|im_start|>assistant\n<think>\n\n</think>", false, "\n\n"},
        {"hermes", "</think>\n", false, "\n"},
        {"hermes", "<|im_start|>assistant\n", false, NULL},
        {"deepseek-v3.1", "<｜Assistant｜></think>", false, NULL},
        {"deepseek-v3.1", "<｜Assistant｜><think>", true, NULL},
        {"glm-4.5", "<think></think>", false, "\n"},
        {"mistral", "<think>", false, NULL},
        {"hermes", "", false, NULL},
        {"hermes", "think>", false, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dialect_start start = dialect_prompt_end(dialect_by_name(rows[i].dialect),
                                                        rows[i].prompt, strlen(rows[i].prompt));
        assert_int_equal(start.in_thought, rows[i].in_thought);
        if (rows[i].skip)
            assert_string_equal(start.skip, rows[i].skip);
        else
            assert_null(start.skip);
    }
}

static void test_marks(void **state) {
    (void)state;
    static const struct {
        const char *dialect, *text;
        bool mark;
    } rows[] = {
        {"mistral", "[TOOL_CALLS]", true},
        {"mistral", "[ARGS]", true},
        {"mistral", "[INST]", false},
        {"llama3", "<|python_tag|>", true},
        {"llama3", "<|eot_id|>", false},
        {"deepseek-r1", "<｜tool▁sep｜>", true},
        {"deepseek-r1", "<｜tool▁call▁begin｜>", true},
        {"deepseek-r1", "<｜end▁of▁sentence｜>", false},
        {"deepseek-v3.2", "｜DSML｜", true},
        {"kimi-k2", "<|tool_call_argument_begin|>", true},
        {"kimi-k2", "<|im_end|>", false},
        {"hermes", "</think>", true},
        {"hermes", "<|im_end|>", false},
        {"mistral-v13", "[/THINK]", true},
        {"hunyuan", "<answer>", true},
        {"plain", "<think>", false},
        {"hermes", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (dialect_is_mark(dialect_by_name(rows[i].dialect), rows[i].text, strlen(rows[i].text)) !=
            rows[i].mark)
            fail_msg("%s %s", rows[i].dialect, rows[i].text);
}

static void test_history(void **state) {
    (void)state;
    static const struct {
        const char *dialect;
        bool old, old_with_tools, loop;
    } rows[] = {
        {"deepseek-r1", false, false, false},
        {"hermes", false, false, true},
        {"deepseek-v3.2", false, false, true},
        {"deepseek-v4", false, true, true},
        {"glm-4.7", true, true, true},
        {"minimax-m2", false, false, true},
        {"kimi-k2-thinking", false, false, true},
        {"glm-4.5", false, false, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct dialect *d = dialect_by_name(rows[i].dialect);
        assert_int_equal(dialect_keeps_thought(d, false, false), rows[i].old);
        assert_int_equal(dialect_keeps_thought(d, false, true), rows[i].old_with_tools);
        assert_int_equal(dialect_keeps_thought(d, true, false), rows[i].loop);
        assert_int_equal(dialect_keeps_thought(d, true, true), rows[i].loop);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_templates),        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_public_templates), cmocka_unit_test(test_rows),
        cmocka_unit_test(test_prompt_end),       cmocka_unit_test(test_marks),
        cmocka_unit_test(test_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
