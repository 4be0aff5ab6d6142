/* Published vocabularies as a GGUF file has them, written as files of a folder: the known ids still
 * come out, where the shared folder is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "session/open_tokenizer.h"

/* The files of a GGUF file's tokenizer, or of any other in GGUF's form. */
static void make(const char *path, const char *pre, struct tokenizer_folder *out) {
    struct jl_error err = {0};
    struct model_file *file;
    struct open_tokenizer_spec spec = {0};
    struct tokenizer_gguf g = {0};
    enum jl_status status;
    if (strstr(path, ".gguf")) {
        assert_int_equal(model_file_open(path, &file, &err), JL_OK);
        status = open_tokenizer_spec(file, &spec, &err);
        if (status == JL_OK)
            status = spec.is_bpe ? tokenizer_bpe_to_folder(&spec.bpe, out, &err)
                                 : tokenizer_spm_to_folder(&spec.spm, out, &err);
        model_file_free(file);
    } else {
        struct tokenizer *t;
        status = open_tokenizer_path(path, pre, &t, &err);
        if (status == JL_OK) status = tokenizer_to_gguf(t, tokenizer_vocab_size(t), &g, &err);
        const struct spm_spec spm = {g.tokens, g.n_token, g.bos,     g.eos,
                                     g.unk,    g.add_bos, g.add_eos, g.add_space_prefix};
        const struct bpe_spec bpe = {
            g.tokens, g.n_token, g.merges, g.n_merge, g.pre,     g.pre ? strlen(g.pre) : 0,
            g.bos,    g.eos,     g.unk,    g.add_bos, g.add_eos, g.add_space_prefix};
        if (status == JL_OK)
            status = g.merges ? tokenizer_bpe_to_folder(&bpe, out, &err)
                              : tokenizer_spm_to_folder(&spm, out, &err);
        tokenizer_free(t);
        tokenizer_gguf_free(&g);
    }
    if (status != JL_OK) fail_msg("%s: %s", path, err.message);
    open_tokenizer_spec_free(&spec);
}

static void check(const char *model, const char *pre, const char *name) {
    char *path = fixture_shared(model), cases[100];
    struct tokenizer_folder folder;
    struct tokenizer *t;
    struct jl_error err = {0};
    if (!path) skip();
    make(path, pre, &folder);
    free(path);
    size_t n_config = strlen(folder.config);
    enum jl_status status =
        strcmp(folder.name, "tokenizer.json")
            ? tokenizer_from_sentencepiece(folder.bytes, folder.len, folder.config, n_config, &t,
                                           &err)
            : tokenizer_from_json(folder.bytes, folder.len, folder.config, n_config, &t, &err);
    if (status != JL_OK) fail_msg("%s: %s", model, err.message);
    snprintf(cases, sizeof cases, "vocab/cases/%s.jsonl", name);
    path = fixture_shared(cases);
    assert_non_null(path);
    printf("%s: %zu cases\n", cases, fixture_check_cases(t, path));
    free(path);
    tokenizer_free(t);
    tokenizer_folder_free(&folder);
}

static void test_published(void **state) {
    static const struct {
        const char *model, *pre, *name;
    } rows[] = {
        {"vocab/gguf/ggml-vocab-deepseek-llm.gguf", NULL, "gguf-deepseek-llm"},
        {"vocab/gguf/ggml-vocab-deepseek-coder.gguf", NULL, "gguf-deepseek-coder"},
        {"vocab/gguf/ggml-vocab-llama-spm.gguf", NULL, "gguf-llama-spm"},
        {"vocab/gguf/ggml-vocab-gpt-2.gguf", NULL, "gguf-gpt-2"},
        {"vocab/gguf/ggml-vocab-phi-3.gguf", NULL, "gguf-phi-3"},
        {"vocab/gguf/ggml-vocab-falcon.gguf", NULL, "gguf-falcon"},
        {"vocab/gpt2/tokenizer.json", NULL, "gpt2"},
        {"vocab/deepseek-v3/deepseek_v3.tiktoken", "deepseek-v3", "deepseek-v3"},
        {"vocab/qwen2/qwen2.tiktoken", "qwen2", "qwen2"},
        {"vocab/llama-3/llama3.tiktoken", "llama-bpe", "llama-3"},
        {"vocab/kimi-k2/kimi_k2.tiktoken", "kimi-k2", "kimi-k2"},
        {"vocab/llama-2/tokenizer.model", NULL, "llama-2"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check(rows[i].model, rows[i].pre, rows[i].name);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_published)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
