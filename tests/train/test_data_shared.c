/* Published templates with vocabularies of their kind, where they lie beside the checkout: what is
 * in the loss is the reply and the token that ends it, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "fixture.h"
#include "support/scratch.h"
#include "text/buffer.h"

#define SHARED "../shared/"

/* What is in the loss of three conversations, runs parted by "|"; or what refuses them says, behind
 * "!". */
struct published {
    const char *template_file, *tokenizer, *pre; // below ../shared/; pre: of rank files
    const char *bos, *eos;                       // as the template prints them
    const char *plain, *thought, *call;
};

#define NO_THOUGHTS "!no way to write thoughts"
#define CHATML "The fish<|im_end|>|\xE9\xB1\xBC!<|im_end|>"
#define CHATML_THOUGHTS                                                                            \
    "<think>\nhm\n</think>\n\nThe fish<|im_end|>|<think>\nso\n</think>\n\n\xE9\xB1\xBC!<|im_end|>"
#define LLAMA "The fish<|eot_id|>|\xE9\xB1\xBC!<|eot_id|>"
#define LLAMA_CALL                                                                                 \
    "{\"name\": \"look\", \"parameters\": {\"at\": \"river\"}}<|eot_id|>|Three.<|eot_id|>"

static const struct published models[] = {
    {"Qwen-Qwen2.5-7B-Instruct", "vocab/qwen2/qwen2.tiktoken", "qwen2", "", "<|im_end|>", CHATML,
     CHATML_THOUGHTS,
     "<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": "
     "\"river\"}}\n</tool_call><|im_end|>|"
     "Three.<|im_end|>"},
    {"NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use", "vocab/qwen2/qwen2.tiktoken", "qwen2", "",
     "<|im_end|>", CHATML, CHATML_THOUGHTS,
     "<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\":\"river\"}}\n</tool_call><|im_end|>|"
     "Three.<|im_end|>"},
    {"meta-llama-Llama-3.1-8B-Instruct", "vocab/llama-3/llama3.tiktoken", "llama3",
     "<|begin_of_text|>", "<|eot_id|>", LLAMA, NO_THOUGHTS, LLAMA_CALL},
    {"meta-llama-Llama-3.2-3B-Instruct", "vocab/llama-3/llama3.tiktoken", "llama3",
     "<|begin_of_text|>", "<|eot_id|>", LLAMA, NO_THOUGHTS, LLAMA_CALL},
    {"mistralai-Mistral-Nemo-Instruct-2407", "vocab/mistral-0.3/tokenizer.json", NULL, "<s>",
     "</s>", "The fish</s>|\xE9\xB1\xBC!</s>", NO_THOUGHTS,
     "[TOOL_CALLS][{\"name\": \"look\", \"arguments\": {\"at\": \"river\"}, \"id\": \"abcdefghi\"}]"
     "</s>|Three.</s>"},
    {"microsoft-Phi-3.5-mini-instruct", "vocab/gguf/ggml-vocab-phi-3.gguf", NULL, "<s>",
     "<|endoftext|>", "The fish<|end|>|\xE9\xB1\xBC!<|end|>", NO_THOUGHTS, "!knows no tools"},
    {"deepseek-ai-DeepSeek-R1-Distill-Llama-8B", "vocab/deepseek-v3/deepseek_v3.tiktoken",
     "deepseek-v3", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "!opens a thought",
     "hm\n</think>\n\nThe fish<｜end▁of▁sentence｜>|so\n</think>\n\n\xE9\xB1\xBC!"
     "<｜end▁of▁sentence｜>",
     "!knows no tools"},
    {"CohereForAI-c4ai-command-r-plus-tool_use", "vocab/gguf/ggml-vocab-llama-spm.gguf", NULL,
     "<s>", "</s>", "The fish</s>|\xE9\xB1\xBC!</s>", NO_THOUGHTS, "!no way to write tool calls"},
};

static bool open_published(const struct published *m, struct data_fixture *f) {
    char path[512], json[512];
    char *text;
    snprintf(path, sizeof path, SHARED "templates/%s.jinja", m->template_file);
    if (!file_exists(path) || file_read(path, 1 << 20, &text, NULL, NULL) != JL_OK) {
        print_message("skipped: there is no %s\n", path);
        return false;
    }
    snprintf(json, sizeof json, "{\"bos_token\": \"%s\", \"eos_token\": \"%s\"}", m->bos, m->eos);
    snprintf(path, sizeof path, "%s/chat_template.jinja", m->template_file);
    scratch_text(path, text);
    free(text);
    snprintf(path, sizeof path, "%s/special_tokens_map.json", m->template_file);
    scratch_text(path, json);
    snprintf(path, sizeof path, SHARED "%s", m->tokenizer);
    if (!file_exists(path)) {
        print_message("skipped: there is no %s\n", path);
        return false;
    }
    *f = data_fixture_of(path, m->pre, scratch_path(m->template_file));
    return true;
}

#define USER(text) "{\"role\":\"user\",\"content\":\"" text "\"}"

static const char plain[] =
    "{\"messages\":[" USER("Hi") ",{\"role\":\"assistant\",\"content\":\"The fish\"}," USER(
        "more") ",{\"role\":\"assistant\",\"content\":\"\xE9\xB1\xBC!\"}]}";
static const char thought[] =
    "{\"messages\":[" USER("Hi") ",{\"role\":\"assistant\",\"content\":\"The fish\","
                                 "\"reasoning_content\":\"hm\"}," USER(
                                     "more") ",{\"role\":\"assistant\",\"content\":"
                                             "\"\xE9\xB1\xBC!\",\"reasoning_content\":\"so\"}]}";
static const char call[] = "{\"messages\":[" USER(
    "Hi") ",{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{"
          "\"type\":\"function\",\"id\":\"abcdefghi\",\"function\":{\"name\":\"look\","
          "\"arguments\":"
          "\"{\\\"at\\\":\\\"river\\\"}\"}}]},{\"role\":\"tool\",\"content\":\"3 fish\","
          "\"tool_call_id\":\"abcdefghi\"},{\"role\":\"assistant\",\"content\":\"Three.\"}],"
          "\"tools\":[{"
          "\"type\":\"function\",\"function\":{\"name\":\"look\",\"description\":\"d\","
          "\"parameters\":{"
          "\"type\":\"object\",\"properties\":{\"at\":{\"type\":\"string\",\"description\":\"w\"}}}"
          "}}]}";

/* The runs in the loss, each decoded by itself. */
static void put_runs(const struct tokenizer *t, const struct data_doc *doc,
                     struct byte_buffer *out) {
    struct jl_error err;
    size_t at = 0;
    for (uint32_t e = 0; e < doc->n_example; e++) {
        struct data_example example = data_example_at(doc->words + at);
        struct token_stream stream;
        token_stream_init(&stream, t, false);
        stream.raw = stream.show_control = true;
        for (uint32_t i = 1; i < example.n; i++) {
            if (!data_example_loss(&example, i)) continue;
            if (!data_example_loss(&example, i - 1) && out->len)
                assert_true(buffer_append(out, "|", 1));
            assert_int_equal(token_stream_push(&stream, (int32_t)example.ids[i], &out->data,
                                               &out->len, &out->cap, &err),
                             JL_OK);
        }
        at += data_example_words(example.n);
    }
    assert_true(buffer_append(out, "", 1));
}

static void check(const struct data_fixture *f, const char *line, const char *want) {
    struct byte_buffer runs = {0};
    struct data_doc doc;
    struct jl_error err;
    enum jl_status status = data_fixture_line(f, line, &doc, &err);
    if (want[0] == '!') {
        assert_int_not_equal(status, JL_OK);
        if (!strstr(err.message, want + 1)) fail_msg("'%s' lacks '%s'", err.message, want + 1);
    } else {
        if (status != JL_OK) fail_msg("%s", err.message);
        put_runs(f->tokenizer, &doc, &runs);
        assert_string_equal(runs.data, want);
    }
    buffer_free(&runs);
    data_doc_free(&doc);
}

static void replies_are_in_the_loss(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        struct data_fixture f;
        if (!open_published(&models[i], &f)) continue;
        check(&f, plain, models[i].plain);
        check(&f, thought, models[i].thought);
        check(&f, call, models[i].call);
        data_fixture_close(&f);
    }
}

/* What the model learns behind is what it is asked with: the tokens before the first reply are
 * those of the prompt by itself. */
static void prompts_are_those_of_inference(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        struct data_fixture f;
        struct data_doc doc;
        struct jl_error err;
        struct chat_rendered prompt;
        struct token_ids ids;
        const struct chat_render_options clock = {.now = 0, .has_now = true};
        if (models[i].plain[0] == '!' || !open_published(&models[i], &f)) continue;
        json_t *variables = json_pack("{s:[{s:s, s:s}], s:b}", "messages", "role", "user",
                                      "content", "Hi", "add_generation_prompt", 1);
        assert_int_equal(chat_form_render_with(&f.form, variables, &clock, &prompt, &err), JL_OK);
        const struct tokenizer_text text = {prompt.text, prompt.len, prompt.user, prompt.n_user};
        assert_int_equal(
            tokenizer_encode_marked(f.tokenizer, &text, ENCODE_SPECIAL, &ids, NULL, &err), JL_OK);
        assert_int_equal(data_fixture_line(&f, plain, &doc, &err), JL_OK);
        struct data_example example = data_example_at(doc.words);
        assert_true(example.n > ids.len);
        for (size_t k = 0; k < ids.len; k++) {
            assert_int_equal(example.ids[k], ids.data[k]);
            assert_false(data_example_loss(&example, k));
        }
        assert_true(data_example_loss(&example, ids.len));
        free(ids.data);
        chat_rendered_free(&prompt);
        json_decref(variables);
        data_doc_free(&doc);
        data_fixture_close(&f);
    }
}

static int remove_all(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_in_the_loss),
        cmocka_unit_test(prompts_are_those_of_inference),
    };
    return cmocka_run_group_tests(tests, NULL, remove_all);
}
