/* Files of adapters: both forms there and back, on bases of both forms; what must be refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "format/gguf_write.h"
#include "format/st_write.h"
#include "session/export_folder.h"
#include "support/golden.h"
#include "support/make_adapter.h"
#include "support/make_model.h"
#include "support/scratch.h"

#define N_TOKEN 9

static void must(enum jl_status status, const struct jl_error *err) {
    if (status != JL_OK) fail_msg("%s", err->message);
}

/* ---- there and back ---- */

static int32_t ids[N_TOKEN];

static float *logits_of(const struct model *base, const struct adapter *adapter) {
    struct jl_error err = {0};
    struct model *model;
    const struct golden_prompts prompts = {.ids = {ids}, .n_id = {N_TOKEN}, .n = 1};
    struct golden_run run = {.path = base->file->path, .threads = 2, .prompts = &prompts};
    int n_vocab;
    must(adapter_model(base, &(struct adapter_use){adapter, 1}, 1, &model, &err), &err);
    run.model = model;
    float *logits = golden_logits(&run, &n_vocab);
    model_free(model);
    return logits;
}

static const struct make_model kinds[] = {
    {"llama", 2, 48, 80, 4, 2, 12, 101, false, false, false, DTYPE_F32, NULL, NULL, 1, 1},
    {"llama", 1, 32, 33, 6, 1, 8, 77, true, true, true, DTYPE_BF16, NULL, NULL, 2, 1},
    {"qwen2", 2, 48, 64, 6, 2, 8, 99, true, false, false, DTYPE_F32, NULL, NULL, 6, 1},
    {"qwen3", 2, 32, 48, 4, 2, 24, 65, true, false, false, DTYPE_F32, NULL, NULL, 8, 1},
    {"glm4", 2, 48, 56, 4, 2, 16, 71, false, true, false, DTYPE_F32, NULL, NULL, 13, 1},
    {.family = "deepseek_v3",
     .n_layer = 2,
     .n_embd = 32,
     .n_ff = 48,
     .n_head = 2,
     .n_head_kv = 2,
     .head_dim = 16,
     .n_vocab = 65,
     .dtype = DTYPE_F32,
     .seed = 3,
     .n_shard = 1,
     .moe = {8, 2, 16, 1, 1, 4, 2, true, 2.5, 0},
     .mla = {.kv_lora = 16, .nope = 16, .rope = 8, .v = 16}},
    {.family = "deepseek_v2",
     .n_layer = 2,
     .n_embd = 40,
     .n_ff = 24,
     .n_head = 3,
     .n_head_kv = 3,
     .head_dim = 20,
     .n_vocab = 53,
     .seed = 7,
     .n_shard = 1,
     .mla = {.kv_lora = 28, .nope = 12, .rope = 8, .v = 16}},
};

/* Families whose two kinds of files order a head's rows differently sum in another order. */
static void check_near(const float *got, const float *want, size_t n, const char *path) {
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(got[i] - want[i]) < 2e-4f))
            fail_msg("%s: logit %zu is %g, not %g", path, i, (double)got[i], (double)want[i]);
}

/* The file's adapter gives `want` on the folder to the bit, and nearly on the GGUF file. */
static void check_file(const char *path, const struct model *const bases[2], const float *want) {
    for (int b = 0; b < 2; b++) {
        size_t n = N_TOKEN * (size_t)bases[b]->hp.n_vocab;
        struct jl_error err = {0};
        struct adapter *adapter;
        must(adapter_open(bases[b], path, &adapter, &err), &err);
        float *got = logits_of(bases[b], adapter);
        if (b == 0 && memcmp(got, want, n * sizeof *got)) fail_msg("%s: other logits", path);
        check_near(got, want, n, path);
        free(got);
        adapter_free(adapter);
    }
}

static void round_trip(const struct make_model *kind, int number, const char *role) {
    struct jl_error err = {0};
    char names[3][64];
    struct model *hf, *gguf;
    for (int i = 0; i < 3; i++)
        snprintf(names[i], sizeof names[i], "%d-%s.%d", number, role, i);
    char *base_hf = strdup(scratch_path("base-hf")), *base_gguf = strdup(scratch_path("base.gguf"));
    make_hf(kind, base_hf);
    make_gguf(kind, base_gguf);
    const struct class_request f32 = {"f32", "f32"};
    must(model_load(base_hf, &f32, &hf, &err), &err);
    must(model_load(base_gguf, &f32, &gguf, &err), &err);
    for (int i = 0; i < N_TOKEN; i++)
        ids[i] = (i * 37 + 11) % hf->hp.n_vocab;
    const struct model *const bases[] = {hf, gguf};
    const char *const *roles = strcmp(role, "every") ? &role : make_adapter_every;
    struct adapter *made =
        make_adapter_on(hf, roles, roles == &role ? 1 : MAKE_ADAPTER_EVERY, 3, 7, 1);
    struct adapter *again, *turned;
    float *want = logits_of(hf, made);
    must(adapter_write_folder(hf, made, scratch_path(names[0]), &err), &err);
    must(adapter_write_gguf(hf, made, scratch_path(names[1]), &err), &err);
    check_file(scratch_path(names[0]), bases, want);
    check_file(scratch_path(names[1]), bases, want);
    must(adapter_open(hf, scratch_path(names[0]), &again, &err), &err);
    if (strcmp(kind->family, "glm4")) same_adapters(made, again);
    must(adapter_open(gguf, scratch_path(names[0]), &turned, &err), &err);
    must(adapter_write_folder(gguf, turned, scratch_path(names[2]), &err), &err);
    check_file(scratch_path(names[2]), bases, want);
    adapter_free(made);
    adapter_free(again);
    adapter_free(turned);
    model_free(hf);
    model_free(gguf);
    free(want);
    free(base_hf);
    free(base_gguf);
}

/* ---- experts ---- */

/* A folder with a pair for each of `experts` on the up projections of layer 0, of rank 2; the last
 * has rank `last`. */
static void write_experts(const struct model *base, const int *experts, int n, int last,
                          const char *config) {
    struct jl_error err = {0};
    struct st_writer *writer;
    const struct weight *w = model_weight(base, ROLE_EXP_UP, 0);
    scratch_text("experts/adapter_config.json", config);
    must(st_writer_create(scratch_path("experts"), 0, &writer, &err), &err);
    st_writer_rename(writer, "adapter_model.safetensors");
    float *x = calloc((size_t)(w->n_in + w->n_out) * 8, sizeof *x);
    for (int i = 0; i < (w->n_in + w->n_out) * 8; i++)
        x[i] = 0.01f * (float)(i % 17 - 8);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 2 * n; i++) {
            char name[128];
            int rank = i / 2 == n - 1 ? last : 2;
            int64_t dim[2] = {i % 2 ? w->n_out : rank, i % 2 ? rank : w->n_in};
            snprintf(name, sizeof name,
                     "base_model.model.model.layers.0.mlp.experts.%d.up_proj.lora_%c.weight",
                     experts[i / 2], i % 2 ? 'B' : 'A');
            if (!round)
                st_add_tensor(writer, name, DTYPE_F32, 2, dim);
            else
                must(st_write_data(writer, x + experts[i / 2], (size_t)(dim[0] * dim[1]) * 4, &err),
                     &err);
        }
    must(st_writer_commit(writer, &err), &err);
    st_writer_free(writer);
    free(x);
}

/* Experts without a pair have zeros; a pair without tensors at all is none. */
static void test_some_experts(void **state) {
    (void)state;
    static const int experts[] = {1, 3};
    struct jl_error err = {0};
    struct model *base;
    struct adapter *adapter;
    const char *path = scratch_path("experts");
    const char *config = "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 3}";
    must(model_load("tests/golden/qwen3-moe", NULL, &base, &err), &err);
    write_experts(base, experts, 2, 2, config);
    must(adapter_open(base, path, &adapter, &err), &err);
    assert_int_equal(adapter->n, 1);
    const struct adapter_pair *pair = &adapter->pairs[0];
    assert_int_equal(pair->n_expert, base->hp.n_expert);
    assert_true(pair->rank == 2 && pair->alpha == 3);
    size_t each = 2 * (size_t)pair->n_out;
    for (int e = 0; e < pair->n_expert; e++) {
        const float *b = pair->b + (size_t)e * each;
        bool there = e == 1 || e == 3;
        for (size_t i = 0; i < each; i++)
            assert_true(b[i] == (there ? 0.01f * (float)(((int)i + e) % 17 - 8) : 0));
    }
    adapter_free(adapter);
    write_experts(base, experts, 2, 1, config);
    assert_int_equal(adapter_open(base, path, &adapter, &err), JL_ERR_FORMAT);
    assert_non_null(strstr(err.message, "experts.3.up_proj"));
    write_experts(base, experts, 2, 1,
                  "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 3, \"rank_pattern\": "
                  "{\"experts.3.up_proj\": 1}}");
    assert_int_equal(adapter_open(base, path, &adapter, &err), JL_ERR_FORMAT);
    assert_non_null(strstr(err.message, "experts.3.up_proj"));
    assert_non_null(strstr(err.message, "another rank or alpha"));
    write_experts(base, experts, 2, 2,
                  "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 3, "
                  "\"target_parameters\": [\"mlp.experts.gate_up_proj\"]}");
    assert_int_equal(adapter_open(base, path, &adapter, &err), JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "target_parameters"));
    model_free(base);
}

/* A GGUF file of a base whose gate and up projections are one tensor: both have its A, each its
 * rows of B. */
static void test_joint_experts(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct model *base;
    struct gguf_writer *writer;
    struct adapter *adapter;
    const char *path = scratch_path("joint.gguf");
    must(model_load("tests/golden/qwen3-next", NULL, &base, &err), &err);
    const struct weight *w = model_weight(base, ROLE_EXP_UP, 0);
    int64_t n = w->n_expert, a[3] = {n, 2, w->n_in}, b[3] = {n, 2 * w->n_out, 2};
    size_t n_a = (size_t)(n * 2 * w->n_in), n_b = (size_t)(n * 4 * w->n_out);
    float *x = calloc(n_a + n_b, sizeof *x);
    for (size_t i = 0; i < n_a + n_b; i++)
        x[i] = (float)i;
    must(gguf_writer_create(path, 0, &writer, &err), &err);
    gguf_put_text(writer, "general.type", "adapter");
    gguf_put_text(writer, "general.architecture", "qwen3next");
    gguf_put_text(writer, "adapter.type", "lora");
    gguf_put_f32(writer, "adapter.lora.alpha", 5);
    gguf_add_tensor(writer, "blk.0.ffn_gate_up_exps.weight.lora_a", DTYPE_F32, 3, a);
    gguf_add_tensor(writer, "blk.0.ffn_gate_up_exps.weight.lora_b", DTYPE_F32, 3, b);
    must(gguf_write_data(writer, x, n_a * sizeof *x, &err), &err);
    must(gguf_write_data(writer, x + n_a, n_b * sizeof *x, &err), &err);
    must(gguf_writer_commit(writer, &err), &err);
    gguf_writer_free(writer);
    must(adapter_open(base, path, &adapter, &err), &err);
    assert_int_equal(adapter->n, 2);
    size_t part = 2 * (size_t)w->n_out;
    for (int p = 0; p < 2; p++) {
        const struct adapter_pair *pair = &adapter->pairs[p];
        bool up = pair->role == ROLE_EXP_UP;
        assert_memory_equal(pair->a, x, n_a * sizeof *x);
        for (size_t e = 0; e < (size_t)n; e++)
            assert_memory_equal(pair->b + e * part, x + n_a + (2 * e + up) * part,
                                part * sizeof *x);
    }
    adapter_free(adapter);
    model_free(base);
    free(x);
}

static void test_round_trip(void **state) {
    (void)state;
    for (int i = 0; i < (int)(sizeof kinds / sizeof kinds[0]); i++) {
        round_trip(&kinds[i], i, "every");
        round_trip(&kinds[i], i, "ffn_up");
        if (kinds[i].moe.n_expert) round_trip(&kinds[i], i, "ffn_down_exps");
    }
}

/* A base with kv_b in two tensors and one with it in one: the adapter is the same to both. */
static void test_halves(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct make_model spec = kinds[sizeof kinds / sizeof kinds[0] - 1];
    struct model *halves, *joint;
    struct pool *pool;
    const struct class_request f32 = {"f32", "f32"};
    spec.mla.split = true;
    make_gguf(&spec, scratch_path("halves.gguf"));
    must(model_load(scratch_path("halves.gguf"), &f32, &halves, &err), &err);
    must(pool_create(&(struct pool_options){.n_threads = 2}, &pool, &err), &err);
    must(export_folder_write(halves, &(struct export_folder_options){.no_tokenizer = true},
                             scratch_path("joint"), pool, &err),
         &err);
    must(model_load(scratch_path("joint"), &f32, &joint, &err), &err);
    assert_null(model_weight(halves, ROLE_ATTN_KV_UP, 0));
    assert_non_null(model_weight(joint, ROLE_ATTN_KV_UP, 0));
    const struct model *bases[] = {halves, joint};
    for (int i = 0; i < N_TOKEN; i++)
        ids[i] = (i * 37 + 11) % halves->hp.n_vocab;
    struct adapter *made = make_adapter(joint, "kv_b_proj", 3, 7, 1), *opened;
    assert_int_equal(made->n, 2);
    float *logits[2] = {logits_of(halves, made), logits_of(joint, made)};
    check_near(logits[0], logits[1], N_TOKEN * (size_t)halves->hp.n_vocab, "halves");
    for (int from = 0; from < 2; from++)
        for (int form = 0; form < 2; form++) {
            char name[32];
            snprintf(name, sizeof name, "kv-%d.%d", from, form);
            const char *path = scratch_path(name);
            must((form ? adapter_write_gguf : adapter_write_folder)(bases[from], made, path, &err),
                 &err);
            for (int to = 0; to < 2; to++) {
                must(adapter_open(bases[to], path, &opened, &err), &err);
                same_adapters(made, opened);
                adapter_free(opened);
            }
        }
    for (int i = 0; i < 2; i++)
        free(logits[i]);
    adapter_free(made);
    model_free(halves);
    model_free(joint);
    pool_free(pool);
}

/* ---- copies of the base ---- */

/* PEFT saves the embedding beside an adapter on it. */
static void put_copy(const struct model *base, struct adapter *made, float change, int rows,
                     const char *folder) {
    struct jl_error err = {0};
    struct st_writer *writer;
    const struct adapter_pair *pair = &made->pairs[0];
    const struct weight *w = model_weight(base, ROLE_TOK_EMBD, -1);
    size_t width = (size_t)w->n_in, n_a = (size_t)pair->rank * (size_t)pair->n_in;
    float *copy = calloc((size_t)(w->n_out + 1) * width, sizeof *copy);
    float *a = calloc(n_a, sizeof *a);
    for (int k = 0; k < w->n_out; k++)
        dtype_dequantize(w->dtype, w->data + (size_t)k * w->stride, copy + (size_t)k * width,
                         w->n_in);
    for (size_t i = 0; i < width; i++)
        copy[3 * width + i] *= change;
    for (int t = 0; t < pair->n_in; t++)
        for (int k = 0; k < pair->rank; k++)
            a[k * pair->n_in + t] = pair->a[t * pair->rank + k];
    must(st_writer_create(folder, 0, &writer, &err), &err);
    st_writer_rename(writer, "adapter_model.safetensors");
#define E "base_model.model.model.embed_tokens."
    st_add_tensor(writer, E "base_layer.weight", DTYPE_F32, 2, (const int64_t[]){rows, w->n_in});
    st_add_tensor(writer, E "lora_embedding_A", DTYPE_F32, 2,
                  (const int64_t[]){pair->rank, pair->n_in});
    st_add_tensor(writer, E "lora_embedding_B", DTYPE_F32, 2,
                  (const int64_t[]){pair->n_out, pair->rank});
    must(st_write_data(writer, copy, (size_t)rows * width * sizeof *copy, &err), &err);
    must(st_write_data(writer, a, n_a * sizeof *a, &err), &err);
    must(st_write_data(writer, pair->b, (size_t)pair->rank * (size_t)pair->n_out * sizeof *a, &err),
         &err);
    must(st_writer_commit(writer, &err), &err);
    st_writer_free(writer);
    free(copy);
    free(a);
}

static void test_copies(void **state) {
    (void)state;
    static const struct {
        const char *base;
        float change;
        int more;
        const char *says; // NULL: taken
    } cases[] = {
        {"tests/golden/llama", 1, 0, NULL},
        {"tests/golden/llama", 1.02f, 0, "numbers are others"},
        {"tests/golden/llama", 1, 1, "resized"},
        {"tests/golden/gguf/small-llama.q4_k_m.gguf", 1.02f, 0, NULL},
        {"tests/golden/gguf/small-llama.q4_k_m.gguf", -1, 0, "numbers are others"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct jl_error err = {0};
        struct model *base;
        struct adapter *opened;
        must(model_load(cases[i].base, NULL, &base, &err), &err);
        struct adapter *made = make_adapter(base, "token_embd", 2, 4, 1);
        scratch_text("copy/adapter_config.json",
                     "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 4, "
                     "\"target_modules\": [\"embed_tokens\"]}");
        put_copy(base, made, cases[i].change, base->hp.n_vocab + cases[i].more,
                 scratch_path("copy"));
        enum jl_status status = adapter_open(base, scratch_path("copy"), &opened, &err);
        assert_int_equal(status, cases[i].says ? JL_ERR_FORMAT : JL_OK);
        if (cases[i].says && (!strstr(err.message, cases[i].says) ||
                              !strstr(err.message, "embed_tokens.base_layer.weight")))
            fail_msg("case %zu: %s", i, err.message);
        if (!cases[i].says) same_adapters(made, opened);
        adapter_free(opened);
        adapter_free(made);
        model_free(base);
    }
}

/* Ranks and alphas that differ from matrix to matrix. */
static void test_patterns(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct model *base;
    must(model_load("tests/golden/qwen3", NULL, &base, &err), &err);
    struct adapter *q = make_adapter(base, "attn_q", 3, 7, 1), *again;
    struct adapter *v = make_adapter(base, "attn_v", 5, 2, 2);
    struct adapter both = {.name = "both", .n = q->n + v->n};
    both.pairs = calloc((size_t)both.n, sizeof *both.pairs);
    for (int i = 0; i < both.n; i++)
        both.pairs[i] = i % 2 ? v->pairs[i / 2] : q->pairs[i / 2];
    must(adapter_write_folder(base, &both, scratch_path("both"), &err), &err);
    must(adapter_open(base, scratch_path("both"), &again, &err), &err);
    same_adapters(&both, again);
    adapter_free(again);
    must(adapter_write_gguf(base, &both, scratch_path("both.gguf"), &err), &err);
    must(adapter_open(base, scratch_path("both.gguf"), &again, &err), &err);
    for (int i = 0; i < both.n; i++) {
        const struct adapter_pair *x = &both.pairs[i], *y = &again->pairs[i];
        assert_true(adapter_factor(y) == 1);
        for (int k = 0; k < x->rank * x->n_in; k++)
            assert_true(y->a[k] == x->a[k] * adapter_factor(x));
    }
    assert_int_equal(adapter_write_folder(base, &both, scratch_path("both"), &err), JL_ERR_IO);
    adapter_free(again);
    adapter_free(q);
    adapter_free(v);
    free(both.pairs);
    model_free(base);
}

/* What was read back from a model is what it computes with, whatever alpha was. */
static void test_of_model(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct model *base, *model;
    struct adapter *back;
    must(model_load("tests/golden/llama", NULL, &base, &err), &err);
    for (int i = 0; i < N_TOKEN; i++)
        ids[i] = (i * 37 + 11) % base->hp.n_vocab;
    struct adapter *made = make_adapter(base, "all", 3, 7, 1);
    must(adapter_model(base, &(struct adapter_use){made, 1}, 1, &model, &err), &err);
    must(adapter_of_model(model, 0, &back, &err), &err);
    must(adapter_write_folder(base, back, scratch_path("back"), &err), &err);
    adapter_free(back);
    must(adapter_open(base, scratch_path("back"), &back, &err), &err);
    float *want = logits_of(base, made), *got = logits_of(base, back);
    assert_memory_equal(want, got, N_TOKEN * (size_t)base->hp.n_vocab * sizeof *got);
    free(want);
    free(got);
    adapter_free(back);
    adapter_free(made);
    model_free(model);
    model_free(base);
}

/* ---- refused ---- */

struct part {
    const char *name; // NULL: the list's end
    int rows, cols;   // 0: as the base asks
    float value;      // of its last number
    enum dtype dtype;
};

#define Q "base_model.model.model.layers.0.self_attn.q_proj"
static const struct part good[] = {
    {Q ".lora_A.weight", 2, 0, 0, DTYPE_F32}, {Q ".lora_B.weight", 0, 2, 0, DTYPE_F32}, {NULL}};

#define HEAD "\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 4"
#define CONFIG "{" HEAD ", \"target_modules\": [\"q_proj\"]}"

static void write_parts(const struct model *base, const char *folder, const struct part *parts) {
    struct jl_error err = {0};
    struct st_writer *writer;
    const struct weight *q = model_weight(base, ROLE_ATTN_Q, 0);
    int n = 0;
    must(st_writer_create(folder, 0, &writer, &err), &err);
    st_writer_rename(writer, "adapter_model.safetensors");
    for (; parts[n].name; n++)
        st_add_tensor(writer, parts[n].name, parts[n].dtype, 2,
                      (const int64_t[]){parts[n].rows ? parts[n].rows : q->n_out,
                                        parts[n].cols ? parts[n].cols : q->n_in});
    for (int i = 0; i < n; i++) {
        size_t count = (size_t)(parts[i].rows ? parts[i].rows : q->n_out) *
                       (size_t)(parts[i].cols ? parts[i].cols : q->n_in);
        size_t size = parts[i].dtype == DTYPE_F32 ? 4 : 1;
        float *x = calloc(count, sizeof *x);
        if (size == 4) x[count - 1] = parts[i].value;
        must(st_write_data(writer, x, count * size, &err), &err);
        free(x);
    }
    must(st_writer_commit(writer, &err), &err);
    st_writer_free(writer);
}

static void refused(const struct model *base, const char *config, const struct part *parts,
                    enum jl_status status, const char *says) {
    struct jl_error err = {0};
    struct adapter *adapter;
    scratch_text("bad/adapter_config.json", config);
    write_parts(base, scratch_path("bad"), parts);
    enum jl_status got = adapter_open(base, scratch_path("bad"), &adapter, &err);
    if (got != status || (says && !strstr(err.message, says)))
        fail_msg("%s: status %d, '%s'; wanted %d, '%s'", config, got, err.message, status, says);
    if (status != JL_OK) assert_null(adapter);
    adapter_free(adapter);
}

static const struct {
    const char *config;
    enum jl_status status;
    const char *says;
} configs[] = {
    {CONFIG, JL_OK, NULL},
    {"{" HEAD ", \"target_modules\": \"all-linear\"}", JL_OK, NULL},
    {"{" HEAD ", \"bias\": \"none\", \"modules_to_save\": null, \"use_dora\": false, "
     "\"layer_replication\": null, \"never_seen\": [], \"lora_dropout\": 0.1}",
     JL_OK, NULL},
    {"{" HEAD ", \"use_rslora\": true, \"rank_pattern\": {\"k_proj\": 7}}", JL_OK, NULL},
    {"{" HEAD ", \"never_seen\": 1}", JL_ERR_UNSUPPORTED, "'never_seen'"},
    {"{" HEAD ", \"use_dora\": true}", JL_ERR_UNSUPPORTED, "'use_dora'"},
    {"{" HEAD ", \"bias\": \"all\"}", JL_ERR_UNSUPPORTED, "'bias'"},
    {"{" HEAD ", \"modules_to_save\": [\"lm_head\"]}", JL_ERR_UNSUPPORTED, "'modules_to_save'"},
    {"{" HEAD ", \"fan_in_fan_out\": true}", JL_ERR_UNSUPPORTED, "'fan_in_fan_out'"},
    {"{" HEAD ", \"init_lora_weights\": \"pissa_niter_4\"}", JL_ERR_UNSUPPORTED,
     "'init_lora_weights'"},
    {"{" HEAD ", \"target_modules\": [\"k_proj\"]}", JL_ERR_FORMAT, "target_modules"},
    {"{" HEAD ", \"rank_pattern\": {\"q_proj\": 3}}", JL_ERR_FORMAT, "rank 2"},
    {"{" HEAD ", \"alpha_pattern\": {\".*q_proj\": 3}}", JL_ERR_UNSUPPORTED, "regular"},
    {"{" HEAD ", \"alpha_pattern\": {\"q_proj\": 3, \"self_attn.q_proj\": 4}}", JL_ERR_UNSUPPORTED,
     "two values"},
    {"{\"peft_type\": \"IA3\", \"r\": 2, \"lora_alpha\": 4}", JL_ERR_UNSUPPORTED, "LORA"},
    {"{\"peft_type\": \"LORA\", \"lora_alpha\": 4}", JL_ERR_UNSUPPORTED, "'r'"},
    {"{\"peft_type\": \"LORA\", \"r\": 2}", JL_ERR_UNSUPPORTED, "'lora_alpha'"},
    {"{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 0}", JL_ERR_FORMAT, "alpha"},
    {"{\"peft_type\": \"LORA\", \"r\": 3, \"lora_alpha\": 4}", JL_ERR_FORMAT, "rank 2"},
    {"{\"peft_type\": \"LORA\"", JL_ERR_FORMAT, NULL},
};

static void test_configs(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct model *base;
    must(model_load("tests/golden/llama", NULL, &base, &err), &err);
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++)
        refused(base, configs[i].config, good, configs[i].status, configs[i].says);
    model_free(base);
}

#define A(name)                                                                                    \
    { "base_model.model." name ".lora_A.weight", 2, 0, 0, DTYPE_F32 }
#define B(name)                                                                                    \
    { "base_model.model." name ".lora_B.weight", 0, 2, 0, DTYPE_F32 }

static const struct {
    const char *base;
    struct part parts[5];
    enum jl_status status;
    const char *says;
} files[] = {
    {"llama", {{Q ".lora_A.weight", 2, 0, 0, DTYPE_F32}}, JL_ERR_FORMAT, "no lora_B"},
    {"llama", {{Q ".lora_B.weight", 0, 2, 0, DTYPE_F32}}, JL_ERR_FORMAT, "no lora_A"},
    {"llama",
     {{Q ".lora_A.weight", 2, 7, 0, DTYPE_F32}, {Q ".lora_B.weight", 0, 2, 0, DTYPE_F32}},
     JL_ERR_FORMAT,
     "must be (rank,"},
    {"llama",
     {{Q ".lora_A.weight", 2, 0, 0, DTYPE_F32}, {Q ".lora_B.weight", 0, 3, 0, DTYPE_F32}},
     JL_ERR_FORMAT,
     "must be (rank,"},
    {"llama",
     {{Q ".lora_A.weight", 2, 0, 0, DTYPE_F32}, {Q ".lora_B.weight", 9, 2, 0, DTYPE_F32}},
     JL_ERR_FORMAT,
     "must be (rank,"},
    {"llama",
     {{Q ".lora_A.weight", 2, 0, NAN, DTYPE_F32}, {Q ".lora_B.weight", 0, 2, 0, DTYPE_F32}},
     JL_ERR_FORMAT,
     "not finite"},
    {"llama",
     {{Q ".lora_A.weight", 2, 0, 0, DTYPE_F32}, {Q ".lora_B.weight", 0, 2, INFINITY, DTYPE_F32}},
     JL_ERR_FORMAT,
     "not finite"},
    {"llama",
     {{Q ".lora_A.weight", 2, 0, 0, DTYPE_F8_E4M3}, {Q ".lora_B.weight", 0, 2, 0, DTYPE_F32}},
     JL_ERR_UNSUPPORTED,
     "F8_E4M3"},
    {"llama",
     {{Q ".lora_A.weight", 2, 0, 0, DTYPE_F32},
      {Q ".lora_B.weight", 0, 2, 0, DTYPE_F32},
      {Q ".lora_magnitude_vector", 0, 1, 0, DTYPE_F32}},
     JL_ERR_FORMAT,
     "lora_magnitude_vector"},
    {"llama",
     {A("model.layers.99.self_attn.q_proj"), B("model.layers.99.self_attn.q_proj")},
     JL_ERR_FORMAT,
     "no matrix of the base"},
    {"llama",
     {A("transformer.h.0.attn.c_attn"), B("transformer.h.0.attn.c_attn")},
     JL_ERR_FORMAT,
     "no matrix of the base"},
    {"llama", {A("lm_head"), B("lm_head")}, JL_ERR_FORMAT, "must be (rank,"},
    {"llama",
     {{"base_model.model.model.embed_tokens.lora_embedding_A", 2, 0, 0, DTYPE_F32},
      {"base_model.model.model.embed_tokens.lora_embedding_B", 0, 2, 0, DTYPE_F32}},
     JL_ERR_FORMAT,
     "must be (rank,"},
    {"llama",
     {A("model.embed_tokens"), B("model.embed_tokens")},
     JL_ERR_FORMAT,
     "no matrix of the base"},
    {"llama", {A("model.norm"), B("model.norm")}, JL_ERR_FORMAT, "vector"},
    {"llama",
     {{Q ".lora_A.weight", 2, 0, 0, DTYPE_F32},
      {Q ".lora_B.weight", 0, 2, 0, DTYPE_F32},
      {"base_model.model.lm_head.base_layer.weight", 2, 2, 0, DTYPE_F32}},
     JL_ERR_FORMAT,
     "lm_head.base_layer"},
    {"llama",
     {A("model.layers.0.input_layernorm"), B("model.layers.0.input_layernorm")},
     JL_ERR_FORMAT,
     "vector"},
    {"qwen3-moe",
     {A("model.layers.0.mlp.experts.0.up_proj"), B("model.layers.0.mlp.experts.0.up_proj")},
     JL_ERR_FORMAT,
     "experts.0.up_proj.lora_A.weight' and its other half must be (rank,"},
    {"qwen3-moe",
     {A("model.layers.0.mlp.experts.99.up_proj"), B("model.layers.0.mlp.experts.99.up_proj")},
     JL_ERR_FORMAT,
     "experts.99.up_proj"},
    {"qwen3-moe",
     {A("model.layers.0.mlp.experts"), B("model.layers.0.mlp.experts")}, // of stacked parameters
     JL_ERR_FORMAT,
     "mlp.experts.lora_A.weight"},
    {"qwen3-moe",
     {A("model.layers.0.mlp.experts.1.up_proj")},
     JL_ERR_FORMAT,
     "experts.1.up_proj.lora_A.weight' has no lora_B"},
    {"deepseek-v3",
     {A("model.layers.0.self_attn.kv_b_proj"), B("model.layers.0.self_attn.kv_b_proj")},
     JL_ERR_FORMAT,
     "must be (rank,"},
};

static void test_tensors(void **state) {
    (void)state;
    struct model *llama, *base;
    struct jl_error err = {0};
    must(model_load("tests/golden/llama", NULL, &llama, &err), &err);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[64];
        struct adapter *adapter;
        snprintf(path, sizeof path, "tests/golden/%s", files[i].base);
        must(model_load(path, NULL, &base, &err), &err);
        scratch_text("bad/adapter_config.json", "{" HEAD "}");
        write_parts(llama, scratch_path("bad"), files[i].parts);
        enum jl_status got = adapter_open(base, scratch_path("bad"), &adapter, &err);
        if (got != files[i].status || !strstr(err.message, files[i].says))
            fail_msg("case %zu: status %d, '%s'; wanted '%s'", i, got, err.message, files[i].says);
        assert_null(adapter);
        model_free(base);
    }
    model_free(llama);
}

static void test_absent(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct model *base;
    struct adapter *adapter;
    must(model_load("tests/golden/llama", NULL, &base, &err), &err);
    scratch_text("half/adapter_config.json", CONFIG);
    assert_int_equal(adapter_open(base, scratch_path("half"), &adapter, &err), JL_ERR_IO);
    assert_non_null(strstr(err.message, "adapter_model.safetensors"));
    assert_int_equal(adapter_open(base, "tests/golden/llama", &adapter, &err), JL_ERR_IO);
    assert_non_null(strstr(err.message, "adapter_config.json"));
    assert_int_equal(adapter_open(base, "tests/golden/gguf/tiny-llama.f32.gguf", &adapter, &err),
                     JL_ERR_FORMAT);
    assert_non_null(strstr(err.message, "general.type"));
    model_free(base);
}

/* ---- GGUF ---- */

struct gguf_case {
    const char *type, *architecture, *kind, *extra;
    float alpha;
    bool flat; // a rank of 1 that leaves out its dimension
    enum jl_status status;
    const char *says;
};

static void write_gguf(const struct model *base, const struct gguf_case *c, const char *path) {
    struct jl_error err = {0};
    struct gguf_writer *writer;
    const struct weight *w = model_weight(base, ROLE_FFN_UP, 0);
    must(gguf_writer_create(path, 0, &writer, &err), &err);
    gguf_put_text(writer, "general.type", c->type);
    gguf_put_text(writer, "general.architecture", c->architecture);
    gguf_put_text(writer, "adapter.type", c->kind);
    if (c->alpha >= 0) gguf_put_f32(writer, "adapter.lora.alpha", c->alpha);
    if (c->extra) gguf_put_text(writer, c->extra, "text");
    int64_t a[2] = {1, w->n_in}, b[2] = {w->n_out, 1};
    if (c->flat)
        gguf_add_tensor(writer, "blk.0.ffn_up.weight.lora_a", DTYPE_F32, 1, a + 1);
    else
        gguf_add_tensor(writer, "blk.0.ffn_up.weight.lora_a", DTYPE_F32, 2, a);
    gguf_add_tensor(writer, "blk.0.ffn_up.weight.lora_b", DTYPE_F32, 2, b);
    float *zeros = calloc((size_t)(w->n_in + w->n_out), sizeof *zeros);
    must(gguf_write_data(writer, zeros, (size_t)w->n_in * sizeof *zeros, &err), &err);
    must(gguf_write_data(writer, zeros, (size_t)w->n_out * sizeof *zeros, &err), &err);
    must(gguf_writer_commit(writer, &err), &err);
    gguf_writer_free(writer);
    free(zeros);
}

static void test_gguf(void **state) {
    (void)state;
    static const struct gguf_case cases[] = {
        {"adapter", "llama", "lora", NULL, 3, false, JL_OK, NULL},
        {"adapter", "llama", "lora", NULL, 0, true, JL_OK, NULL},
        {"adapter", "llama", "lora", "general.description", 3, true, JL_OK, NULL},
        {"adapter", "llama", "lora", "adapter.alora.invocation_tokens", 3, true, JL_ERR_UNSUPPORTED,
         "invocation_tokens"},
        {"adapter", "llama", "lora", "llama.block_count", 3, true, JL_ERR_UNSUPPORTED,
         "block_count"},
        {"model", "llama", "lora", NULL, 3, true, JL_ERR_FORMAT, "general.type"},
        {"adapter", "qwen2", "lora", NULL, 3, true, JL_ERR_FORMAT, "architecture"},
        {"adapter", "llama", "control_vector", NULL, 3, true, JL_ERR_UNSUPPORTED, "adapter.type"},
        {"adapter", "llama", "lora", NULL, -1, true, JL_ERR_FORMAT, "adapter.lora.alpha"},
    };
    struct jl_error err = {0};
    struct model *base;
    must(model_load("tests/golden/llama", NULL, &base, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct adapter *adapter;
        const char *path = scratch_path("case.gguf");
        write_gguf(base, &cases[i], path);
        enum jl_status got = adapter_open(base, path, &adapter, &err);
        if (got != cases[i].status || (cases[i].says && !strstr(err.message, cases[i].says)))
            fail_msg("case %zu: status %d, '%s'", i, got, err.message);
        if (got == JL_OK)
            assert_true(adapter_factor(&adapter->pairs[0]) ==
                        (cases[i].alpha > 0 ? cases[i].alpha : 1));
        adapter_free(adapter);
    }
    model_free(base);
}

/* One half of kv_b, as no tool writes it. */
static void test_half_refused(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct make_model spec = kinds[sizeof kinds / sizeof kinds[0] - 1];
    struct model *base;
    struct adapter *adapter;
    struct gguf_writer *writer;
    float zeros[64] = {0};
    spec.mla.split = true;
    make_gguf(&spec, scratch_path("half.gguf"));
    must(model_load(scratch_path("half.gguf"), NULL, &base, &err), &err);
    const char *path = scratch_path("half-adapter.gguf");
    must(gguf_writer_create(path, 0, &writer, &err), &err);
    gguf_put_text(writer, "general.type", "adapter");
    gguf_put_text(writer, "general.architecture", "deepseek2");
    gguf_put_text(writer, "adapter.type", "lora");
    gguf_put_f32(writer, "adapter.lora.alpha", 1);
    gguf_add_tensor(writer, "blk.0.attn_k_b.weight.lora_a", DTYPE_F32, 3, (int64_t[]){3, 1, 12});
    gguf_add_tensor(writer, "blk.0.attn_k_b.weight.lora_b", DTYPE_F32, 2, (int64_t[]){28, 1});
    must(gguf_write_data(writer, zeros, 36 * sizeof *zeros, &err), &err);
    must(gguf_write_data(writer, zeros, 28 * sizeof *zeros, &err), &err);
    must(gguf_writer_commit(writer, &err), &err);
    gguf_writer_free(writer);
    assert_int_equal(adapter_open(base, path, &adapter, &err), JL_ERR_FORMAT);
    assert_non_null(strstr(err.message, "attn_k_b.weight.lora_a"));
    assert_non_null(strstr(err.message, "attn_kv_b"));
    model_free(base);
}

static int clean(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_of_model),      cmocka_unit_test(test_configs),
        cmocka_unit_test(test_tensors),       cmocka_unit_test(test_absent),
        cmocka_unit_test(test_gguf),          cmocka_unit_test(test_some_experts),
        cmocka_unit_test(test_joint_experts), cmocka_unit_test(test_halves),
        cmocka_unit_test(test_copies),        cmocka_unit_test(test_half_refused),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
