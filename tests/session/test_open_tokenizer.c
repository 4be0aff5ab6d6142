/* open_tokenizer on files written here (GGUF and folders, good and bad) and on the published GGUF
 * vocabularies of the shared folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "format/gguf_write.h"
#include "session/open_tokenizer.h"
#include "support/scratch.h"

#define KEY(name) "tokenizer.ggml." name

/* ---- GGUF files ---- */

/* What differs from the fixture; zero is the whole fixture. */
struct gguf_change {
    const char *model;   // tokenizer model
    const char *leave;   // key to leave out
    bool short_scores;   // one score too few
    bool int_scores;     // scores as strings of another type: int32
    int32_t bad_type;    // of token 300
    const uint32_t *bos; // another bos id
    const char *extra;   // a bool key set to true
};

static const char *write_gguf(const struct gguf_change *change) {
    struct fixture f;
    struct gguf_string texts[FIXTURE_N];
    float scores[FIXTURE_N];
    int32_t types[FIXTURE_N];
    struct jl_error err = {0};
    struct gguf_writer *w;
    const char *path = scratch_path("model.gguf");
    const int64_t dim[1] = {8};
    const float data[8] = {0};
    fixture_init(&f);
    for (int i = 0; i < FIXTURE_N; i++) {
        texts[i] = (struct gguf_string){f.tokens[i].text, f.tokens[i].len};
        scores[i] = f.tokens[i].score;
        types[i] = (int32_t)f.tokens[i].type;
    }
    if (change->bad_type) types[300] = change->bad_type;
    const char *leave = change->leave ? change->leave : "";
    assert_int_equal(gguf_writer_create(path, 0, &w, &err), JL_OK);
    gguf_put_text(w, "general.architecture", "llama");
    if (strcmp(leave, "model") != 0)
        gguf_put_text(w, KEY("model"), change->model ? change->model : "llama");
    if (strcmp(leave, "tokens") != 0) gguf_put_strings(w, KEY("tokens"), texts, FIXTURE_N);
    if (strcmp(leave, "scores") != 0)
        gguf_put_array(w, KEY("scores"), change->int_scores ? GGUF_BOOL : GGUF_FLOAT32,
                       change->int_scores ? (const void *)(bool[FIXTURE_N]){0} : scores,
                       FIXTURE_N - change->short_scores);
    if (strcmp(leave, "token_type") != 0)
        gguf_put_array(w, KEY("token_type"), GGUF_INT32, types, FIXTURE_N);
    if (change->bos) gguf_put_u32(w, KEY("bos_token_id"), *change->bos);
    if (change->extra) gguf_put_bool(w, change->extra, true);
    gguf_add_tensor(w, "x", DTYPE_F32, 1, dim);
    assert_int_equal(gguf_write_data(w, data, sizeof data, &err), JL_OK);
    if (gguf_writer_commit(w, &err) != JL_OK) fail_msg("%s", err.message);
    gguf_writer_free(w);
    return path;
}

static enum jl_status open_path(const char *path, struct tokenizer **t, struct jl_error *err) {
    struct model_file *file;
    if (model_file_open(path, &file, err) != JL_OK) fail_msg("%s", err->message);
    enum jl_status status = open_tokenizer(file, t, err);
    model_file_free(file); // the tokenizer must not need it
    return status;
}

static void test_gguf(void **state) {
    (void)state;
    struct tokenizer *t;
    struct jl_error err = {0};
    if (open_path(write_gguf(&(struct gguf_change){0}), &t, &err) != JL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(tokenizer_vocab_size(t), FIXTURE_N);
    assert_int_equal(tokenizer_bos(t), FIXTURE_BOS); // by the usual ids
    assert_int_equal(tokenizer_eos(t), FIXTURE_EOS);
    struct tokenizer *same = fixture_spm();
    int32_t *a, *b;
    const char text[] = "the golden scale, \xF0\x9F\x98\x80<tool>x";
    size_t n = fixture_encode(t, text, sizeof text, ENCODE_ADD_BOS, &a);
    assert_int_equal(fixture_encode(same, text, sizeof text, ENCODE_ADD_BOS, &b), n);
    assert_memory_equal(a, b, n * sizeof *a);
    free(a);
    free(b);
    tokenizer_free(t);
    tokenizer_free(same);
}

static void test_bad_gguf(void **state) {
    (void)state;
    static const uint32_t far = FIXTURE_N;
    static const struct {
        struct gguf_change change;
        enum jl_status status;
        const char *says;
    } rows[] = {
        {{.model = "gpt2"}, JL_ERR_FORMAT, "tokenizer.ggml.merges"},
        {{.model = "rwkv"}, JL_ERR_UNSUPPORTED, "'rwkv'"},
        {{.model = "plamo2"}, JL_ERR_UNSUPPORTED, "--tokens"},
        {{.model = ""}, JL_ERR_UNSUPPORTED, "''"},
        {{.leave = "model"}, JL_ERR_UNSUPPORTED, "tokenizer.ggml.model"},
        {{.leave = "tokens"}, JL_ERR_FORMAT, "tokenizer.ggml.tokens"},
        {{.leave = "scores"}, JL_ERR_FORMAT, "tokenizer.ggml.scores"},
        {{.leave = "token_type"}, JL_ERR_FORMAT, "tokenizer.ggml.token_type"},
        {{.short_scores = true}, JL_ERR_FORMAT, "319 items"},
        {{.int_scores = true}, JL_ERR_FORMAT, "token 0"},
        {{.bad_type = 9}, JL_ERR_FORMAT, "[300] is 9"},
        {{.bad_type = -1}, JL_ERR_FORMAT, "[300] is -1"},
        {{.bad_type = TOKEN_BYTE}, JL_ERR_FORMAT, "<0x0A>"},
        {{.bos = &far}, JL_ERR_FORMAT, "bos_token_id is 320"},
        {{.extra = KEY("remove_extra_whitespaces")}, JL_ERR_UNSUPPORTED, "remove_extra"},
        {{.extra = KEY("precompiled_charsmap")}, JL_ERR_UNSUPPORTED, "charsmap"},
        {{.extra = KEY("bos_token_id")}, JL_ERR_FORMAT, "must be an integer"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tokenizer *t = (struct tokenizer *)&t;
        struct jl_error err = {0};
        enum jl_status status = open_path(write_gguf(&rows[i].change), &t, &err);
        if (status != rows[i].status || !strstr(err.message, rows[i].says) ||
            !strstr(err.message, "model.gguf"))
            fail_msg("row %zu: status %d: %s", i, (int)status, err.message);
        assert_null(t);
    }
}

/* ---- byte-level BPE ---- */

/* Bytes as tokens, "ab" and "<s>"; `pre` NULL leaves the key out. */
static const char *write_gpt2(const char *pre, bool types) {
    struct gguf_string texts[260], merges[] = {{"a b", 3}};
    char letters[256][3];
    int32_t type[260];
    int n = 0;
    const int64_t dim[1] = {8};
    const float data[8] = {0};
    struct jl_error err = {0};
    struct gguf_writer *w;
    const char *path = scratch_path("gpt2.gguf");
    for (uint32_t byte = 0; byte < 256; byte++, n++) { // GPT-2's letters, in the order of the bytes
        bool itself = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
        uint32_t code = itself ? byte
                               : 0x100 + (byte <= 0x20   ? byte
                                          : byte <= 0xA0 ? byte - 94
                                                         : 67);
        int len = code < 0x80 ? 1 : 2;
        letters[n][0] = (char)(len == 1 ? code : 0xC0 | code >> 6);
        letters[n][1] = (char)(0x80 | (code & 0x3F));
        texts[n] = (struct gguf_string){letters[n], (size_t)len};
        type[n] = TOKEN_NORMAL;
    }
    texts[n] = (struct gguf_string){"ab", 2};
    type[n++] = TOKEN_NORMAL;
    texts[n] = (struct gguf_string){"<s>", 3};
    type[n++] = TOKEN_CONTROL;
    assert_int_equal(gguf_writer_create(path, 0, &w, &err), JL_OK);
    gguf_put_text(w, "general.architecture", "gpt2");
    gguf_put_text(w, KEY("model"), "gpt2");
    if (pre) gguf_put_text(w, KEY("pre"), pre);
    gguf_put_strings(w, KEY("tokens"), texts, (size_t)n);
    gguf_put_strings(w, KEY("merges"), merges, 1);
    if (types) gguf_put_array(w, KEY("token_type"), GGUF_INT32, type, (size_t)n);
    gguf_put_u32(w, KEY("bos_token_id"), 257);
    gguf_add_tensor(w, "x", DTYPE_F32, 1, dim);
    assert_int_equal(gguf_write_data(w, data, sizeof data, &err), JL_OK);
    if (gguf_writer_commit(w, &err) != JL_OK) fail_msg("%s", err.message);
    gguf_writer_free(w);
    return path;
}

static void test_gpt2(void **state) {
    struct tokenizer *t;
    struct jl_error err = {0};
    (void)state;
    if (open_path(write_gpt2("gpt-2", true), &t, &err) != JL_OK) fail_msg("%s", err.message);
    fixture_check(t, "abc \xC3\xA9<s>", 0, "256 99 32 195 169 60 115 62");
    fixture_check(t, "ab<s>", ENCODE_SPECIAL | ENCODE_ADD_BOS, "256 257");
    tokenizer_free(t);
    if (open_path(write_gpt2("llama-bpe", true), &t, &err) != JL_OK) fail_msg("%s", err.message);
    fixture_check(t, "ab", ENCODE_ADD_BOS, "257 256"); // this name adds BOS
    tokenizer_free(t);
    if (open_path(write_gpt2("gpt-2", false), &t, &err) != JL_OK) fail_msg("%s", err.message);
    tokenizer_free(t);
    assert_int_equal(open_path(write_gpt2("gpt-99", true), &t, &err), JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "gpt-99"));
    const char *path = write_gpt2(NULL, true);
    assert_int_equal(open_path(path, &t, &err), JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "tokenizer.ggml.pre"));
    if (open_tokenizer_path(path, "gpt-2", &t, &err) != JL_OK) fail_msg("%s", err.message);
    tokenizer_free(t);
    assert_int_equal(open_tokenizer_path(write_gpt2("gpt-2", true), "gpt-2", &t, &err),
                     JL_ERR_USAGE);
}

static void write_ranks(const char *path) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[4000];
    size_t len = 0;
    for (int byte = 0; byte < 256; byte++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%c%c== %d\n", letters[byte >> 2],
                                letters[(byte & 3) << 4], byte);
    snprintf(text + len, sizeof text - len, "YWI= 256\n"); // "ab"
    scratch_text(path, text);
}

/* A rank file is opened where the folder says whose it is, or the caller how it splits. */
static void test_ranks(void **state) {
    static const struct {
        const char *folder, *file, *config, *tokenizer_config, *pre;
        enum jl_status status;
    } rows[] = {
        {"r1", "tiktoken.model", "{\"model_type\":\"kimi_k2\"}",
         "{\"tokenizer_class\":\"TikTokenTokenizer\"}", NULL, JL_OK},
        {"r2", "tiktoken.model", "{\"model_type\":\"other\"}",
         "{\"tokenizer_class\":\"TikTokenTokenizer\"}", NULL, JL_ERR_USAGE},
        {"r3", "qwen.tiktoken", "{}", "{\"tokenizer_class\":\"QWenTokenizer\"}", NULL, JL_OK},
        {"r4", "a.tiktoken", "{}", "{}", NULL, JL_ERR_USAGE},
        {"r5", "a.tiktoken", "{}", "{}", "gpt-2", JL_OK},
        {"r6", "tokenizer.model", "{}", "{\"tokenizer_class\":\"ChatGLM4Tokenizer\"}", NULL, JL_OK},
        {"r7", "tokenizer.model", "{}", "{}", NULL, JL_ERR_USAGE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[100], folder[4096];
        struct tokenizer *t = NULL;
        struct jl_error err = {0};
        snprintf(name, sizeof name, "%s/%s", rows[i].folder, rows[i].file);
        write_ranks(name);
        snprintf(name, sizeof name, "%s/config.json", rows[i].folder);
        scratch_text(name, rows[i].config);
        snprintf(name, sizeof name, "%s/tokenizer_config.json", rows[i].folder);
        scratch_text(name, rows[i].tokenizer_config);
        snprintf(folder, sizeof folder, "%s", scratch_path(rows[i].folder));
        enum jl_status status = open_tokenizer_path(folder, rows[i].pre, &t, &err);
        if (status != rows[i].status)
            fail_msg("row %zu: status %d: %s", i, (int)status, err.message);
        if (status == JL_OK)
            fixture_check(t, "abc", 0, "256 99");
        else
            assert_non_null(strstr(err.message, "kimi-k2")); // names what could be said
        tokenizer_free(t);
    }
    struct tokenizer *t;
    struct jl_error err = {0};
    scratch_text("odd/file", "what is this");
    assert_int_equal(open_tokenizer_path(scratch_path("odd/file"), NULL, &t, &err),
                     JL_ERR_UNSUPPORTED);
    assert_int_equal(open_tokenizer_path(scratch_path("odd/none"), NULL, &t, &err), JL_ERR_IO);
}

/* ---- folders ---- */

static enum jl_status open_folder(const char *name, struct tokenizer **t, struct jl_error *err) {
    struct model_file file = {.kind = MODEL_FILE_HF, .path = (char *)scratch_path(name)};
    return open_tokenizer(&file, t, err);
}

static void test_folder(void **state) {
    (void)state;
    struct fixture f;
    struct tokenizer *t;
    struct jl_error err = {0};
    fixture_init(&f);
    char *json = fixture_json_text(&f, NULL);
    scratch_text("good/tokenizer.json", json);
    if (open_folder("good", &t, &err) != JL_OK) fail_msg("%s", err.message);
    fixture_check(t, "", ENCODE_ADD_BOS, "1");
    assert_int_equal(tokenizer_eos(t), TOKEN_NONE);
    tokenizer_free(t);
    scratch_text("good/tokenizer_config.json",
                 "{\"add_bos_token\":false,\"add_eos_token\":true,\"bos_token\":\"<s>\","
                 "\"eos_token\":{\"content\":\"</s>\"}}");
    if (open_folder("good", &t, &err) != JL_OK) fail_msg("%s", err.message);
    fixture_check(t, "", ENCODE_ADD_BOS, "2");
    assert_int_equal(tokenizer_bos(t), FIXTURE_BOS);
    tokenizer_free(t);

    scratch_text("empty/config.json", "{}");
    assert_int_equal(open_folder("empty", &t, &err), JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "tokenizer.json"));
    scratch_text("empty/tokenizer.model", "x");
    assert_int_equal(open_folder("empty", &t, &err), JL_ERR_FORMAT);
    assert_non_null(strstr(err.message, "tokenizer.model"));
    scratch_text("bad/tokenizer.json", "{");
    assert_int_equal(open_folder("bad", &t, &err), JL_ERR_FORMAT);
    assert_non_null(strstr(err.message, "bad/tokenizer.json: tokenizer.json, line 1"));
    free(json);
}

/* ---- published vocabularies ---- */

static void check_shared(const char *model, const char *pre, const char *name) {
    char *path = fixture_shared(model), cases[100];
    if (!path) skip();
    struct tokenizer *t;
    struct jl_error err = {0};
    if (open_tokenizer_path(path, pre, &t, &err) != JL_OK) fail_msg("%s", err.message);
    free(path);
    snprintf(cases, sizeof cases, "vocab/cases/%s.jsonl", name);
    path = fixture_shared(cases);
    assert_non_null(path);
    printf("%s: %zu cases\n", cases, fixture_check_cases(t, path));
    free(path);
    tokenizer_free(t);
}

/* Every vocabulary of vocab/index.json. */
static void test_shared(void **state) {
    static const struct {
        const char *model, *pre, *name;
    } rows[] = {
        {"vocab/deepseek-v3/deepseek_v3.tiktoken", "deepseek-v3", "deepseek-v3"},
        {"vocab/qwen2/qwen2.tiktoken", "qwen2", "qwen2"},
        {"vocab/qwen2", NULL, "qwen2-hf"}, // vocab.json, merges.txt, tokenizer_config.json
        {"vocab/llama-3/llama3.tiktoken", "llama-bpe", "llama-3"},
        {"vocab/gpt2/tokenizer.json", NULL, "gpt2"},
        {"vocab/llama-2/tokenizer.json", NULL, "llama-2"},
        {"vocab/llama-2/tokenizer.model", NULL, "llama-2"},
        {"vocab/modernbert", NULL, "modernbert"},
        {"vocab/kimi-k2/kimi_k2.tiktoken", "kimi-k2", "kimi-k2"},
        {"vocab/mistral-0.3/tokenizer.json", NULL, "mistral-0.3"},
        {"vocab/gguf/ggml-vocab-deepseek-llm.gguf", NULL, "gguf-deepseek-llm"},
        {"vocab/gguf/ggml-vocab-deepseek-coder.gguf", NULL, "gguf-deepseek-coder"},
        {"vocab/gguf/ggml-vocab-llama-spm.gguf", NULL, "gguf-llama-spm"},
        {"vocab/gguf/ggml-vocab-gpt-2.gguf", NULL, "gguf-gpt-2"},
        {"vocab/gguf/ggml-vocab-phi-3.gguf", NULL, "gguf-phi-3"},
        {"vocab/gguf/ggml-vocab-falcon.gguf", NULL, "gguf-falcon"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_shared(rows[i].model, rows[i].pre, rows[i].name);
}

static void test_stories(void **state) {
    (void)state;
    struct tokenizer *t;
    struct jl_error err = {0};
    char *path = fixture_shared("models/stories260K/stories260K.f32.gguf");
    if (!path) skip();
    if (open_path(path, &t, &err) != JL_OK) fail_msg("%s", err.message);
    fixture_check(t, "Once upon a time", ENCODE_ADD_BOS, "1 403 407 261 378"); // golden.json
    tokenizer_free(t);
    free(path);
}

static int clean_up(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gguf),    cmocka_unit_test(test_bad_gguf),
        cmocka_unit_test(test_folder),  cmocka_unit_test(test_gpt2),
        cmocka_unit_test(test_ranks),   cmocka_unit_test(test_shared),
        cmocka_unit_test(test_stories),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
