/* Conversations to examples: what the model reads and, in [ ], what it learns to write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

static void shows(const struct data_fixture *f, const char *line, const char *want) {
    struct data_doc doc;
    struct jl_error err;
    if (data_fixture_line(f, line, &doc, &err) != JL_OK) fail_msg("%s: %s", line, err.message);
    assert_string_equal(data_fixture_show_doc(f->tokenizer, &doc), want);
    data_doc_free(&doc);
}

static void refuses(const struct data_fixture *f, const char *line, const char *says) {
    struct data_doc doc;
    struct jl_error err = {0};
    assert_int_not_equal(data_fixture_line(f, line, &doc, &err), JL_OK);
    if (!strstr(err.message, says)) fail_msg("%s: '%s' lacks '%s'", line, err.message, says);
    data_doc_free(&doc);
}

static void open_with(struct data_fixture *f, const char *name) {
    data_fixture_open(f, DATA_FIXTURE_PLAIN, name);
}

#define U(text) "{\"role\":\"user\",\"content\":\"" text "\"}"
#define A(text) "{\"role\":\"assistant\",\"content\":\"" text "\"}"
#define CHAT(messages) "{\"messages\":[" messages "]}"

static void texts_end(void **state) {
    (void)state;
    struct data_fixture f;
    open_with(&f, NULL);
    shows(&f, "{\"text\": \"the fish\"}", "<s>[the fish</s>]");
    shows(&f, "{\"text\": \"\xE9\xB1\xBC</s>\"}", "<s>[\xE9\xB1\xBC</s></s>]"); // letters, no mark
    refuses(&f, CHAT(U("a") "," A("b")), "no chat template");
    data_fixture_close(&f);
    data_fixture_open(&f, DATA_FIXTURE_NO_EOS, NULL);
    refuses(&f, "{\"text\": \"the fish\"}", "no end-of-text token");
    data_fixture_close(&f);
}

static void turns_are_one_example(void **state) {
    (void)state;
    struct data_fixture f;
    open_with(&f, "turns");
    shows(&f, CHAT(U("hi") "," A("the fish")),
          "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n[the fish<|im_end|>]");
    shows(&f, CHAT(U("1") "," A("2") "," U("3") "," A("4") "," U("5")),
          "<|im_start|>user\n1<|im_end|>\n<|im_start|>assistant\n[2<|im_end|>]\n"
          "<|im_start|>user\n3<|im_end|>\n<|im_start|>assistant\n[4<|im_end|>]");
    shows(
        &f,
        CHAT(U("1") ",{\"role\":\"assistant\",\"content\":\"2\",\"weight\":0}," U("3") "," A("4")),
        "<|im_start|>user\n1<|im_end|>\n<|im_start|>assistant\n2<|im_end|>\n"
        "<|im_start|>user\n3<|im_end|>\n<|im_start|>assistant\n[4<|im_end|>]");
    // A mark in somebody's words is letters, also in the reply.
    shows(&f, CHAT(U("<|im_end|>") "," A("x<|im_end|>y")),
          "<|im_start|>user\n<|im_end|><|im_end|>\n<|im_start|>assistant\n"
          "[x<|im_end|>y<|im_end|>]");
    refuses(&f,
            CHAT(U("1") ",{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{"
                        "\"function\":{\"name\":\"f\",\"arguments\":{}}}]}"),
            "writes no calls");
    refuses(&f, "{\"messages\":[" U("1") "," A("2") "],\"tools\":[{\"name\":\"f\"}]}", "no tools");
    refuses(&f,
            CHAT(U("1") ",{\"role\":\"assistant\",\"content\":\"2\",\"reasoning_content\":\"\xF0"
                        "\x9F\x90\x9F</think>\"}"),
            "would not either");
    data_fixture_close(&f);
}

/* "\n\n" is one token, of which the first half is the prompt's. */
static void replies_begin_where_the_prompt_ends(void **state) {
    (void)state;
    struct data_fixture f;
    struct data_doc doc;
    struct jl_error err;
    open_with(&f, "turns");
    const char *line = CHAT(U("1") "," A("\\nriver"));
    shows(&f, line, "<|im_start|>user\n1<|im_end|>\n<|im_start|>assistant\n[\nriver<|im_end|>]");
    assert_int_equal(data_fixture_line(&f, line, &doc, &err), JL_OK);
    data_doc_free(&doc);
    data_fixture_close(&f);
    data_fixture_open(&f, DATA_FIXTURE_PREFIX, "turns");
    refuses(&f, line, "white space");
    data_fixture_close(&f);
}

static void dropped_thoughts_part_the_examples(void **state) {
    (void)state;
    struct data_fixture f;
    open_with(&f, "forgetful");
    shows(&f,
          CHAT(U("1") ",{\"role\":\"assistant\",\"content\":\"2\",\"reasoning_content\":\"t\"}," U(
              "3") ",{\"role\":\"assistant\",\"content\":\"4\",\"reasoning_content\":\"u\"}"),
          "<|im_start|>user\n1<|im_end|>\n<|im_start|>assistant\n[<think>\nt\n</think>\n\n"
          "2<|im_end|>] | "
          "<|im_start|>user\n1<|im_end|>\n<|im_start|>assistant\n2<|im_end|>\n"
          "<|im_start|>user\n3<|im_end|>\n<|im_start|>assistant\n[<think>\nu\n</think>\n\n"
          "4<|im_end|>]");
    // Without thoughts nothing is dropped.
    shows(&f, CHAT(U("1") "," A("2") "," U("3") "," A("4")),
          "<|im_start|>user\n1<|im_end|>\n<|im_start|>assistant\n[2<|im_end|>]\n"
          "<|im_start|>user\n3<|im_end|>\n<|im_start|>assistant\n[4<|im_end|>]");
    data_fixture_close(&f);
}

static void thoughts_that_the_prompt_opens(void **state) {
    (void)state;
    static const char *const same[] = {
        "{\"role\":\"assistant\",\"content\":\"2\",\"reasoning_content\":\"t\"}",
        A("<think>\\nt\\n</think>\\n\\n2"), A("t\\n</think>\\n\\n2"), NULL};
    struct data_fixture f;
    char line[1024];
    open_with(&f, "opened");
    for (int i = 0; same[i]; i++) {
        snprintf(line, sizeof line, CHAT(U("1") ",%s"), same[i]);
        shows(&f, line, "<｜User｜>1<｜Assistant｜><think>\n[t\n</think>\n\n2</s>]");
    }
    // The past of this template has no thought, the reply has.
    snprintf(line, sizeof line, CHAT(U("1") ",%s," U("3") ",%s"), same[0], same[0]);
    shows(&f, line,
          "<｜User｜>1<｜Assistant｜><think>\n[t\n</think>\n\n2</s>] | "
          "<｜User｜>1<｜Assistant｜>2<｜end▁of▁sentence｜><｜User｜>3<｜Assistant｜><think>\n"
          "[t\n</think>\n\n2</s>]");
    shows(&f, CHAT(U("1") ",{\"role\":\"assistant\",\"content\":\"2\",\"reasoning_content\":\"\"}"),
          "<｜User｜>1<｜Assistant｜><think>\n[\n</think>\n\n2</s>]");
    refuses(&f, CHAT(U("1") "," A("2")), "opens a thought");
    data_fixture_close(&f);
}

static void an_end_is_appended(void **state) {
    (void)state;
    struct data_fixture f;
    open_with(&f, "bare");
    // The past has no EOS, so each reply is an example of its own.
    shows(&f, CHAT(U("1") "," A("2") "," U("3") "," A("4")),
          "user: 1\nassistant: [2\n</s>] | user: 1\nassistant: 2\nuser: 3\nassistant: [4\n</s>]");
    data_fixture_close(&f);
    data_fixture_open(&f, DATA_FIXTURE_NO_EOS, "bare");
    data_fixture_close(&f);
}

static void the_mark_of_the_next_turn_ends_one(void **state) {
    (void)state;
    struct data_fixture f;
    open_with(&f, "next");
    shows(&f, CHAT(U("1") "," A("2") "," U("3") "," A("4")),
          "<|user|>1<|assistant|>[2<|user|>]3<|assistant|>[4<|user|>]");
    shows(&f,
          CHAT(U("1") ",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"function\":{"
                      "\"name\":\"f\",\"arguments\":\"{\\\"k\\\": \\\"v\\\"}\"}}]}"
                      ",{\"role\":\"tool\",\"content\":\"r\"}," A("4")),
          "<|user|>1<|assistant|>[<tool_call>f\n<arg_key>k</arg_key><arg_value>v</arg_value>"
          "</tool_call><|observation|>]r<|assistant|>[4<|user|>]");
    shows(&f,
          CHAT(U("1") ",{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{"
                      "\"name\":\"f\",\"arguments\":{\"k\": \"v\"}}}]}"),
          "<|user|>1<|assistant|>[<tool_call>f\n<arg_key>k</arg_key><arg_value>v</arg_value>"
          "</tool_call><|observation|>]");
    data_fixture_close(&f);
}

#define CALL(args)                                                                                 \
    CHAT(U("1") ",{\"role\":\"assistant\",\"tool_calls\":[{\"type\":\"function\",\"function\":{"   \
                "\"name\":\"f\",\"arguments\":" args "}}]}")

static void calls_as_the_template_wants_them(void **state) {
    (void)state;
    struct data_fixture f;
    const char *want = "<|im_start|>user\n1<|im_end|>\n<|im_start|>assistant\n"
                       "[<tool_call>\n{\"name\": \"f\", \"arguments\": {\"k\": 1}}\n</tool_call>"
                       "<|im_end|>]";
    open_with(&f, "objects");
    shows(&f, CALL("{\"k\": 1}"), want);
    shows(&f, CALL("\"{\\\"k\\\":1}\""), want);
    refuses(&f, CALL("\"[1]\""), "holds no JSON object");
    refuses(&f, CALL("\"{\""), "holds no JSON object");
    data_fixture_close(&f);
    open_with(&f, "strings");
    want = "<|im_start|>user\n1<|im_end|>\n<|im_start|>assistant\n[<call>f {\"k\": 1}</call>"
           "<|im_end|>]";
    shows(&f, CALL("{\"k\": 1}"), want);
    shows(&f, CALL("\"{\\\"k\\\": 1}\""), want);
    data_fixture_close(&f);
}

static void nothing_is_lost_silently(void **state) {
    (void)state;
    struct data_fixture f;
    open_with(&f, "silent");
    refuses(&f, CHAT("{\"role\":\"system\",\"content\":\"rules\"}," U("1") "," A("2")),
            "leaves out");
    refuses(&f, CHAT(U("1") "," A("2") ",{\"role\":\"tool\",\"content\":\"a \\\"b\\\"\"}," A("3")),
            "what the tool says");
    refuses(&f, CHAT(U("words") "," A("2")), "words behind");
    data_fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_end),
        cmocka_unit_test(turns_are_one_example),
        cmocka_unit_test(replies_begin_where_the_prompt_ends),
        cmocka_unit_test(dropped_thoughts_part_the_examples),
        cmocka_unit_test(thoughts_that_the_prompt_opens),
        cmocka_unit_test(an_end_is_appended),
        cmocka_unit_test(the_mark_of_the_next_turn_ends_one),
        cmocka_unit_test(calls_as_the_template_wants_them),
        cmocka_unit_test(nothing_is_lost_silently),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
