/* open_template on GGUF files and folders written here: every place a template can be, and the
 * token strings beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "format/gguf_write.h"
#include "session/open_template.h"
#include "support/scratch.h"

static void expect(const char *path, const char *name, bool tools, const char *source) {
    struct model_template t;
    struct jl_error err = {0};
    if (open_template(path, name, tools, &t, &err) != JL_OK) fail_msg("%s: %s", path, err.message);
    assert_int_equal(t.len, strlen(source));
    assert_string_equal(t.source, source);
    open_template_free(&t);
}

static void refuse(const char *path, const char *name, enum jl_status status, const char *says) {
    struct model_template t;
    struct jl_error err = {0};
    assert_int_equal(open_template(path, name, false, &t, &err), status);
    if (!strstr(err.message, says)) fail_msg("%s", err.message);
    open_template_free(&t);
}

static const char *token(const struct model_template *t, const char *name) {
    return json_string_value(json_object_get(t->tokens, name));
}

/* ---- GGUF ---- */

static const char *write_gguf(const char *name, const char *model, bool with_templates,
                              const uint32_t *eos) {
    const struct gguf_string texts[] = {{"<unk>", 5}, {"<s>", 3}, {"</s>", 4}, {"<|im_end|>", 10}};
    const struct gguf_string names[] = {{"default", 7}, {"tool_use", 8}};
    const int64_t dim[1] = {8};
    const float data[8] = {0};
    struct jl_error err = {0};
    struct gguf_writer *w;
    const char *path = scratch_path(name);
    assert_int_equal(gguf_writer_create(path, 0, &w, &err), JL_OK);
    gguf_put_text(w, "general.architecture", "llama");
    gguf_put_text(w, "tokenizer.ggml.model", model);
    gguf_put_strings(w, "tokenizer.ggml.tokens", texts, 4);
    if (eos) gguf_put_u32(w, "tokenizer.ggml.eos_token_id", *eos);
    if (with_templates) {
        gguf_put_text(w, "tokenizer.chat_template", "plain");
        gguf_put_text(w, "tokenizer.chat_template.tool_use", "with tools");
        gguf_put_strings(w, "tokenizer.chat_templates", names, 2);
    }
    gguf_add_tensor(w, "x", DTYPE_F32, 1, dim);
    assert_int_equal(gguf_write_data(w, data, sizeof data, &err), JL_OK);
    if (gguf_writer_commit(w, &err) != JL_OK) fail_msg("%s", err.message);
    gguf_writer_free(w);
    return path;
}

static void gguf_files(void **state) {
    const uint32_t eos = 3, bad = 4;
    struct model_template t;
    struct jl_error err;
    (void)state;
    const char *path = write_gguf("a.gguf", "llama", true, &eos);
    expect(path, NULL, false, "plain");
    expect(path, NULL, true, "with tools");
    expect(path, "default", true, "plain");
    expect(path, "tool_use", false, "with tools");
    refuse(path, "rag", JL_ERR_USAGE, "'rag'");
    assert_int_equal(open_template(path, NULL, false, &t, &err), JL_OK);
    assert_string_equal(token(&t, "bos_token"), "<s>"); // the usual id of SentencePiece
    assert_string_equal(token(&t, "eos_token"), "<|im_end|>");
    assert_string_equal(token(&t, "unk_token"), "<unk>");
    assert_null(token(&t, "pad_token"));
    open_template_free(&t);
    path = write_gguf("b.gguf", "gpt2", true, &eos);
    assert_int_equal(open_template(path, NULL, false, &t, &err), JL_OK);
    assert_null(token(&t, "bos_token")); // no id, no token
    open_template_free(&t);
    refuse(write_gguf("c.gguf", "gpt2", false, NULL), NULL, JL_ERR_UNSUPPORTED, "no chat template");
    refuse(write_gguf("d.gguf", "gpt2", true, &bad), NULL, JL_ERR_FORMAT, "outside the vocabulary");
}

/* ---- folders ---- */

static void folders(void **state) {
    struct model_template t;
    struct jl_error err;
    (void)state;
    scratch_text(
        "one/tokenizer_config.json",
        "{\"chat_template\": \"in config\", \"bos_token\": \"<s>\","
        " \"eos_token\": {\"content\": \"</s>\", \"lstrip\": false}, \"pad_token\": null}");
    scratch_text("one/special_tokens_map.json",
                 "{\"pad_token\": \"<pad>\", \"bos_token\": \"other\"}");
    const char *path = scratch_path("one");
    expect(path, NULL, true, "in config");
    expect(path, "default", false, "in config");
    refuse(path, "rag", JL_ERR_USAGE, "'rag'");
    assert_int_equal(open_template(path, NULL, false, &t, &err), JL_OK);
    assert_string_equal(token(&t, "bos_token"), "<s>");
    assert_string_equal(token(&t, "eos_token"), "</s>");
    assert_string_equal(token(&t, "pad_token"), "<pad>");
    open_template_free(&t);
    scratch_text("one/chat_template.json", "{\"chat_template\": \"in json\"}");
    expect(path, NULL, false, "in json");
    scratch_text("one/chat_template.jinja", "in jinja\n");
    expect(path, NULL, false, "in jinja\n");
    scratch_text("one/additional_chat_templates/tool_use.jinja", "tools");
    expect(path, NULL, true, "tools");
    expect(path, NULL, false, "in jinja\n");
    expect(path, "tool_use", false, "tools");
    refuse(path, "../chat_template", JL_ERR_USAGE, "no '/'");
    scratch_text("two/tokenizer_config.json",
                 "{\"chat_template\": [{\"name\": \"default\", \"template\": \"d\"},"
                 " {\"name\": \"tool_use\", \"template\": \"t\"},"
                 " {\"name\": \"rag\", \"template\": \"r\"}]}");
    path = scratch_path("two");
    expect(path, NULL, false, "d");
    expect(path, NULL, true, "t");
    expect(path, "rag", true, "r");
    refuse(path, "nosuch", JL_ERR_USAGE, "'nosuch'");
    scratch_text("long/tokenizer_config.json",
                 "{\"model_max_length\": 1000000000000000019884624838656,"
                 " \"chat_template\": \"no limit\"}");
    expect(scratch_path("long"), NULL, false, "no limit");
    scratch_text("three/tokenizer_config.json", "{}");
    refuse(scratch_path("three"), NULL, JL_ERR_UNSUPPORTED, "no chat template");
    scratch_text("four/tokenizer_config.json", "{\"chat_template\": 7}");
    refuse(scratch_path("four"), NULL, JL_ERR_FORMAT, "chat_template");
    scratch_text("five/tokenizer_config.json", "{\"chat_template\": \"x\", \"bos_token\": 7}");
    refuse(scratch_path("five"), NULL, JL_ERR_FORMAT, "bos_token");
    scratch_text("six/tokenizer_config.json", "{\"chat_template\": ");
    refuse(scratch_path("six"), NULL, JL_ERR_FORMAT, "JSON");
}

static void files(void **state) {
    struct model_template t;
    struct jl_error err;
    json_t *variables = json_object();
    (void)state;
    scratch_text("x.jinja", "{{ a }}");
    const char *path = scratch_path("x.jinja");
    expect(path, NULL, true, "{{ a }}");
    refuse(path, "tool_use", JL_ERR_USAGE, "no names");
    refuse(scratch_path("nosuch.jinja"), NULL, JL_ERR_IO, "nosuch");
    assert_int_equal(open_template(path, NULL, false, &t, &err), JL_OK);
    assert_int_equal(open_template_variables(&t, variables, &err), JL_OK);
    assert_int_equal(json_object_size(variables), 0);
    open_template_free(&t);
    json_decref(variables);
}

static void variables(void **state) {
    struct model_template t;
    struct jl_error err;
    json_t *v = json_pack("{s:s, s:b}", "eos_token", "mine", "add_generation_prompt", 1);
    (void)state;
    scratch_text("v/tokenizer_config.json",
                 "{\"chat_template\": \"x\", \"bos_token\": \"<s>\", \"eos_token\": \"</s>\"}");
    assert_int_equal(open_template(scratch_path("v"), NULL, false, &t, &err), JL_OK);
    assert_int_equal(open_template_variables(&t, v, &err), JL_OK);
    assert_string_equal(json_string_value(json_object_get(v, "bos_token")), "<s>");
    assert_string_equal(json_string_value(json_object_get(v, "eos_token")), "mine");
    assert_true(json_is_null(json_object_get(v, "tools")));
    assert_true(json_is_null(json_object_get(v, "documents")));
    assert_true(json_is_true(json_object_get(v, "add_generation_prompt")));
    open_template_free(&t);
    json_decref(v);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gguf_files),
        cmocka_unit_test(folders),
        cmocka_unit_test(files),
        cmocka_unit_test(variables),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove();
    return failed;
}
