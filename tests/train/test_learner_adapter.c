/* Adapters that are learned, on quantised bases, on a mixture of experts, on the ends of a model
 * and on latent attention's kv_b: the loss falls, the base stays, what is written and read again
 * has the bits that were learned, in both kinds of files; another number of threads, and a run that
 * was cut, learn the same. What moves of A is A without its factor. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/rng.h"
#include "model/adapter.h"
#include "model/fingerprint.h"
#include "support/golden.h"
#include "support/scratch.h"
#include "train/learn/checkpoint.h"
#include "train/learn/learner.h"

enum { N_ROW = 24, N_STEP = 12, N_TOKEN = 11 };
#define RATE 3e-3f

struct kind {
    const char *model;
    struct adapter_request request;
    double falls; // the loss at the end, of that at the beginning, at most
};

static const char *const every[] = {"all", "embed_tokens", "lm_head"};
static const char *const latent[] = {"kv_b_proj", "token_embd", "output"};
static const char *const few[] = {"attn_kv_b"};
enum { MIXTURE = 2, LATENT = 3 };
static const struct kind kinds[] = {
    // alpha and rank: of the first a factor that rounds
    {"tests/golden/gguf/small-llama.q4_k_m.gguf", {"learned", every, 1, 4, 6, 1}, 0.5},
    {"tests/golden/gguf/small-llama.q4_k_m.gguf", {"learned", every, 3, 4, 8, 1}, 0.5},
    [MIXTURE] = {"tests/golden/qwen3-moe", {"learned", every, 1, 4, 6, 1}, 0.5},
    [LATENT] = {"tests/golden/deepseek-v2", {"learned", latent, 3, 4, 6, 1}, 0.7},
    {"tests/golden/llama-llama3rope-tied", {"learned", every, 3, 3, 3, 1}, 0.7},
    {"tests/golden/deepseek-v3", {"learned", few, 1, 16, 16, 1}, 0.8},
};
enum { N_KIND = sizeof kinds / sizeof kinds[0] };

static void must(enum jl_status status, const struct jl_error *err) {
    if (status != JL_OK) fail_msg("%s", err->message);
}

static struct learner *start_learner(struct backend *backend, const struct kind *kind, double alpha,
                                     float max_norm) {
    struct jl_error err = {0};
    struct learner *learner;
    struct adapter_request request = kind->request;
    request.alpha = alpha;
    const struct learner_options options = {
        .model = kind->model,
        .adapter = &request,
        .rows = N_ROW,
        .n_micro = 1,
        .keep = TAPE_KEEP_COSTLY,
        .optimizer = {OPTIMIZER_ADAMW, 0.9f, 0.95f, 1e-8f, .max_norm = max_norm},
    };
    must(learner_create(backend, &options, &learner, &err), &err);
    return learner;
}

static void step(struct learner *learner, double *losses, int n) {
    struct learner_row rows[N_ROW];
    int n_vocab = learner_model(learner)->hp.n_vocab;
    for (int i = 0; i < N_ROW; i++)
        rows[i] = (struct learner_row){.token = (i * 37 + 11) % n_vocab,
                                       .target = (i * 37 + 48) % n_vocab,
                                       .after = -1,
                                       .pos = i,
                                       .weight = 1};
    const struct learner_batch batch = {rows, N_ROW, 1};
    for (int i = 0; i < n; i++) {
        struct jl_error err = {0};
        struct step_result result;
        must(learner_step(learner, &batch, 1, &loss_cross_entropy, RATE, NULL, &result, &err),
             &err);
        losses[i] = result.loss;
    }
}

static struct learner *learn(struct backend *backend, const struct kind *kind,
                             double losses[N_STEP]) {
    struct learner *learner = start_learner(backend, kind, kind->request.alpha, 1);
    step(learner, losses, N_STEP);
    return learner;
}

static struct backend *start(int threads) {
    struct jl_error err = {0};
    struct backend *backend;
    must(backend_cpu_create(&(struct backend_options){NULL, threads}, &backend, &err), &err);
    return backend;
}

static void print_of(const struct model *model, struct backend *backend,
                     uint8_t out[FINGERPRINT_BYTES]) {
    struct jl_error err = {0};
    must(fingerprint_model(model, backend, out, &err), &err);
}

/* ---- written and read again ---- */

static float *logits_of(const struct model *model, size_t *bytes) {
    int32_t ids[N_TOKEN];
    const struct golden_prompts prompts = {.ids = {ids}, .n_id = {N_TOKEN}, .n = 1};
    const struct golden_run run = {
        .path = model->file->path, .threads = 2, .prompts = &prompts, .model = model};
    int n_vocab;
    for (int i = 0; i < N_TOKEN; i++)
        ids[i] = (i * 37 + 11) % model->hp.n_vocab;
    float *logits = golden_logits(&run, &n_vocab);
    *bytes = N_TOKEN * (size_t)n_vocab * sizeof *logits;
    return logits;
}

static void check_again(const struct kind *kind, const char *path, struct backend *backend,
                        const struct model *learned) {
    struct jl_error err = {0};
    struct model *again;
    uint8_t want[FINGERPRINT_BYTES], print[FINGERPRINT_BYTES];
    size_t bytes;
    must(adapter_model_load(kind->model, NULL, &(struct adapter_path){path, 1}, 1, &again, &err),
         &err);
    print_of(learned, backend, want);
    print_of(again, backend, print);
    if (memcmp(print, want, FINGERPRINT_BYTES)) fail_msg("%s: other numbers", path);
    float *seen = logits_of(learned, &bytes), *got = logits_of(again, &bytes);
    if (memcmp(seen, got, bytes)) fail_msg("%s: %s: other logits", kind->model, path);
    free(seen);
    free(got);
    model_free(again);
}

/* Every matrix has moved, of experts those of most: some no row has met. */
static void check_moved(const struct adapter *now, const struct kind *kind,
                        const struct model *base) {
    struct jl_error err = {0};
    struct adapter *before;
    int n_moved = 0, n_expert = 0;
    must(adapter_fresh(base, &kind->request, &before, &err), &err);
    assert_int_equal(now->n, before->n);
    for (int i = 0; i < now->n; i++) {
        const struct adapter_pair *x = &now->pairs[i], *y = &before->pairs[i];
        size_t n = adapter_matrices(x), a = adapter_n_a(x) / n, b = adapter_n_b(x) / n;
        assert_true(x->role == y->role && x->alpha == kind->request.alpha &&
                    x->rank == kind->request.rank);
        for (size_t e = 0; e < n; e++) {
            bool moved = memcmp(x->a + e * a, y->a + e * a, a * sizeof *x->a) != 0;
            bool b_moved = memcmp(x->b + e * b, y->b + e * b, b * sizeof *x->b) != 0;
            assert_true(b_moved || !moved); // A has a gradient once B is not zero
            if (!x->n_expert && !moved) fail_msg("pair %d of %s has not moved", i, kind->model);
            n_moved += moved && x->n_expert;
            n_expert += x->n_expert > 0;
        }
    }
    if (n_expert && !(2 * n_moved > n_expert))
        fail_msg("of %d experts' matrices only %d have moved", n_expert, n_moved);
    adapter_free(before);
}

static void check_learned(const struct kind *kind) {
    struct jl_error err = {0};
    struct backend *one = start(1), *three = start(3);
    double losses[2][N_STEP];
    uint8_t prints[2][FINGERPRINT_BYTES];
    struct learner *first = learn(one, kind, losses[0]), *second = learn(three, kind, losses[1]);
    const struct model *model = learner_model(first);
    assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
    if (!(losses[0][N_STEP - 1] < kind->falls * losses[0][0]))
        fail_msg("%s: the loss goes from %g to %g only", kind->model, losses[0][0],
                 losses[0][N_STEP - 1]);
    print_of(model, one, prints[0]);
    print_of(learner_model(second), three, prints[1]);
    assert_memory_equal(prints[0], prints[1], FINGERPRINT_BYTES);

    struct adapter *adapter;
    const char *folder = scratch_path("learned"), *file = scratch_path("learned.gguf");
    must(adapter_of_model(model, 0, &adapter, &err), &err);
    check_moved(adapter, kind, model->base);
    must(adapter_write_folder(model->base, adapter, folder, &err), &err);
    must(adapter_write_gguf(model->base, adapter, file, &err), &err);
    check_again(kind, folder, one, model);
    check_again(kind, file, one, model);
    adapter_free(adapter);
    learner_free(first);
    learner_free(second);
    backend_free(one);
    backend_free(three);
    scratch_remove();
}

static void test_learned(void **state) {
    (void)state;
    for (int i = 0; i < N_KIND; i++)
        check_learned(&kinds[i]);
}

/* ---- what moves ---- */

static struct learner_array array_of(struct learner *learner, const char *name) {
    for (int i = 0; i < learner_n_array(learner); i++) {
        struct learner_array array = learner_array(learner, i);
        if (!strcmp(array.name, name)) return array;
    }
    fail_msg("no array %s", name);
    return (struct learner_array){{0}, NULL, 0};
}

/* The moment or weight that belongs to a master. */
static struct learner_array beside(struct learner *learner, const struct learner_array *master,
                                   const char *kind) {
    char name[256];
    int stem = (int)(strrchr(master->name, '.') - master->name);
    snprintf(name, sizeof name, "%.*s.%s", stem, master->name, kind);
    return array_of(learner, name);
}

static bool ends(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n > m && !strcmp(text + n - m, end);
}

/* One learner has alpha, the other the same working copy with the factor in its A: the same
 * gradients come to B, the first one's A has its own, times the factor, and moves at the rate. */
static void factor_case(const struct kind *kind) {
    const float factor = (float)(kind->request.alpha / kind->request.rank);
    struct backend *backend = start(2);
    struct learner *scaled = start_learner(backend, kind, kind->request.alpha, 0);
    struct learner *plain = start_learner(backend, kind, kind->request.rank, 0);
    double losses[2];
    int n_a = 0, n_b = 0;
    for (int i = 0; i < learner_n_array(scaled); i++) {
        struct learner_array at = learner_array(scaled, i);
        const struct rng_key key = {.seed = 5, .sequence = (uint32_t)i, .purpose = RNG_TEST};
        if (ends(at.name, "lora_b.master"))
            for (size_t k = 0; k < at.n; k++)
                at.data[k] = array_of(plain, at.name).data[k] = 0.1f * rng_uniform(&key, k) - 0.05f;
        if (!strncmp(at.name, "token_embd", 10) && ends(at.name, "lora_a.unscaled"))
            for (size_t k = 0; k < at.n; k++) // a new one's are zero
                at.data[k] = 0.1f * rng_uniform(&key, k) - 0.05f;
        if (ends(at.name, "lora_a.unscaled"))
            adapter_scale(at.data, factor, at.n, beside(plain, &at, "master").data);
    }
    learner_restore(scaled, 0);
    learner_restore(plain, 0);
    struct adapter *before, *after;
    struct jl_error err = {0};
    must(adapter_of_model(learner_model(scaled), 0, &before, &err), &err);
    step(scaled, &losses[0], 1);
    step(plain, &losses[1], 1);
    assert_memory_equal(&losses[0], &losses[1], sizeof losses[0]);
    for (int i = 0; i < learner_n_array(scaled); i++) {
        struct learner_array at = learner_array(scaled, i);
        bool is_a = ends(at.name, "lora_a.unscaled");
        if (!is_a && !ends(at.name, "lora_b.master")) continue;
        const struct learner_array m = beside(scaled, &at, "m"), want = beside(plain, &at, "m");
        for (size_t k = 0; k < m.n; k++) {
            double wanted = (double)want.data[k] * (is_a ? (double)factor : 1);
            if (fabs((double)m.data[k] - wanted) > (is_a ? 1e-6 * fabs(wanted) + 1e-20 : 0))
                fail_msg("%s: element %zu of m is %g, not %g", at.name, k, (double)m.data[k],
                         wanted);
        }
        *(is_a ? &n_a : &n_b) += 1;
    }
    assert_true(n_a > 0 && n_a == n_b);
    must(adapter_of_model(learner_model(scaled), 0, &after, &err), &err);
    size_t n = 0, n_full = 0;
    for (int i = 0; i < after->n; i++)
        for (size_t k = 0; k < adapter_n_a(&after->pairs[i]); k++) {
            float moved = fabsf(after->pairs[i].a[k] - before->pairs[i].a[k]);
            assert_true(moved < RATE * 1.001f);
            n += moved > 0;
            n_full += moved > RATE * 0.999f;
        }
    if (!(n_full > n / 10 * 9)) fail_msg("of %zu numbers %zu have moved at the rate", n, n_full);
    for (int id = 0; id < own_count(learner_model(scaled)); id++) {
        const struct own_tensor t = own_tensor(learner_model(scaled), id);
        if (!t.w || !t.master) continue;
        float *copy = calloc(t.n, sizeof *copy);
        assert_true(t.factor == factor);
        adapter_scale(t.master, factor, t.n, copy);
        assert_memory_equal(copy, t.w->data, t.n * sizeof *copy);
        free(copy);
    }
    adapter_free(before);
    adapter_free(after);
    learner_free(scaled);
    learner_free(plain);
    backend_free(backend);
}

static void test_factor(void **state) {
    (void)state;
    for (int i = 0; i < N_KIND; i++)
        if (kinds[i].request.alpha != kinds[i].request.rank) factor_case(&kinds[i]);
}

/* What is too small for a normal number is a zero, whatever the environment. */
static void test_scale(void **state) {
    (void)state;
    static const float from[] = {1e-38f, -1e-38f, 1.2e-38f, -0.0f, 3, -5e-39f, 2e-38f};
    static const float half[] = {0, -0.0f, 0, -0.0f, 1.5f, -0.0f, 0};
    static const float twice[] = {0, -0.0f, 2.4e-38f, -0.0f, 6, -0.0f, 4e-38f};
    float to[7];
    adapter_scale(from, 0.5f, 7, to);
    assert_memory_equal(to, half, sizeof to);
    adapter_scale(from, 2, 7, to);
    assert_memory_equal(to, twice, sizeof to);
    adapter_scale(from, 1, 7, to);
    assert_memory_equal(to, from, sizeof to);
}

/* ---- gone on with ---- */

static void mark(void *ctx, int64_t stage, uint8_t out[CHECKPOINT_MARK]) {
    (void)ctx;
    (void)stage;
    memset(out, 7, CHECKPOINT_MARK);
}

static void torn(void *ctx, const char *message) {
    (void)ctx;
    fail_msg("%s", message);
}

static void resumed(const struct kind *kind, const char *folder) {
    struct jl_error err = {0};
    struct backend *backend = start(2);
    double whole[N_STEP], parts[N_STEP];
    uint8_t prints[2][FINGERPRINT_BYTES], marks[CHECKPOINT_MARK];
    struct checkpoint at = {.steps = 5}, found;
    const struct checkpoint_reader reader = {mark, torn, NULL};
    struct learner *all = learn(backend, kind, whole);
    struct learner *cut = start_learner(backend, kind, kind->request.alpha, 1);
    step(cut, parts, 5);
    assert_int_equal(mkdir(scratch_path(folder), 0777), 0);
    mark(NULL, 0, marks);
    must(checkpoint_write(scratch_path(folder), cut, &at, marks, 1, &err), &err);
    learner_free(cut);
    cut = start_learner(backend, kind, kind->request.alpha, 1);
    must(checkpoint_read_newest(scratch_path(folder), cut, &reader, &found, &err), &err);
    assert_int_equal(found.steps, 5);
    free(found.cursor);
    learner_restore(cut, 5);
    step(cut, parts + 5, N_STEP - 5);
    assert_memory_equal(whole, parts, sizeof whole);
    print_of(learner_model(all), backend, prints[0]);
    print_of(learner_model(cut), backend, prints[1]);
    assert_memory_equal(prints[0], prints[1], FINGERPRINT_BYTES);
    for (int i = 0; i < learner_n_array(all); i++) {
        const struct learner_array a = learner_array(all, i), b = learner_array(cut, i);
        assert_memory_equal(a.data, b.data, a.n * sizeof *a.data);
    }
    // its master is the weight
    struct learner *other = start_learner(backend, kind, kind->request.rank, 1);
    assert_int_equal(checkpoint_read_newest(scratch_path(folder), other, &reader, &found, &err),
                     JL_ERR_USAGE);
    learner_free(other);
    learner_free(all);
    learner_free(cut);
    backend_free(backend);
}

/* The mixture has all kinds of matrices of blocks. */
static void test_resumed(void **state) {
    (void)state;
    resumed(&kinds[MIXTURE], "cut");
    resumed(&kinds[LATENT], "cut-latent");
}

static int clean(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learned),
        cmocka_unit_test(test_factor),
        cmocka_unit_test(test_scale),
        cmocka_unit_test(test_resumed),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
