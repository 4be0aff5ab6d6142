/* Adapters that are learned, on a quantised base and on a mixture of experts: the loss falls, the
 * base stays, what is written and read again has the bits that were learned, in both kinds of
 * files; another number of threads, and a run that was cut, learn the same. What moves of A is A
 * without its factor. */
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
#include "support/scratch.h"
#include "train/checkpoint.h"
#include "train/learner.h"

enum { N_ROW = 24, N_STEP = 12, RANK = 4 };

static const char *const models[] = {"tests/golden/gguf/small-llama.q4_k_m.gguf",
                                     "tests/golden/qwen3-moe"};
enum { N_MODEL = 2 };

static void must(enum jl_status status, const struct jl_error *err) {
    if (status != JL_OK) fail_msg("%s", err->message);
}

static const char *const roles[] = {"all"};
#define ALPHA 6.0 // a factor that rounds
#define RATE 3e-3f

static struct learner *start_learner(struct backend *backend, const char *model, double alpha,
                                     float max_norm) {
    struct jl_error err = {0};
    struct learner *learner;
    const struct adapter_request request = {"learned", roles, 1, RANK, alpha, 1};
    const struct learner_options options = {
        .model = model,
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

static struct learner *learn(struct backend *backend, const char *model, double losses[N_STEP]) {
    struct learner *learner = start_learner(backend, model, ALPHA, 1);
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

static void check_again(const char *model, const char *path, struct backend *backend,
                        const uint8_t want[FINGERPRINT_BYTES]) {
    struct jl_error err = {0};
    struct model *again;
    uint8_t print[FINGERPRINT_BYTES];
    must(adapter_model_load(model, NULL, &(struct adapter_path){path, 1}, 1, &again, &err), &err);
    print_of(again, backend, print);
    if (memcmp(print, want, FINGERPRINT_BYTES)) fail_msg("%s: other numbers", path);
    model_free(again);
}

/* Every matrix of every expert that some row has met has moved. */
static void check_moved(const struct adapter *now, const struct model *base) {
    struct jl_error err = {0};
    struct adapter *before;
    const struct adapter_request request = {"learned", roles, 1, RANK, ALPHA, 1};
    int n_moved = 0, n_expert = 0;
    must(adapter_fresh(base, &request, &before, &err), &err);
    assert_int_equal(now->n, before->n);
    for (int i = 0; i < now->n; i++) {
        const struct adapter_pair *x = &now->pairs[i], *y = &before->pairs[i];
        size_t n = adapter_matrices(x), a = adapter_n_a(x) / n, b = adapter_n_b(x) / n;
        assert_true(x->role == y->role && x->alpha == ALPHA && x->rank == RANK);
        for (size_t e = 0; e < n; e++) {
            bool moved = memcmp(x->a + e * a, y->a + e * a, a * sizeof *x->a) != 0;
            bool b_moved = memcmp(x->b + e * b, y->b + e * b, b * sizeof *x->b) != 0;
            assert_true(b_moved || !moved); // A has a gradient once B is not zero
            if (!x->n_expert) assert_true(moved);
            n_moved += moved && x->n_expert;
            n_expert += x->n_expert > 0;
        }
    }
    if (n_expert && !(2 * n_moved > n_expert))
        fail_msg("of %d experts' matrices only %d have moved", n_expert, n_moved);
    adapter_free(before);
}

static void learned(const char *path, int number) {
    struct jl_error err = {0};
    struct backend *one = start(1), *three = start(3);
    double losses[2][N_STEP];
    uint8_t prints[2][FINGERPRINT_BYTES];
    char name[2][32];
    struct learner *first = learn(one, path, losses[0]), *second = learn(three, path, losses[1]);
    const struct model *model = learner_model(first);
    assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
    if (!(losses[0][N_STEP - 1] < 0.5 * losses[0][0]))
        fail_msg("the loss goes from %g to %g only", losses[0][0], losses[0][N_STEP - 1]);
    print_of(model, one, prints[0]);
    print_of(learner_model(second), three, prints[1]);
    assert_memory_equal(prints[0], prints[1], FINGERPRINT_BYTES);

    struct adapter *adapter;
    must(adapter_of_model(model, 0, &adapter, &err), &err);
    check_moved(adapter, model->base);
    snprintf(name[0], sizeof name[0], "learned%d", number);
    snprintf(name[1], sizeof name[1], "learned%d.gguf", number);
    must(adapter_write_folder(model->base, adapter, scratch_path(name[0]), &err), &err);
    must(adapter_write_gguf(model->base, adapter, scratch_path(name[1]), &err), &err);
    for (int i = 0; i < 2; i++)
        check_again(path, scratch_path(name[i]), one, prints[0]);
    adapter_free(adapter);
    learner_free(first);
    learner_free(second);
    backend_free(one);
    backend_free(three);
}

static void test_learned(void **state) {
    (void)state;
    for (int i = 0; i < N_MODEL; i++)
        learned(models[i], i);
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
static void factor_case(const char *path) {
    const float factor = (float)(ALPHA / RANK);
    struct backend *backend = start(2);
    struct learner *scaled = start_learner(backend, path, ALPHA, 0);
    struct learner *plain = start_learner(backend, path, RANK, 0);
    double losses[2];
    int n_a = 0, n_b = 0;
    for (int i = 0; i < learner_n_array(scaled); i++) {
        struct learner_array at = learner_array(scaled, i);
        const struct rng_key key = {.seed = 5, .sequence = (uint32_t)i, .purpose = RNG_TEST};
        if (ends(at.name, "lora_b.master"))
            for (size_t k = 0; k < at.n; k++)
                at.data[k] = array_of(plain, at.name).data[k] = 0.1f * rng_uniform(&key, k) - 0.05f;
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
    for (int i = 0; i < N_MODEL; i++)
        factor_case(models[i]);
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

static void test_resumed(void **state) {
    (void)state;
    const char *path = models[N_MODEL - 1], *folder = "cut";
    struct jl_error err = {0};
    struct backend *backend = start(2);
    double whole[N_STEP], parts[N_STEP];
    uint8_t prints[2][FINGERPRINT_BYTES], marks[CHECKPOINT_MARK];
    struct checkpoint at = {.steps = 5}, found;
    const struct checkpoint_reader reader = {mark, torn, NULL};
    struct learner *all = learn(backend, path, whole);
    struct learner *cut = start_learner(backend, path, ALPHA, 1);
    step(cut, parts, 5);
    assert_int_equal(mkdir(scratch_path(folder), 0777), 0);
    mark(NULL, 0, marks);
    must(checkpoint_write(scratch_path(folder), cut, &at, marks, 1, &err), &err);
    learner_free(cut);
    cut = start_learner(backend, path, ALPHA, 1);
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
    struct learner *other = start_learner(backend, path, RANK, 1); // its master is the weight
    assert_int_equal(checkpoint_read_newest(scratch_path(folder), other, &reader, &found, &err),
                     JL_ERR_USAGE);
    learner_free(other);
    learner_free(all);
    learner_free(cut);
    backend_free(backend);
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
