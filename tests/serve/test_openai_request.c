/* Requests as clients send them: what is read of them, and every refusal by the name of its field.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "serve/openai/request.h"

static struct openai_request request;

/* False: refused, `problem` says why. */
static bool read(enum openai_kind kind, const char *body, struct openai_problem *problem) {
    *problem = (struct openai_problem){0};
    openai_request_free(&request);
    return openai_request_read(kind, body, strlen(body), &request, problem);
}

static void must(enum openai_kind kind, const char *body) {
    struct openai_problem problem;
    if (!read(kind, body, &problem)) fail_msg("%s: %s", body, problem.message);
}

static void refused(enum openai_kind kind, const char *body, const char *param, const char *what) {
    struct openai_problem problem;
    if (read(kind, body, &problem)) fail_msg("taken: %s", body);
    assert_int_equal(problem.status, 400);
    assert_string_equal(problem.param, param);
    if (!strstr(problem.message, what))
        fail_msg("%s: '%s' lacks '%s'", body, problem.message, what);
    openai_request_free(&request);
}

#define HELLO "\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]"

static void chat(void **state) {
    (void)state;
    must(OPENAI_CHAT,
         "{\"model\": \"fry\", " HELLO
         ", \"temperature\": 0.5, \"top_p\": 1, \"n\": 2, \"max_tokens\": 7, "
         "\"max_completion_tokens\": 7, \"seed\": -5, \"stop\": [\"a\", \"bc\"], \"stream\": true, "
         "\"stream_options\": {\"include_usage\": true}, \"logprobs\": true, \"top_logprobs\": 3, "
         "\"logit_bias\": {\"5\": -100, \"9\": 2.5}, \"user\": \"x\", \"frobnicate\": 1, \"a b\": "
         "2, "
         "\"frequency_penalty\": null}");
    assert_string_equal(request.model, "fry");
    assert_true(request.has[SAMPLE_temperature] && request.values[SAMPLE_temperature] == 0.5);
    assert_true(request.has[SAMPLE_top_p]);
    assert_false(request.has[SAMPLE_frequency_penalty]);
    assert_int_equal(request.n, 2);
    assert_int_equal(request.n_max, 7);
    assert_true(request.has_seed && request.seed == (uint64_t)-5);
    assert_int_equal(request.n_stop, 2);
    assert_int_equal(request.stop[1].len, 2);
    assert_true(request.stream && request.include_usage && request.logprobs);
    assert_int_equal(request.n_top, 3);
    assert_int_equal(request.n_bias, 2);
    for (int i = 0; i < 2; i++)
        if (request.bias[i].id == 5)
            assert_true(isinf(request.bias[i].bias) && request.bias[i].bias < 0);
        else
            assert_true(request.bias[i].bias == 2.5f);
    assert_non_null(strstr(request.ignored, "frobnicate"));
    assert_null(strstr(request.ignored, "a b"));
    must(OPENAI_CHAT, "{" HELLO ", \"stop\": \"x\", \"reasoning_effort\": \"low\"}");
    assert_null(request.model);
    assert_int_equal(request.n_stop, 1);
    assert_int_equal(request.thinking, 1);
    assert_int_equal(request.thinking_budget, 1024);
    must(OPENAI_CHAT, "{" HELLO ", \"thinking\": {\"type\": \"enabled\", \"budget_tokens\": 50}}");
    assert_int_equal(request.thinking_budget, 50);
    must(OPENAI_CHAT, "{" HELLO ", \"enable_thinking\": false}");
    assert_int_equal(request.thinking, 0);
    openai_request_free(&request);
}

static const char *text_of(size_t message, const char *key) {
    const char *text =
        json_string_value(json_object_get(json_array_get(request.messages, message), key));
    return text ? text : "(none)";
}

static void conversation(void **state) {
    (void)state;
    must(OPENAI_CHAT, "{\"messages\": [{\"role\": \"developer\", \"content\": \"be\"}, "
                      "{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"a\"}, "
                      "{\"type\": \"text\", \"text\": \"b\"}]}, "
                      "{\"role\": \"assistant\", \"content\": null, \"reasoning\": \"hm\", "
                      "\"refusal\": null, \"tool_calls\": ["
                      "{\"id\": \"c1\", \"type\": \"function\", \"function\": {\"name\": \"f\", "
                      "\"arguments\": \"{\\\"x\\\": 1}\"}}, "
                      "{\"id\": \"c2\", \"type\": \"function\", \"function\": {\"name\": \"g\", "
                      "\"arguments\": \"\"}}]}, "
                      "{\"role\": \"tool\", \"tool_call_id\": \"c1\", \"content\": \"2\"}]}");
    assert_string_equal(text_of(0, "role"), "system");
    assert_string_equal(text_of(1, "content"), "a\nb");
    assert_string_equal(text_of(2, "reasoning_content"), "hm");
    assert_string_equal(text_of(3, "name"), "f");
    const json_t *calls = json_object_get(json_array_get(request.messages, 2), "tool_calls");
    const json_t *first = json_object_get(json_object_get(json_array_get(calls, 0), "function"),
                                          "arguments"),
                 *second = json_object_get(json_object_get(json_array_get(calls, 1), "function"),
                                           "arguments");
    assert_int_equal(json_integer_value(json_object_get(first, "x")), 1);
    assert_true(json_is_object(second) && json_object_size(second) == 0);
    refused(OPENAI_CHAT, "{\"messages\": [{\"role\": \"user\"}]}", "messages[0]", "content");
    refused(OPENAI_CHAT, "{\"messages\": [{\"role\": \"boss\", \"content\": \"x\"}]}",
            "messages[0]", "role");
    refused(OPENAI_CHAT, "{\"messages\": [\"x\"]}", "messages[0]", "role");
    refused(OPENAI_CHAT,
            "{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image_url\", "
            "\"image_url\": {}}]}]}",
            "messages[0]", "text");
    must(OPENAI_CHAT, // what is no object comes back as it was said
         "{\"messages\": [{\"role\": \"assistant\", \"tool_calls\": [{\"function\": {\"name\": "
         "\"f\", "
         "\"arguments\": \"[1]\"}}]}]}");
    calls = json_object_get(json_array_get(request.messages, 0), "tool_calls");
    const json_t *function = json_object_get(json_array_get(calls, 0), "function");
    const json_t *arguments = json_object_get(function, "arguments");
    assert_string_equal(json_string_value(json_object_get(arguments, "arguments")), "[1]");
    openai_request_free(&request);
}

static void tools(void **state) {
    (void)state;
    static const char tool[] =
        "\"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"f\", "
        "\"parameters\": {\"type\": \"object\"}}}]";
    char body[1024];
    snprintf(body, sizeof body,
             "{" HELLO
             ", %s, \"tool_choice\": {\"type\": \"function\", \"function\": {\"name\": \"f\"}}}",
             tool);
    must(OPENAI_CHAT, body);
    assert_int_equal(request.tool_choice, OPENAI_TOOLS_NAMED);
    assert_int_equal(json_array_size(request.tools), 1);
    snprintf(body, sizeof body,
             "{" HELLO
             ", %s, \"tool_choice\": {\"type\": \"function\", \"function\": {\"name\": \"g\"}}}",
             tool);
    refused(OPENAI_CHAT, body, "tool_choice", "\"g\"");
    refused(OPENAI_CHAT, "{" HELLO ", \"tool_choice\": \"required\"}", "tool_choice", "none");
    refused(OPENAI_CHAT, "{" HELLO ", \"tools\": [{\"type\": \"function\"}]}", "tools[0]",
            "function");
    refused(OPENAI_CHAT, "{" HELLO ", \"tools\": {}}", "tools", "list");
    must(OPENAI_CHAT, "{" HELLO ", \"tools\": [], \"tool_choice\": \"auto\"}");
    assert_null(request.tools);
    openai_request_free(&request);
}

static void completions(void **state) {
    (void)state;
    must(OPENAI_COMPLETION,
         "{\"prompt\": \"x\", \"logprobs\": 0, \"echo\": true, \"max_tokens\": 0}");
    assert_int_equal(request.n_prompt, 1);
    assert_int_equal(request.n_max, -1);
    assert_true(request.logprobs && request.echo && request.n_top == 0);
    must(OPENAI_COMPLETION, "{\"prompt\": [1, 2, 3]}");
    assert_int_equal(request.n_prompt, 1);
    assert_int_equal(request.prompts[0].n_id, 3);
    must(OPENAI_COMPLETION, "{\"prompt\": [\"a\", \"b\"], \"suffix\": \"c\"}");
    assert_int_equal(request.n_prompt, 2);
    assert_string_equal(request.suffix, "c");
    must(OPENAI_COMPLETION, "{\"prompt\": [[1], [2, 3]]}");
    assert_int_equal(request.prompts[1].n_id, 2);
    refused(OPENAI_COMPLETION, "{\"prompt\": []}", "prompt", "list");
    refused(OPENAI_COMPLETION, "{\"prompt\": [1, \"a\"]}", "prompt", "token ids");
    refused(OPENAI_COMPLETION, "{\"prompt\": [-1]}", "prompt", "token ids");
    refused(OPENAI_COMPLETION, "{}", "prompt", "missing");
    refused(OPENAI_COMPLETION, "{\"prompt\": \"x\", \"best_of\": 3}", "best_of", "not supported");
    openai_request_free(&request);
}

static void bounds(void **state) {
    (void)state;
    must(OPENAI_CHAT, "{" HELLO ", \"max_tokens\": 5, \"max_completion_tokens\": 6}");
    assert_int_equal(request.n_max, 6);
    must(OPENAI_CHAT, "{" HELLO ", \"max_completion_tokens\": 6, \"max_tokens\": 5}");
    assert_int_equal(request.n_max, 6);
    must(OPENAI_CHAT, "{" HELLO ", \"max_tokens\": -1, \"stop\": [\"\", \"x\"]}");
    assert_int_equal(request.n_max, 0);
    assert_int_equal(request.n_stop, 1);
    must(OPENAI_CHAT, "{" HELLO ", \"guided_choice\": [\"a.b\", \"c|d\"]}");
    assert_string_equal(request.grammar, "a\\.b|c\\|d");
    openai_request_free(&request);
}

static void refusals(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"{\"messages\": []}", "messages", "list"},
        {"{" HELLO ", \"temperature\": -1}", "temperature", "temperature"},
        {"{" HELLO ", \"temperature\": \"hot\"}", "temperature", "number"},
        {"{" HELLO ", \"n\": 1000000}", "n", "128"},
        {"{" HELLO ", \"n\": 1.5}", "n", "whole"},
        {"{" HELLO ", \"max_tokens\": 0}", "max_tokens", "1 or more"},
        {"{" HELLO ", \"max_tokens\": -2}", "max_tokens", "whole"},
        {"{" HELLO ", \"stop\": [1]}", "stop", "text"},
        {"{" HELLO ", \"grammar\": \"root ::= \\\"a\\\"\", \"regex\": \"a\"}", "regex", "beside"},
        {"{" HELLO ", \"guided_choice\": []}", "guided_choice", "list of texts"},
        {"{" HELLO ", \"top_logprobs\": 3}", "top_logprobs", "logprobs"},
        {"{" HELLO ", \"logprobs\": true, \"top_logprobs\": 21}", "top_logprobs", "20"},
        {"{" HELLO ", \"logit_bias\": {\"x\": 1}}", "logit_bias", "ids"},
        {"{" HELLO ", \"logit_bias\": {\"1\": 101}}", "logit_bias", "100"},
        {"{" HELLO ", \"response_format\": {\"type\": \"xml\"}}", "response_format", "json"},
        {"{" HELLO ", \"response_format\": {\"type\": \"json_schema\"}}", "response_format",
         "schema"},
        {"{" HELLO ", \"modalities\": [\"text\", \"audio\"]}", "modalities", "text"},
        {"{" HELLO ", \"audio\": {}}", "audio", "not supported"},
        {"{" HELLO ", \"reasoning_effort\": \"huge\"}", "reasoning_effort", "high"},
        {"{" HELLO ", \"stream\": 1}", "stream", "true or false"},
        {"[]", "", "object"},
        {"{" HELLO, "", "no JSON"},
        {"{" HELLO ", \"n\": 1, \"n\": 2}", "", "no JSON"},
        {"", "", "no JSON"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused(OPENAI_CHAT, cases[i][0], cases[i][1], cases[i][2]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(chat),   cmocka_unit_test(conversation),
                                       cmocka_unit_test(tools),  cmocka_unit_test(completions),
                                       cmocka_unit_test(bounds), cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
