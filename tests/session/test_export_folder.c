/* Folders that are written: every golden model becomes the same model again, from its folder and
 * from GGUF files; what cannot be written is refused and leaves nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

#include "format/config.h"
#include "model/export_hf.h"
#include "session/end_tokens.h"
#include "session/export_folder.h"
#include "session/open_template.h"
#include "session/open_tokenizer.h"
#include "session/quantize.h"
#include "session/sample_model.h"
#include "support/golden.h"
#include "support/make_model.h"
#include "support/ref64.h"
#include "support/same_model.h"
#include "support/scratch.h"

static const char *const folders[] = {"llama",
                                      "llama-llama3rope-tied",
                                      "qwen2",
                                      "qwen3",
                                      "qwen3-yarn",
                                      "qwen3-moe",
                                      "glm4",
                                      "deepseek-v2",
                                      "deepseek-v2-lite",
                                      "deepseek-v3",
                                      "deepseek-v3-fp8",
                                      "glm4-moe",
                                      "qwen3-next"};
#define N_FOLDER (sizeof folders / sizeof folders[0])

static struct model *load(const char *path) {
    struct model *model;
    struct jl_error err;
    if (model_load(path, NULL, &model, &err) != JL_OK) fail_msg("%s", err.message);
    return model;
}

static enum jl_status export(const char *in, const char *out,
                             const struct export_folder_options *options, struct jl_error *err) {
    struct model *model = load(in); struct pool * pool;
    assert_int_equal(pool_create(&(struct pool_options){.n_threads = 2}, &pool, err), JL_OK);
    enum jl_status status = export_folder_write(model, options, out, pool, err);
    pool_free(pool);
    model_free(model);
    return status;
}

static void must_export(const char *in, const char *out,
                        const struct export_folder_options *options) {
    struct jl_error err;
    if (export(in, out, options, &err) != JL_OK) fail_msg("%s: %s", in, err.message);
}

static void to_gguf(const char *in, const char *out, const char *type) {
    struct model *model = load(in);
    struct quantize_options options = {.preset = quant_preset_find(type)};
    struct quantize_plan plan;
    struct quantize_error error;
    struct pool *pool;
    struct jl_error err;
    assert_int_equal(pool_create(&(struct pool_options){.n_threads = 2}, &pool, &err), JL_OK);
    if (quantize_plan(model, &options, &plan, &err) != JL_OK ||
        quantize_write(&plan, out, pool, NULL, NULL, &error, &err) != JL_OK)
        fail_msg("%s: %s", in, err.message);
    quantize_plan_free(&plan);
    pool_free(pool);
    model_free(model);
}

/* Logits of the golden's first prompt, in the class that the model chooses. */
static void hash_logits(const char *path, const char *tokens, bool mtp, char out[65]) {
    struct golden_prompts prompts;
    int n_vocab;
    golden_read_prompts(tokens, "prompts", &prompts);
    struct golden_run run = {.path = path, .threads = 2, .prompts = &prompts};
    float *logits = mtp ? golden_mtp_logits(&run, &n_vocab) : golden_logits(&run, &n_vocab);
    size_t rows = (size_t)prompts.n_id[0] - mtp;
    golden_sha256(logits, rows * (size_t)n_vocab * sizeof *logits, out);
    free(logits);
    golden_free_prompts(&prompts);
}

static void same_logits(const char *a, const char *b, const char *tokens, bool mtp) {
    char x[65], y[65];
    hash_logits(a, tokens, mtp, x);
    hash_logits(b, tokens, mtp, y);
    if (strcmp(x, y) != 0) fail_msg("%s and %s give other logits", a, b);
}

static void golden_paths(const char *name, char dir[128], char tokens[160]) {
    snprintf(dir, 128, "tests/golden/%s", name);
    snprintf(tokens, 160, "%s/tokens.json", dir);
}

static json_t *read_json(const char *folder) {
    char path[512];
    json_error_t where;
    snprintf(path, sizeof path, "%s/config.json", folder);
    json_t *json = json_load_file(path, 0, &where);
    if (!json) fail_msg("%s: %s", path, where.text);
    return json;
}

static void test_folders(void **state) {
    (void)state;
    for (size_t i = 0; i < N_FOLDER; i++) {
        char dir[128], tokens[160];
        const char *out = scratch_path("out");
        golden_paths(folders[i], dir, tokens);
        must_export(dir, out, &(struct export_folder_options){0});
        struct model *from = load(dir), *to = load(out);
        same_weights(from, to);
        same_hparams(&from->hp, &to->hp, "");
        assert_int_equal(to->n_ignored, 0);
        bool mtp = from->hp.n_mtp > 0;
        model_free(from);
        model_free(to);
        json_t *a = read_json(dir), *b = read_json(out);
        if (!json_equal(a, b)) fail_msg("%s: another config.json", folders[i]);
        json_decref(a);
        json_decref(b);
        same_logits(dir, out, tokens, false);
        if (mtp) same_logits(dir, out, tokens, true);
        scratch_remove();
    }
}

/* Fields that only one kind of file says, or that it says otherwise. */
#define GGUF_ONLY                                                                                  \
    "tied,attention_bias,mlp_bias,qk_norm,rotary_share,nope_dim,rope_dim,mla_dim_k,mla_dim_v,"     \
    "delta_inner,n_dense_layer,n_expert_shared,n_ff_shexp,attention_interval,rope"

/* `folder`: what the GGUF file was made of, or NULL. Rows of llama's heads are paired anew on the
 * way to the file and back: the sums of a score have another order there, and other bits. */
static void check_gguf(const char *gguf, const char *folder, const char *tokens) {
    const char *out = scratch_path("out");
    must_export(gguf, out, &(struct export_folder_options){.no_tokenizer = true});
    struct model *from = load(gguf), *to = load(out);
    assert_ptr_equal(from->family, to->family);
    same_weights(from, to);
    same_hparams(&from->hp, &to->hp, GGUF_ONLY);
    bool mtp = from->hp.n_mtp > 0, repaired = from->rope.interleaved != to->rope.interleaved;
    if (folder && !strstr(folder, "fp8")) {
        struct model *first = load(folder);
        same_weights(first, to);
        model_free(first);
    }
    model_free(from);
    model_free(to);
    if (tokens) same_logits(repaired ? folder : gguf, out, tokens, false);
    if (tokens && mtp) same_logits(gguf, out, tokens, true);
    scratch_remove();
}

static void test_ggufs(void **state) {
    (void)state;
    for (size_t i = 0; i < N_FOLDER; i++) {
        char dir[128], tokens[160];
        const char *gguf = scratch_path("x.gguf");
        golden_paths(folders[i], dir, tokens);
        to_gguf(dir, gguf, strcmp(folders[i], "llama") ? "BF16" : "F32");
        check_gguf(gguf, dir, tokens);
    }
    check_gguf("tests/golden/gguf/tiny-llama.f32.gguf", NULL, NULL);
    check_gguf("tests/golden/gguf/tiny-qwen2.f32.gguf", NULL, NULL);
}

/* ---- hyper-parameters ---- */

/* Written as keys and read again; flags that a configuration leaves open stay so. */
static void check_hparams(const char *name, const struct family *family, const struct hparams *hp,
                          const char *but) {
    struct jl_error err;
    struct hparams again;
    struct arena arena = {0};
    struct meta *meta;
    json_t *json;
    char path[] = "keys";
    if (export_hf_hparams(family, hp, name, &json, &err) != JL_OK) fail_msg("%s", err.message);
    char *text = json_dumps(json, JSON_REAL_PRECISION(17));
    if (config_parse(text, strlen(text), name, &arena, &meta, &err) != JL_OK)
        fail_msg("%s: %s", err.message, text);
    struct model_file file = {.kind = MODEL_FILE_HF, .path = path, .meta = meta};
    if (hparams_read(&file, family, &again, &err) != JL_OK) fail_msg("%s: %s", err.message, text);
    same_hparams(hp, &again, but);
    free(text);
    json_decref(json);
    arena_free(&arena);
}

static void test_hparams(void **state) {
    (void)state;
    for (size_t i = 0; i < N_FOLDER; i++) {
        char dir[128], tokens[160];
        golden_paths(folders[i], dir, tokens);
        struct model *model = load(dir);
        check_hparams(dir, model->family, &model->hp, "n_ff_shexp,n_dense_layer");
        model_free(model);
    }
}

static int pick(uint64_t *seed, int from, int to) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return from + (int)(*seed >> 33) % (to - from + 1);
}

/* Models of random shapes, from GGUF files and back. */
static void test_shapes(void **state) {
    (void)state;
    static const char *const families[] = {"llama",     "qwen2",       "qwen3",
                                           "qwen3_moe", "deepseek_v2", "deepseek_v3",
                                           "glm4",      "glm4_moe",    "qwen3_next"};
    uint64_t seed = 3;
    for (int i = 0; i < 36; i++) {
        const char *family = families[i % 9];
        struct make_model spec = {.family = family,
                                  .n_layer = pick(&seed, 2, 5),
                                  .n_embd = 32 * pick(&seed, 1, 3),
                                  .n_ff = 32 * pick(&seed, 1, 4),
                                  .n_head_kv = pick(&seed, 1, 2),
                                  .head_dim = 8 * pick(&seed, 1, 3),
                                  .n_vocab = pick(&seed, 40, 90),
                                  .tied = pick(&seed, 0, 1),
                                  .dtype = pick(&seed, 0, 1) ? DTYPE_BF16 : DTYPE_F32,
                                  .seed = (uint64_t)i};
        spec.n_head = spec.n_head_kv * pick(&seed, 1, 3);
        if (i % 9 == 0) spec.attention_bias = spec.mlp_bias = pick(&seed, 0, 1);
        if (strstr(family, "moe") || strstr(family, "deepseek"))
            spec.moe = (struct make_moe){.n_expert = 8, .n_used = pick(&seed, 1, 3), .n_ff = 32};
        if (strstr(family, "deepseek") || !strcmp(family, "glm4_moe")) {
            spec.moe.n_dense = pick(&seed, 0, 1);
            spec.moe.n_shared = pick(&seed, 1, 2);
            spec.moe.n_group = 4;
            spec.moe.n_group_used = 2;
            spec.moe.scale = 2.5;
            spec.moe.norm_topk = true;
        }
        if (strstr(family, "deepseek"))
            spec.mla = (struct make_mla){
                .q_lora = 24 * pick(&seed, 0, 1), .kv_lora = 32, .nope = 16, .rope = 8, .v = 16};
        if (!strcmp(family, "qwen3_next")) {
            spec.moe = (struct make_moe){.n_expert = 6, .n_used = 2, .n_ff = 32, .n_ff_shared = 32};
            spec.delta =
                (struct make_delta){2, 4, 16, 16, 4, .interval = pick(&seed, 2, 3), .joint = true};
        }
        make_gguf(&spec, scratch_path("x.gguf"));
        check_gguf(scratch_path("x.gguf"), NULL, NULL);
    }
}

/* The second reading of the maths, in float64: the same function of the tokens. */
static void same_function(const struct model *a, const struct model *b) {
    static const int32_t ids[] = {3, 14, 15, 9, 26, 5, 35};
    const int n = sizeof ids / sizeof ids[0];
    double *x = ref64_logits(a, ids, n), *y = ref64_logits(b, ids, n);
    for (int i = 0; i < n * a->hp.n_vocab; i++)
        if (!(fabs(x[i] - y[i]) < 1e-9)) fail_msg("logit %d: %g against %g", i, x[i], y[i]);
    free(x);
    free(y);
}

/* Matrices that newer GGUF files hold in two. */
static void test_halves(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct make_model spec = {.family = i < 2 ? "deepseek_v3" : "qwen3_next",
                                  .n_layer = 4,
                                  .n_embd = 64,
                                  .n_ff = 96,
                                  .n_head = 4,
                                  .n_head_kv = 2,
                                  .head_dim = 16,
                                  .n_vocab = 70,
                                  .dtype = i % 2 ? DTYPE_BF16 : DTYPE_F32,
                                  .seed = (uint64_t)i};
        spec.moe = (struct make_moe){.n_expert = 8, .n_used = 2, .n_ff = 32};
        if (i < 2) {
            spec.moe.n_shared = 1;
            spec.moe.n_group = 4;
            spec.moe.n_group_used = 2;
            spec.moe.scale = 2.5;
            spec.moe.norm_topk = true;
            spec.mla = (struct make_mla){
                .q_lora = 48, .kv_lora = 32, .nope = 16, .rope = 8, .v = 24, .split = true};
        } else {
            spec.moe.n_ff_shared = 32;
            spec.delta = (struct make_delta){2, 6, 16, 24, 4, .interval = 2};
        }
        make_gguf(&spec, scratch_path("x.gguf"));
        make_hf(&spec, scratch_path("want"));
        must_export(scratch_path("x.gguf"), scratch_path("out"),
                    &(struct export_folder_options){0});
        struct model *gguf = load(scratch_path("x.gguf"));
        struct model *want = load(scratch_path("want")), *got = load(scratch_path("out"));
        assert_true(gguf->hp.kv_split == (i < 2) && gguf->hp.delta_split == (i >= 2));
        same_function(gguf, got);
        if (i >= 2) same_weights(want, got); // the halves of the others are not of the same numbers
        same_hparams(&want->hp, &got->hp, GGUF_ONLY ",rms_eps,norm_topk");
        model_free(gguf);
        model_free(want);
        model_free(got);
        scratch_remove();
    }
}

/* ---- conversions ---- */

static float value_at(const struct weight *w, int row, int col) {
    float x[512];
    dtype_dequantize(w->dtype, w->data + (size_t)row * w->stride, x, w->n_in);
    if (w->scale) x[col] *= w->scale[(size_t)(row / 128) * w->scale_stride + (size_t)col / 128];
    return x[col];
}

static void test_conversions(void **state) {
    (void)state;
    static const struct {
        const char *in;
        enum dtype dtype;
    } cases[] = {
        {"tests/golden/gguf/small-llama.q8_0.gguf", DTYPE_F32},
        {"tests/golden/gguf/small-llama.q4_k_m.gguf", DTYPE_BF16},
        {"tests/golden/deepseek-v3-fp8", DTYPE_F32},
        {"tests/golden/llama", DTYPE_F16},
        {"tests/golden/qwen3", DTYPE_F32},
        {"halves.gguf", DTYPE_BF16},
    };
    struct make_model halves = {
        .family = "deepseek_v2",
        .n_layer = 2,
        .n_embd = 64,
        .n_ff = 64,
        .n_head = 2,
        .n_head_kv = 2,
        .head_dim = 32,
        .n_vocab = 40,
        .dtype = DTYPE_Q8_0,
        .mla = {.kv_lora = 32, .nope = 32, .rope = 32, .v = 32, .split = true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct export_folder_options options = {
            .tensors = {.convert = true, .dtype = cases[i].dtype}, .no_tokenizer = true};
        const char *in = strchr(cases[i].in, '/') ? cases[i].in : scratch_path(cases[i].in);
        make_gguf(&halves, scratch_path("halves.gguf"));
        must_export(in, scratch_path("out"), &options);
        struct model *from = load(in), *to = load(scratch_path("out"));
        const struct weight *x = model_weight(from, ROLE_FFN_DOWN, 0);
        const struct weight *y = model_weight(to, ROLE_FFN_DOWN, 0);
        assert_int_equal(y->dtype, cases[i].dtype);
        for (int k = 0; k < x->n_out && k < x->n_in; k += 7) {
            float want = value_at(x, k, k);
            if (cases[i].dtype == DTYPE_BF16) want = f32_from_bf16(bf16_from_f32(want));
            if (cases[i].dtype == DTYPE_F16) want = f32_from_f16(f16_from_f32(want));
            assert_true(value_at(y, k, k) == want);
        }
        json_t *json = read_json(scratch_path("out"));
        assert_string_equal(json_string_value(json_object_get(json, "torch_dtype")),
                            export_hf_dtype_name(cases[i].dtype));
        assert_null(json_object_get(json, "quantization_config"));
        json_decref(json);
        model_free(from);
        model_free(to);
        scratch_remove();
    }
}

static void test_shards(void **state) {
    (void)state;
    char dir[128], tokens[160];
    golden_paths("qwen3-moe", dir, tokens);
    must_export(dir, scratch_path("out"), &(struct export_folder_options){.shard_bytes = 40000});
    struct model *from = load(dir), *to = load(scratch_path("out"));
    assert_true(to->file->n_map > 3);
    same_weights(from, to);
    model_free(from);
    model_free(to);
    scratch_remove();
}

/* ---- the caller's own values ---- */

static float a_log[8], norms[64];

static const float *stored(void *ctx, enum role_id role, int layer) {
    (void)ctx;
    (void)layer;
    return role == ROLE_DELTA_A ? a_log : role == ROLE_ATTN_NORM ? norms : NULL;
}

static void test_own_values(void **state) {
    (void)state;
    struct jl_error err;
    struct pool *pool;
    struct model *model = load("tests/golden/qwen3-next");
    struct export_folder_options options = {.tensors = {.stored = stored}};
    const struct weight *bound = model_weight(model, ROLE_FFN_NORM, 0);
    float *own = calloc((size_t)bound->n_in, sizeof *own);
    for (int i = 0; i < bound->n_in; i++)
        own[i] = 1 + (float)i / 1024;
    for (int i = 0; i < 64; i++)
        norms[i] = 1e-9f * (float)i; // nothing of it is left in w + 1
    for (int i = 0; i < 8; i++)
        a_log[i] = -0.001f * (float)(i + 1);
    ((struct weight *)(uintptr_t)bound)->data = (const uint8_t *)own; // as a trainer does
    assert_int_equal(pool_create(&(struct pool_options){.n_threads = 1}, &pool, &err), JL_OK);
    if (export_folder_write(model, &options, scratch_path("out"), pool, &err) != JL_OK)
        fail_msg("%s", err.message);
    struct model *to = load(scratch_path("out"));
    assert_memory_equal(model_weight(to, ROLE_FFN_NORM, 0)->data, own,
                        (size_t)bound->n_in * sizeof *own);
    const struct tensor_info *t =
        model_file_find(to->file, "model.layers.0.input_layernorm.weight");
    assert_memory_equal(t->data, norms, sizeof norms);
    t = model_file_find(to->file, "model.layers.0.linear_attn.A_log");
    assert_memory_equal(t->data, a_log, t->bytes);
    pool_free(pool);
    model_free(model);
    model_free(to);
    free(own);
    scratch_remove();
}

/* ---- what is refused ---- */

static void expect_refused(const char *in, const struct export_folder_options *options,
                           enum jl_status status, const char *needle) {
    struct jl_error err;
    const char *out = scratch_path("out");
    int before = scratch_folders();
    assert_int_equal(export(in, out, options, &err), status);
    if (!strstr(err.message, needle)) fail_msg("no '%s' in: %s", needle, err.message);
    assert_int_equal(scratch_folders(), before);
}

static void test_refused(void **state) {
    (void)state;
    struct export_folder_options plain = {.no_tokenizer = true};
    struct export_folder_options q8 = {.tensors = {.convert = true, .dtype = DTYPE_Q8_0}};
    expect_refused("tests/golden/gguf/small-llama.q8_0.gguf", &plain, JL_ERR_USAGE,
                   "Q8_0, which a folder cannot hold");
    expect_refused("tests/golden/llama", &q8, JL_ERR_USAGE, "not Q8_0");
    scratch_text("out/old", "x");
    expect_refused("tests/golden/llama", &plain, JL_ERR_IO, "exists already");
    scratch_remove();
}

static void test_full_disk(void **state) {
    (void)state;
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 100; limit < 100000; limit *= 10) { // config.json, then the weights
        small = old;
        small.rlim_cur = limit;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        struct jl_error err;
        enum jl_status status = export("tests/golden/llama", scratch_path("out"),
                                       &(struct export_folder_options){0}, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(status, JL_ERR_IO);
        if (!strstr(err.message, "cannot write")) fail_msg("%s", err.message);
        assert_int_equal(scratch_folders(), 0);
    }
    scratch_remove();
}

/* ---- files beside the weights ---- */

static void test_files(void **state) {
    (void)state;
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json",
                                        "chat_template.jinja", "generation_config.json"};
    struct make_model spec = {.family = "qwen3",
                              .n_layer = 1,
                              .n_embd = 32,
                              .n_ff = 32,
                              .n_head = 2,
                              .n_head_kv = 1,
                              .head_dim = 16,
                              .n_vocab = 40,
                              .dtype = DTYPE_BF16};
    make_hf(&spec, scratch_path("in"));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "in/%s", names[i]);
        scratch_text(name, i == 3 ? "{\"eos_token_id\":  2}" : names[i]);
    }
    scratch_text("in/README.md", "not of the model");
    scratch_text("in/additional_chat_templates/tool_use.jinja", "{{ tools }}");
    must_export(scratch_path("in"), scratch_path("out/"), &(struct export_folder_options){0});
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char name[64], *text;
        struct jl_error err;
        snprintf(name, sizeof name, "out/%s", names[i]);
        assert_int_equal(file_read(scratch_path(name), 1000, &text, NULL, &err), JL_OK);
        assert_string_equal(text, i == 3 ? "{\"eos_token_id\":  2}" : names[i]);
        free(text);
    }
    assert_false(file_exists(scratch_path("out/README.md")));
    assert_true(file_exists(scratch_path("out/additional_chat_templates/tool_use.jinja")));
    scratch_remove();
}

/* ---- the tokenizer of a GGUF file ---- */

#define N_PIECE 265 // three special ones, bytes, and some letters

static void put_tokenizer(struct gguf_writer *w) {
    static char text[N_PIECE][8];
    static const char *const others[] = {"<unk>", "<s>", "</s>"};
    static const char *const pieces[] = {"\xE2\x96\x81", "a", "b", "ab", "\342\226\201ab", "<end>"};
    struct gguf_string tokens[N_PIECE];
    float scores[N_PIECE] = {0};
    int32_t types[N_PIECE];
    for (int i = 0; i < N_PIECE; i++) {
        if (i < 3)
            snprintf(text[i], 8, "%s", others[i]);
        else if (i < 259)
            snprintf(text[i], 8, "<0x%02X>", (unsigned)(i - 3));
        else
            snprintf(text[i], 8, "%s", pieces[i - 259]);
        types[i] = i == 0 ? 2 : i < 3 || i == N_PIECE - 1 ? 3 : i < 259 ? 6 : 1;
        if (types[i] == 1) scores[i] = (float)-i;
        tokens[i] = (struct gguf_string){text[i], strlen(text[i])};
    }
    gguf_put_text(w, "tokenizer.ggml.model", "llama");
    gguf_put_strings(w, "tokenizer.ggml.tokens", tokens, N_PIECE);
    gguf_put_array(w, "tokenizer.ggml.scores", GGUF_FLOAT32, scores, N_PIECE);
    gguf_put_array(w, "tokenizer.ggml.token_type", GGUF_INT32, types, N_PIECE);
    gguf_put_u32(w, "tokenizer.ggml.bos_token_id", 1);
    gguf_put_u32(w, "tokenizer.ggml.eos_token_id", 2);
    gguf_put_u32(w, "tokenizer.ggml.eot_token_id", N_PIECE - 1);
    gguf_put_text(w, "tokenizer.chat_template", "{{ messages[0].content }}");
    gguf_put_text(w, "tokenizer.chat_template.tool_use", "{{ tools }}");
    gguf_put_f32(w, "general.sampling.temp", 0.5f);
    gguf_put_f32(w, "general.sampling.top_p", 0.75f);
}

static void same_template(const char *a, const char *b, const char *name) {
    struct model_template x, y;
    struct jl_error err;
    if (open_template(a, name, false, &x, &err) != JL_OK ||
        open_template(b, name, false, &y, &err) != JL_OK)
        fail_msg("%s", err.message);
    assert_string_equal(x.source, y.source);
    open_template_free(&x);
    open_template_free(&y);
}

static void same_settings(struct model_file *a, struct model_file *b, struct tokenizer *t) {
    struct sample_params x = sample_params_default(), y = x;
    struct end_tokens p, q;
    char unmet[SAMPLE_UNMET_BYTES];
    struct jl_error err;
    assert_int_equal(sample_model_read(a, NULL, &x, unmet, &err), JL_OK);
    assert_int_equal(sample_model_read(b, NULL, &y, unmet, &err), JL_OK);
    assert_true(x.temperature == y.temperature && x.top_p == y.top_p && x.top_p == 0.75);
    end_tokens_find(a, t, N_PIECE, &p);
    end_tokens_find(b, t, N_PIECE, &q);
    assert_true(p.n == 2 && q.n == 2 && end_tokens_has(&q, 2) && end_tokens_has(&q, N_PIECE - 1));
}

static void test_gguf_tokenizer(void **state) {
    (void)state;
    struct make_model spec = {.family = "qwen3",
                              .n_layer = 1,
                              .n_embd = 32,
                              .n_ff = 32,
                              .n_head = 2,
                              .n_head_kv = 1,
                              .head_dim = 16,
                              .n_vocab = N_PIECE,
                              .dtype = DTYPE_BF16,
                              .gguf_extra = put_tokenizer};
    struct jl_error err;
    struct tokenizer *t[2];
    make_gguf(&spec, scratch_path("x.gguf"));
    must_export(scratch_path("x.gguf"), scratch_path("out"), &(struct export_folder_options){0});
    struct model *from = load(scratch_path("x.gguf")), *to = load(scratch_path("out"));
    assert_int_equal(open_tokenizer(from->file, &t[0], &err), JL_OK);
    if (open_tokenizer(to->file, &t[1], &err) != JL_OK) fail_msg("%s", err.message);
    static const char text[] = "ab ab aab<end> b\xC3\xA9";
    int32_t *ids[2];
    size_t n[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(tokenizer_encode(t[i], text, strlen(text), ENCODE_SPECIAL | ENCODE_ADD_BOS,
                                          &ids[i], &n[i], &err),
                         JL_OK);
    assert_true(n[0] == n[1] && !memcmp(ids[0], ids[1], n[0] * sizeof **ids));
    same_settings(from->file, to->file, t[0]);
    same_template(scratch_path("x.gguf"), scratch_path("out"), NULL);
    same_template(scratch_path("x.gguf"), scratch_path("out"), "tool_use");
    json_t *config = read_json(scratch_path("out"));
    assert_int_equal(json_integer_value(json_object_get(config, "bos_token_id")), 1);
    json_decref(config);
    for (int i = 0; i < 2; i++) {
        tokenizer_free(t[i]);
        free(ids[i]);
    }
    model_free(from);
    model_free(to);
    scratch_remove();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folders), cmocka_unit_test(test_ggufs),
        cmocka_unit_test(test_hparams), cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_halves),  cmocka_unit_test(test_conversions),
        cmocka_unit_test(test_shards),  cmocka_unit_test(test_own_values),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_files),   cmocka_unit_test(test_gguf_tokenizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
