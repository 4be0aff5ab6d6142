/* Models with adapters: a new adapter changes no bit; logits against float64 for ranks and
 * families; the same bits on every level and in every batch; merged and beside; several on one
 * base. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/exec.h"
#include "model/fingerprint.h"
#include "model/own.h"
#include "support/golden.h"
#include "support/make_adapter.h"
#include "support/make_model.h"
#include "support/ref64.h"
#include "support/requantize.h"
#include "support/scratch.h"

#define N_TOKEN 20 // more than the head adds at a time

/* The last is made by the test: kv_b in two tensors. */
static const char *paths[] = {
    "tests/golden/llama",
    "tests/golden/qwen2",
    "tests/golden/qwen3",
    "tests/golden/qwen3-moe",
    "tests/golden/glm4",
    "tests/golden/glm4-moe",
    "tests/golden/deepseek-v2",
    "tests/golden/qwen3-next",
    "tests/golden/deepseek-v3",
    "tests/golden/gguf/tiny-llama.f32.gguf",
    "tests/golden/llama-llama3rope-tied",
    NULL,
};
enum { N_PATH = sizeof paths / sizeof paths[0] };

static int make_halves(void **state) {
    (void)state;
    static const struct make_model spec = {
        .family = "deepseek_v2",
        .n_layer = 2,
        .n_embd = 48,
        .n_ff = 40,
        .n_head = 3,
        .n_head_kv = 3,
        .head_dim = 20,
        .n_vocab = 1101, // more outputs than the head adds at a time
        .dtype = DTYPE_F16,
        .seed = 4,
        .mla = {.q_lora = 28, .kv_lora = 36, .nope = 12, .rope = 8, .v = 20, .split = true}};
    paths[N_PATH - 1] = strdup(scratch_path("halves.gguf"));
    make_gguf(&spec, paths[N_PATH - 1]);
    return 0;
}

static int clean(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

static void must(enum jl_status status, const struct jl_error *err) {
    if (status != JL_OK) fail_msg("%s", err->message);
}

static struct model *load(const char *path, const char *act, const char *kv) {
    struct jl_error err = {0};
    struct model *model;
    const struct class_request request = {act, kv};
    must(model_load(path, &request, &model, &err), &err);
    return model;
}

static struct model *with(const struct model *base, const struct adapter_use *uses, int n) {
    struct jl_error err = {0};
    struct model *model;
    must(adapter_model(base, uses, n, &model, &err), &err);
    return model;
}

/* On all that an adapter may stand on. */
static struct adapter *every(const struct model *base, int rank, double alpha, uint64_t seed) {
    return make_adapter_on(base, make_adapter_every, MAKE_ADAPTER_EVERY, rank, alpha, seed);
}

static int32_t ids[N_TOKEN];

static void fill_ids(const struct model *model) {
    for (int i = 0; i < N_TOKEN; i++)
        ids[i] = (i * 37 + 11) % model->hp.n_vocab;
}

static float *logits_of(const struct model *model, const char *level, int threads, int chunk) {
    const struct golden_prompts prompts = {.ids = {ids}, .n_id = {N_TOKEN}, .n = 1};
    const struct golden_run run = {.path = model->file->path,
                                   .level = level,
                                   .threads = threads,
                                   .chunk = chunk,
                                   .prompts = &prompts,
                                   .model = model};
    int n_vocab;
    return golden_logits(&run, &n_vocab);
}

static size_t n_logit(const struct model *model) { return N_TOKEN * (size_t)model->hp.n_vocab; }

static void test_new_changes_nothing(void **state) {
    (void)state;
    const struct adapter_request request = {"new", make_adapter_every, MAKE_ADAPTER_EVERY, 4, 8, 1};
    for (int p = 0; p < N_PATH; p++) {
        struct jl_error err = {0};
        struct model *base = load(paths[p], NULL, NULL);
        struct adapter *adapter;
        fill_ids(base);
        must(adapter_fresh(base, &request, &adapter, &err), &err);
        struct model *model = with(base, &(struct adapter_use){adapter, 1}, 1);
        float *want = logits_of(base, NULL, 2, 0), *got = logits_of(model, NULL, 2, 0);
        assert_true(model->plan.n_step >= base->plan.n_step + 3 * adapter->n - 3);
        assert_memory_equal(want, got, n_logit(base) * sizeof *want);
        free(want);
        free(got);
        adapter_free(adapter);
        model_free(model);
        model_free(base);
    }
}

/* Of the largest logit, how far the two are apart at most. */
static double distance(const float *got, const double *want, size_t n) {
    double most = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        size = fmax(size, fabs(want[i]));
        most = fmax(most, fabs((double)got[i] - want[i]));
    }
    return most / size;
}

/* And that the adapter is no small part of it. */
static void check_values(const struct model *base, const struct model *model, const char *what) {
    float *got = logits_of(model, NULL, 2, 0), *plain = logits_of(base, NULL, 2, 0);
    double *want = ref64_logits(model, ids, N_TOKEN);
    double off = distance(got, want, n_logit(model)), moved = distance(plain, want, n_logit(model));
    if (!(off < 1e-4) || !(moved > 1e-2))
        fail_msg("%s: %s: off by %.2g, moved by %.2g", base->file->path, what, off, moved);
    free(got);
    free(plain);
    free(want);
}

static void test_values(void **state) {
    (void)state;
    static const int ranks[] = {1, 2, 3, 8, 17, 64};
    for (int p = 0; p < N_PATH; p++) {
        struct model *base = load(paths[p], "f32", "f32");
        fill_ids(base);
        for (size_t i = 0; i < sizeof ranks / sizeof ranks[0]; i++) {
            char what[32];
            if (golden_quick() && i != (size_t)p % 6) continue;
            struct adapter *adapter = every(base, ranks[i], 2.0 * ranks[i] + 1, i);
            struct model *model = with(base, &(struct adapter_use){adapter, 0.75f}, 1);
            adapter_free(adapter); // the model has its own copy
            snprintf(what, sizeof what, "rank %d", ranks[i]);
            check_values(base, model, what);
            model_free(model);
        }
        model_free(base);
    }
}

/* bf16 activations, quantised bases, all levels, threads and cuts. */
static void test_bits(void **state) {
    (void)state;
    const char *mixture = scratch_path("mixture.gguf");
    const char *const more[] = {"tests/golden/gguf/small-llama.q4_k_m.gguf",
                                "tests/golden/gguf/small-llama.q8_0.gguf", mixture};
    struct model *moe = load("tests/golden/qwen3-moe", NULL, NULL);
    requantize(moe, "q8_0", mixture);
    model_free(moe);
    for (int p = 0; p < N_PATH + 3; p++) {
        struct model *base = load(p < N_PATH ? paths[p] : more[p - N_PATH], NULL, NULL);
        struct adapter *adapter = every(base, 5, 10, 3);
        struct model *model = with(base, &(struct adapter_use){adapter, 1}, 1);
        fill_ids(base);
        float *want = logits_of(model, NULL, 1, 0);
        for (int i = 0; golden_levels[i]; i++) {
            if (!golden_has_level(golden_levels[i])) continue;
            float *got = logits_of(model, golden_levels[i], 1 + i % 3, i % 2 ? 1 : 5);
            if (memcmp(got, want, n_logit(model) * sizeof *got))
                fail_msg("%s: other bits at level %s", base->file->path, golden_levels[i]);
            free(got);
        }
        free(want);
        adapter_free(adapter);
        model_free(model);
        model_free(base);
    }
}

static void add_float(double *sum, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        sum[i] = (double)x[i];
}

static void test_merged(void **state) {
    (void)state;
    for (int p = 0; p < N_PATH; p++) {
        struct jl_error err = {0};
        const struct class_request request = {"f32", "f32"};
        struct model *base = load(paths[p], "f32", "f32"), *merged;
        struct adapter *first =
            base->tied ? make_adapter(base, "all", 4, 8, 5) : every(base, 4, 8, 5);
        struct adapter *second = make_adapter(base, "attn_o", 2, 3, 6);
        const struct adapter_use uses[] = {{first, 1}, {second, -0.5f}};
        struct model *model = with(base, uses, 2);
        must(model_load_owned(paths[p], &request, DTYPE_F32, &merged, &err), &err);
        must(adapter_merge(merged, uses, 2, &err), &err);
        fill_ids(base);
        float *got = logits_of(merged, NULL, 2, 0), *beside = logits_of(model, NULL, 2, 0);
        double *want = calloc(n_logit(model), sizeof *want);
        add_float(want, beside, n_logit(model));
        double off = distance(got, want, n_logit(model));
        if (!(off < 1e-4)) fail_msg("%s: merged is off by %.2g", paths[p], off);
        free(got);
        free(beside);
        free(want);
        adapter_free(first);
        adapter_free(second);
        model_free(model);
        model_free(merged);
        model_free(base);
    }
}

static void test_merge_refused(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct model *owned, *other = load("tests/golden/qwen2", NULL, NULL);
    const char *path = "tests/golden/gguf/small-llama.q8_0.gguf";
    must(model_load_owned(path, NULL, DTYPE_F32, &owned, &err), &err);
    struct adapter *adapter = make_adapter(owned, "ffn_down", 2, 2, 1);
    assert_int_equal(adapter_merge(owned, &(struct adapter_use){adapter, 1}, 1, &err),
                     JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "quantised"));
    struct model *out;
    assert_int_equal(adapter_model(other, &(struct adapter_use){adapter, 1}, 1, &out, &err),
                     JL_ERR_USAGE);
    assert_non_null(strstr(err.message, "another base"));
    assert_null(out);
    assert_int_equal(adapter_model(owned, &(struct adapter_use){adapter, NAN}, 1, &out, &err),
                     JL_ERR_USAGE);
    adapter_free(adapter);
    model_free(owned);
    model_free(other);
}

/* Two models on one base differ from it and from each other, and do not disturb each other. */
static void test_shared_base(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct backend *backend;
    uint8_t prints[4][FINGERPRINT_BYTES];
    struct model *base = load("tests/golden/llama", NULL, NULL);
    struct adapter *a = make_adapter(base, "attn_q", 3, 6, 1);
    struct adapter *b = make_adapter(base, "all", 3, 6, 2);
    const struct adapter_use both[] = {{a, 1}, {b, 1}}, only_b = {b, 1};
    struct model *models[] = {base, with(base, both, 1), with(base, &only_b, 1),
                              with(base, both, 2)};
    float *logits[4];
    fill_ids(base);
    must(backend_cpu_create(&(struct backend_options){NULL, 2}, &backend, &err), &err);
    for (int i = 0; i < 4; i++) {
        must(fingerprint_model(models[i], backend, prints[i], &err), &err);
        logits[i] = logits_of(models[i], NULL, 2, 0);
        assert_ptr_equal(models[i]->weights, base->weights);
        for (int k = 0; k < i; k++) {
            assert_memory_not_equal(prints[i], prints[k], FINGERPRINT_BYTES);
            assert_memory_not_equal(logits[i], logits[k], n_logit(base) * sizeof(float));
        }
    }
    for (int i = 0; i < 4; i++) {
        float *again = logits_of(models[i], NULL, 2, 0);
        assert_memory_equal(again, logits[i], n_logit(base) * sizeof(float));
        free(again);
        free(logits[i]);
    }
    backend_free(backend);
    adapter_free(a);
    adapter_free(b);
    for (int i = 3; i >= 0; i--)
        model_free(models[i]);
}

/* What was not asked for, and what is asked for in vain. */
static void test_roles(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct model *base = load("tests/golden/deepseek-v3", NULL, NULL);
    const char *names[] = {"q_a_proj", "attn_o", "attn_kv_b"}, *none = "ffn_norm";
    struct adapter_request request = {"r", names, 2, 2, 2, 1};
    struct adapter *adapter;
    must(adapter_fresh(base, &request, &adapter, &err), &err);
    assert_int_equal(adapter->n, 2 * base->hp.n_layer);
    for (int i = 0; i < adapter->n; i++)
        assert_true(adapter->pairs[i].role == ROLE_ATTN_Q_A ||
                    adapter->pairs[i].role == ROLE_ATTN_O);
    adapter_free(adapter);
    request.n_role = 3;
    must(adapter_fresh(base, &request, &adapter, &err), &err);
    assert_int_equal(adapter->n, 3 * base->hp.n_layer);
    adapter_free(adapter);
    request.roles = make_adapter_every;
    request.n_role = 1; // all are the blocks' matrices
    must(adapter_fresh(base, &request, &adapter, &err), &err);
    assert_true(adapter->pairs[0].layer == 0);
    adapter_free(adapter);
    request.n_role = MAKE_ADAPTER_EVERY;
    must(adapter_fresh(base, &request, &adapter, &err), &err);
    assert_int_equal(adapter->pairs[0].role, ROLE_TOK_EMBD);
    assert_int_equal(adapter->pairs[0].n_in, base->hp.n_vocab);
    assert_int_equal(adapter->pairs[1].role, ROLE_OUTPUT);
    adapter_free(adapter);
    request.roles = &none;
    request.n_role = 1;
    assert_int_equal(adapter_fresh(base, &request, &adapter, &err), JL_ERR_USAGE);
    request.rank = 0;
    assert_int_equal(adapter_fresh(base, &request, &adapter, &err), JL_ERR_USAGE);
    assert_null(adapter);
    model_free(base);
}

/* Names of experts; "up_proj" is what folders call theirs, and the shared and the dense ones. */
static void test_expert_roles(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct model *base = load("tests/golden/deepseek-v3", NULL, NULL);
    const char *gate = "ffn_gate_exps", *up = "up_proj";
    struct adapter_request request = {"r", &gate, 1, 2, 2, 1};
    struct adapter *adapter;
    int n_dense = 0, n_moe = 0;
    for (int layer = 0; layer < base->hp.n_layer; layer++)
        *(model_weight(base, ROLE_EXP_UP, layer) ? &n_moe : &n_dense) += 1;
    must(adapter_fresh(base, &request, &adapter, &err), &err);
    assert_int_equal(adapter->n, n_moe);
    for (int i = 0; i < adapter->n; i++) {
        const struct adapter_pair *pair = &adapter->pairs[i];
        assert_true(pair->role == ROLE_EXP_GATE && pair->n_expert == base->hp.n_expert);
        size_t each = adapter_n_a(pair) / (size_t)pair->n_expert;
        for (int e = 1; e < pair->n_expert; e++)
            assert_memory_not_equal(pair->a, pair->a + (size_t)e * each, each * sizeof(float));
    }
    struct model *model = with(base, &(struct adapter_use){adapter, 1}, 1);
    assert_int_equal(model_weight_bytes(model) - model_weight_bytes(base),
                     (size_t)adapter->n *
                         (adapter_n_a(&adapter->pairs[0]) + adapter_n_b(&adapter->pairs[0])) * 4);
    model_free(model);
    adapter_free(adapter);
    request.roles = &up;
    must(adapter_fresh(base, &request, &adapter, &err), &err);
    assert_int_equal(adapter->n, n_dense + 2 * n_moe);
    adapter_free(adapter);
    model_free(base);
}

/* On one part of the experts only, or on all but one: steps are grouped otherwise, bits are not. */
static void test_expert_groups(void **state) {
    (void)state;
    static const char *const roles[] = {"ffn_gate_exps", "ffn_up_exps", "ffn_down_exps", "up_proj"};
    struct model *base = load("tests/golden/qwen3-moe", "f32", "f32");
    fill_ids(base);
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        struct adapter *adapter = make_adapter(base, roles[i], 3, 6, i);
        struct model *model = with(base, &(struct adapter_use){adapter, 1}, 1);
        check_values(base, model, roles[i]);
        float *want = logits_of(model, "ref", 1, 1), *got = logits_of(model, NULL, 3, 0);
        assert_memory_equal(want, got, n_logit(base) * sizeof *got);
        free(want);
        free(got);
        model_free(model);
        adapter_free(adapter);
    }
    model_free(base);
}

/* ---- given vectors ---- */

/* Logits of two rows, the second given as the vector that the base has for its token. */
static void logits_of_vector(const struct model *model, const float *vector, float *logits) {
    struct jl_error err = {0};
    struct backend *backend;
    struct exec *exec;
    struct backend_buffer *page;
    must(backend_cpu_create(&(struct backend_options){NULL, 2}, &backend, &err), &err);
    must(exec_create(model, backend, 2, &exec, &err), &err);
    must(backend_alloc(backend, model->page_bytes, &page, &err), &err);
    const struct batch_row rows[] = {{.token = ids[0], .vector = vector, .want_logits = true},
                                     {.token = ids[1], .pos = {1}, .want_logits = true}};
    const struct seq_view seq = {.pages = &page, .n_page = 1};
    must(exec_forward(exec, &(struct batch){rows, 2, &seq, 1, NULL}, logits, &err), &err);
    exec_free(exec);
    backend_release(page);
    backend_free(backend);
}

/* An adapter on the embedding adds to what tokens give, and to nothing else. */
static void test_vectors(void **state) {
    (void)state;
    struct model *base = load("tests/golden/qwen3", "f32", "f32");
    struct adapter *adapter = make_adapter(base, "embed_tokens", 3, 6, 1);
    struct model *model = with(base, &(struct adapter_use){adapter, 1}, 1);
    const struct weight *embedding = model_weight(base, ROLE_TOK_EMBD, -1);
    size_t n_vocab = (size_t)base->hp.n_vocab;
    float *vector = calloc((size_t)embedding->n_in, sizeof *vector);
    float *logits = calloc(8 * n_vocab, sizeof *logits);
    fill_ids(base);
    dtype_dequantize(embedding->dtype, embedding->data + (size_t)ids[0] * embedding->stride, vector,
                     embedding->n_in);
    logits_of_vector(base, NULL, logits);
    logits_of_vector(base, vector, logits + 2 * n_vocab);
    logits_of_vector(model, vector, logits + 4 * n_vocab);
    logits_of_vector(model, NULL, logits + 6 * n_vocab);
    assert_memory_equal(logits, logits + 2 * n_vocab, 2 * n_vocab * sizeof *logits);
    assert_memory_equal(logits, logits + 4 * n_vocab, n_vocab * sizeof *logits);
    assert_memory_not_equal(logits + n_vocab, logits + 5 * n_vocab, n_vocab * sizeof *logits);
    assert_memory_not_equal(logits, logits + 6 * n_vocab, n_vocab * sizeof *logits);
    free(vector);
    free(logits);
    adapter_free(adapter);
    model_free(model);
    model_free(base);
}

/* One tensor for two: what is added to it for one would change the other. */
static void test_merge_tied(void **state) {
    (void)state;
    static const char *const roles[] = {"embed_tokens", "lm_head"};
    for (int i = 0; i < 2; i++) {
        struct jl_error err = {0};
        struct model *owned;
        must(model_load_owned("tests/golden/llama-llama3rope-tied", NULL, DTYPE_F32, &owned, &err),
             &err);
        struct adapter *adapter = make_adapter(owned, roles[i], 2, 2, 1);
        assert_int_equal(adapter->n, 1);
        assert_int_equal(adapter_merge(owned, &(struct adapter_use){adapter, 1}, 1, &err),
                         JL_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.message, "one tensor"));
        adapter_free(adapter);
        model_free(owned);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_changes_nothing),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_merged),
        cmocka_unit_test(test_merge_refused),
        cmocka_unit_test(test_shared_base),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_expert_roles),
        cmocka_unit_test(test_expert_groups),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_merge_tied),
    };
    return cmocka_run_group_tests(tests, make_halves, clean);
}
