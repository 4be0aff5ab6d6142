/* The backward pass of whole models: gradients of every tensor of every golden family against
 * differences of a float64 forward pass, the same bits for any number of threads, kernel level and
 * way of keeping values, and the same loss as the logits of an ordinary pass. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/tape.h"
#include "base/fmath.h"
#include "base/rng.h"
#include "model/exec.h"
#include "model/own.h"
#include "support/golden.h"
#include "support/make_adapter.h"
#include "support/make_model.h"
#include "support/ref64.h"
#include "support/requantize.h"
#include "support/scratch.h"
#include "tensor/kvchunk.h"

enum { N_SEQ = 3, MOST_ROWS = 200 };

struct learner {
    struct backend *backend;
    struct model *model;
    struct backend_turned *turned;
    struct backend_tape *tape, *mtp;
    struct weight_grad *grads;
    int n_weight;
    struct batch_row rows[MOST_ROWS], mtp_rows[MOST_ROWS];
    struct seq_view seqs[N_SEQ];
    struct backend_buffer *pages[N_SEQ][4];
    struct backend_buffer *recur, *recur_next[N_SEQ];
    int32_t target[MOST_ROWS];
    float weight[MOST_ROWS];
    int lengths[N_SEQ], n_row, n_target;
    float *hidden, *dhidden;
};

/* The second sequence goes on into a second page, where a float64 pass has the time. */
static void set_lengths(int lengths[N_SEQ], bool two_pages) {
    lengths[0] = 5;
    lengths[1] = two_pages ? 140 : 14;
    lengths[2] = 9;
}

static void must(enum jl_status status, const struct jl_error *err) {
    if (status != JL_OK) fail_msg("%s", err->message);
}

static uint32_t draw(int at, uint32_t below) {
    const struct rng_key key = {.seed = 20261126, .position = (uint32_t)at, .purpose = RNG_TEST};
    return (uint32_t)(rng_uniform(&key, 0) * (float)below);
}

/* Three sequences; some rows are only context. */
static void fill_batch(struct learner *l) {
    struct jl_error err = {0};
    int n_vocab = l->model->hp.n_vocab;
    l->hidden = calloc((size_t)MOST_ROWS * (size_t)l->model->hp.n_embd, sizeof(float));
    l->dhidden = calloc((size_t)MOST_ROWS * (size_t)l->model->hp.n_embd, sizeof(float));
    for (int s = 0; s < N_SEQ; s++) {
        for (int c = 0; c < 2; c++)
            must(backend_alloc(l->backend, l->model->page_bytes, &l->pages[s][c], &err), &err);
        l->seqs[s] = (struct seq_view){.pages = l->pages[s], .n_page = 2};
        if (l->model->recurrent_bytes) {
            if (!s)
                must(backend_alloc(l->backend, l->model->recurrent_bytes, &l->recur, &err), &err);
            must(backend_alloc(l->backend, l->model->recurrent_bytes, &l->recur_next[s], &err),
                 &err);
            l->seqs[s].recur = l->recur;
            l->seqs[s].recur_next = l->recur_next[s];
        }
        for (int t = 0; t < l->lengths[s]; t++, l->n_row++) {
            struct batch_row *row = &l->rows[l->n_row];
            *row = (struct batch_row){.token = (int32_t)draw(l->n_row, (uint32_t)n_vocab),
                                      .pos = {t},
                                      .seq = s,
                                      .want_logits = l->n_row % 4 != 1 && (t < 12 || t > 120)};
            row->give = l->hidden + (size_t)l->n_row * (size_t)l->model->hp.n_embd;
            if (!row->want_logits) continue;
            l->target[l->n_target] = (int32_t)draw(1000 + l->n_row, (uint32_t)n_vocab);
            l->weight[l->n_target++] = 0.25f * (float)(1 + l->n_row % 3);
        }
    }
}

struct setting {
    const char *path, *act, *kv, *level;
    int threads;
    enum tape_keep keep;
    enum dtype dtype;
    bool two_pages;
    int rank;      // of an adapter on all matrices, which alone is learned; 0: none
    uint64_t seed; // of its numbers; 0: 3
};

static enum jl_status load(const struct setting *set, const struct class_request *request,
                           struct model **out, struct jl_error *err) {
    if (!set->rank) return model_load_owned(set->path, request, set->dtype, out, err);
    struct model *base;
    must(model_load(set->path, request, &base, err), err);
    struct adapter *adapter = make_adapter_on(base, make_adapter_every, MAKE_ADAPTER_EVERY,
                                              set->rank, 2 * set->rank, set->seed ? set->seed : 3);
    enum jl_status status = adapter_model(base, &(struct adapter_use){adapter, 1}, 1, out, err);
    (*out)->own_base = base;
    adapter_free(adapter);
    return status;
}

static struct learner *open_learner(const struct setting *set) {
    struct jl_error err = {0};
    struct learner *l = calloc(1, sizeof *l);
    struct backend_options cpu = {set->level, set->threads};
    struct class_request request = {set->act, set->kv};
    must(backend_cpu_create(&cpu, &l->backend, &err), &err);
    must(load(set, &request, &l->model, &err), &err);
    l->n_weight = own_count(l->model);
    l->grads = calloc((size_t)l->n_weight, sizeof *l->grads);
    for (int id = 0; id < l->n_weight; id++) {
        struct own_tensor t = own_tensor(l->model, id);
        if (t.learned) l->grads[id].data = calloc(t.n, sizeof(float));
        l->grads[id].fresh = true;
    }
    const struct step_list *plans[] = {&l->model->plan, &l->model->mtp};
    bool mtp = l->model->mtp.n_step > 0;
    must(backend_turned_create(l->backend, plans, mtp ? 2 : 1, l->n_weight, l->grads, &l->turned,
                               &err),
         &err);
    struct tape_options options = {MOST_ROWS, set->keep, l->turned, l->grads};
    must(backend_tape_create(l->backend, &l->model->plan, &options, &l->tape, &err), &err);
    if (mtp) must(backend_tape_create(l->backend, &l->model->mtp, &options, &l->mtp, &err), &err);
    set_lengths(l->lengths, set->two_pages);
    fill_batch(l);
    return l;
}

static void close_learner(struct learner *l) {
    for (int id = 0; id < l->n_weight; id++)
        free(l->grads[id].data);
    for (int s = 0; s < N_SEQ; s++) {
        for (int c = 0; c < 4; c++)
            backend_release(l->pages[s][c]);
        backend_release(l->recur_next[s]);
    }
    backend_release(l->recur);
    backend_tape_free(l->tape);
    backend_tape_free(l->mtp);
    backend_turned_free(l->turned);
    model_free(l->model);
    backend_free(l->backend);
    free(l->grads);
    free(l->hidden);
    free(l->dhidden);
    free(l);
}

static double loss_row(void *ctx, const struct backend *backend, int row, float *out, int n) {
    const struct learner *l = ctx;
    return (double)l->weight[row] *
           backend_cross_entropy(backend, out, n, l->target[row], l->weight[row]);
}

/* The prediction layer's rows take the next token, and want it predict the one after. */
static double mtp_loss_row(void *ctx, const struct backend *backend, int row, float *out, int n) {
    const struct learner *l = ctx;
    return 0.5 * backend_cross_entropy(backend, out, n, l->target[row % l->n_target], 0.5f);
}

static int mtp_batch(struct learner *l) {
    int n = 0;
    for (int i = 0; i + 1 < l->n_row; i++) {
        if (l->rows[i + 1].seq != l->rows[i].seq) continue;
        l->mtp_rows[n] = l->rows[i];
        l->mtp_rows[n].token = l->rows[i + 1].token;
        l->mtp_rows[n].hidden = l->rows[i].give;
        l->mtp_rows[n].give = NULL;
        l->mtp_rows[n++].want_logits = true;
    }
    return n;
}

/* Forward and back; the summed loss. */
static double learn(struct learner *l) {
    struct jl_error err = {0};
    double losses[MOST_ROWS], sum = 0;
    const struct batch batch = {l->rows, l->n_row, l->seqs, N_SEQ, NULL};
    const struct tape_loss loss = {loss_row, l}, mtp_loss = {mtp_loss_row, l};
    must(backend_tape_forward(l->tape, &batch, &loss, l->grads, losses, &err), &err);
    for (int i = 0; i < l->n_target; i++)
        sum += losses[i];
    if (l->mtp) {
        int n = mtp_batch(l), width = l->model->hp.n_embd;
        const struct batch next = {l->mtp_rows, n, l->seqs, N_SEQ, NULL};
        float *d = calloc((size_t)n * (size_t)width, sizeof *d);
        must(backend_tape_forward(l->mtp, &next, &mtp_loss, l->grads, losses, &err), &err);
        for (int i = 0; i < n; i++)
            sum += losses[i];
        must(backend_tape_backward(l->mtp, &(struct tape_ends){.dhidden = d}, l->grads, &err),
             &err);
        memset(l->dhidden, 0, (size_t)l->n_row * (size_t)width * sizeof *d);
        for (int i = 0, at = 0; i + 1 < l->n_row; i++)
            if (l->rows[i + 1].seq == l->rows[i].seq)
                memcpy(l->dhidden + (size_t)i * (size_t)width, d + (size_t)at++ * (size_t)width,
                       (size_t)width * sizeof *d);
        free(d);
    }
    const struct tape_ends ends = {.dgive = l->mtp ? l->dhidden : NULL};
    must(backend_tape_backward(l->tape, &ends, l->grads, &err), &err);
    for (int id = 0; id < l->n_weight; id++)
        if (l->grads[id].data && l->grads[id].fresh) // no row has met it
            memset(l->grads[id].data, 0, own_tensor(l->model, id).n * sizeof(float));
    return sum;
}

static double cross64(const double *logits, int n, int target) {
    double max = logits[0], sum = 0;
    for (int i = 1; i < n; i++)
        max = logits[i] > max ? logits[i] : max;
    for (int i = 0; i < n; i++)
        sum += exp(logits[i] - max);
    return max + log(sum) - logits[target];
}

static double loss64(const struct learner *l) {
    double sum = 0;
    int n_vocab = l->model->hp.n_vocab, first = 0, target = 0, mtp_target = 0;
    for (int s = 0; s < N_SEQ; first += l->lengths[s++]) {
        int32_t ids[MOST_ROWS];
        for (int t = 0; t < l->lengths[s]; t++)
            ids[t] = l->rows[first + t].token;
        double *logits = ref64_logits(l->model, ids, l->lengths[s]);
        for (int t = 0; t < l->lengths[s]; t++) {
            if (!l->rows[first + t].want_logits) continue;
            sum += (double)l->weight[target] *
                   cross64(logits + (size_t)t * (size_t)n_vocab, n_vocab, l->target[target]);
            target++;
        }
        free(logits);
        if (!l->mtp) continue;
        logits = ref64_mtp_logits(l->model, ids, l->lengths[s]);
        for (int t = 0; t + 1 < l->lengths[s]; t++)
            sum += 0.5 * cross64(logits + (size_t)t * (size_t)n_vocab, n_vocab,
                                 l->target[mtp_target++ % l->n_target]);
        free(logits);
    }
    return sum;
}

/* Along a random direction through one tensor: the difference of two losses against the gradient's
 * sum. */
static void check_tensor(struct learner *l, int id, double *worst) {
    struct own_tensor t = own_tensor(l->model, id);
    float *w = calloc(t.n, sizeof *w), *moved = calloc(t.n, sizeof *moved);
    double square = 0, along = 0, size = 0, up = 0, down = 0;
    own_read(l->model, id, 0, w, t.n);
    for (size_t i = 0; i < t.n; i++)
        square += (double)w[i] * (double)w[i];
    float h = (float)(1e-6 * (sqrt(square / (double)t.n) + 1e-2));
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < t.n; i++) {
            const struct rng_key key = {
                .seed = 7, .sequence = (uint32_t)id, .position = (uint32_t)i, .purpose = RNG_TEST};
            float way = rng_uniform(&key, 0) < 0.5f ? -h : h;
            moved[i] = side ? w[i] - way : w[i] + way;
            double part = (double)l->grads[id].data[i] * (double)moved[i];
            along += side ? -part : part;
            size += fabs((double)l->grads[id].data[i] * 2 * (double)h);
        }
        own_write(l->model, id, 0, moved, t.n);
        *(side ? &down : &up) = loss64(l);
    }
    own_write(l->model, id, 0, w, t.n);
    double want = up - down, room = 1e-4 * fabs(want) + 1e-4 * size / sqrt((double)t.n) + 1e-10;
    if (fabs(want - along) / room > *worst) *worst = fabs(want - along) / room;
    if (!(fabs(want - along) <= room))
        fail_msg("%s: loss goes by %.6g, the gradient says %.6g (allowed %.2g)", t.w->name, want,
                 along, room);
    free(w);
    free(moved);
}

static const char *const paths[] = {
    "tests/golden/llama",
    "tests/golden/qwen2",
    "tests/golden/qwen3",
    "tests/golden/qwen3-moe",
    "tests/golden/glm4",
    "tests/golden/glm4-moe",
    "tests/golden/deepseek-v2",
    "tests/golden/qwen3-next",
    "tests/golden/deepseek-v2-lite",
    "tests/golden/llama-llama3rope-tied",
    "tests/golden/deepseek-v3",
};
enum { N_PATH = sizeof paths / sizeof paths[0] };

static void check_differences(const struct setting *set) {
    struct learner *l = open_learner(set);
    double loss = learn(l), want = loss64(l), worst = 0;
    int n = 0, some = set->rank || golden_quick() ? 4 : 1, seen = set->rank;
    if (fabs(loss - want) > 1e-4 * want) fail_msg("%s: loss %g, want %g", set->path, loss, want);
    for (int id = 0; id < l->n_weight; id++) {
        if (!l->grads[id].data) continue;
        struct own_tensor t = own_tensor(l->model, id);
        // Adapters are alike, those of one op: of linear steps every fourth.
        bool alone = set->rank && (t.layer < 0 || t.role == ROLE_ATTN_KV_UP || t.w->n_expert);
        if (!alone && seen++ % some) continue;
        check_tensor(l, id, &worst);
        n++;
    }
    print_message("%s: %d tensors, loss %.4f, worst error %.2f of what is allowed\n", set->path, n,
                  loss, worst);
    close_learner(l);
}

static void test_differences(void **state) {
    (void)state;
    for (int p = 0; p < N_PATH; p++)
        check_differences(&(struct setting){.path = paths[p],
                                            .act = "f32",
                                            .kv = "f32",
                                            .threads = 2,
                                            .dtype = DTYPE_F32,
                                            .two_pages = p == 0 || p == N_PATH - 1});
}

/* ---- adapters ---- */

/* Latent attention with kv_b in two tensors. */
static const char *halves(void) {
    static const struct make_model spec = {
        .family = "deepseek_v2",
        .n_layer = 2,
        .n_embd = 48,
        .n_ff = 40,
        .n_head = 3,
        .n_head_kv = 3,
        .head_dim = 20,
        .n_vocab = 61,
        .dtype = DTYPE_BF16,
        .seed = 4,
        .mla = {.q_lora = 28, .kv_lora = 36, .nope = 12, .rope = 8, .v = 20, .split = true}};
    const char *path = scratch_path("halves.gguf");
    make_gguf(&spec, path);
    return path;
}

/* Nothing but the adapters has a gradient; the bases' matrices are F32 and BF16, in the file. */
static void test_adapter_differences(void **state) {
    (void)state;
    for (int p = 0; p < N_PATH; p++)
        check_differences(&(struct setting){
            .path = paths[p], .act = "f32", .kv = "f32", .threads = 2, .rank = 1 + p % 5});
    check_differences(
        &(struct setting){.path = halves(), .act = "f32", .kv = "f32", .threads = 2, .rank = 3});
}

/* Cosine of two gradients of one tensor. */
static double cosine(const float *a, const float *b, size_t n) {
    double aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < n; i++) {
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
        ab += (double)a[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

/* Have the rows of two learners chosen the same experts, as far as their numbers tell? */
static void same_choices(const struct learner *l, const struct learner *twin) {
    for (int layer = 0; layer < l->model->hp.n_layer; layer++) {
        const int32_t *load = backend_tape_load(l->tape, layer);
        if (load)
            assert_memory_equal(load, backend_tape_load(twin->tape, layer),
                                (size_t)l->model->hp.n_expert * sizeof *load);
    }
}

/* On a quantised base the way back reads the same numbers as on one of them in F32; the way there
 * rounds its inputs, by which the gradients differ a little: by far more where that makes a row
 * choose another expert, so the seed is one with which none does. */
static void check_twin(const char *path, uint64_t seed) {
    struct setting set = {
        .path = path, .act = "f32", .kv = "f32", .threads = 2, .rank = 4, .seed = seed};
    struct learner *l = open_learner(&set);
    requantize(l->model, "f32", scratch_path("twin.gguf"));
    set.path = scratch_path("twin.gguf");
    struct learner *twin = open_learner(&set);
    double loss = learn(l), want = learn(twin), least = 1;
    if (fabs(loss - want) > 0.02 * want) fail_msg("loss %g, twin %g", loss, want);
    same_choices(l, twin);
    for (int id = 0; id < l->n_weight; id++) {
        if (!l->grads[id].data) continue;
        struct own_tensor t = own_tensor(l->model, id);
        double same = cosine(l->grads[id].data, twin->grads[id].data, t.n);
        least = same < least ? same : least;
        if (!(same > 0.97)) fail_msg("%s: %s: cosine %.4f", path, t.w->name, same);
    }
    print_message("%s: least cosine %.5f\n", path, least);
    close_learner(l);
    close_learner(twin);
}

static void test_adapter_quantised(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct model *mixture;
    check_twin("tests/golden/gguf/small-llama.q8_0.gguf", 3);
    check_twin("tests/golden/gguf/small-llama.q4_k_m.gguf", 3);
    must(model_load("tests/golden/qwen3-moe", NULL, &mixture, &err), &err);
    requantize(mixture, "q8_0", scratch_path("mixture.gguf"));
    model_free(mixture);
    check_twin(scratch_path("mixture.gguf"), 27);
}

/* ---- bits ---- */

static void same_grads(const struct learner *a, const struct learner *b, const char *what) {
    for (int id = 0; id < a->n_weight; id++) {
        if (!a->grads[id].data) continue;
        struct own_tensor t = own_tensor(a->model, id);
        if (memcmp(a->grads[id].data, b->grads[id].data, t.n * sizeof(float)))
            fail_msg("%s: the gradient of %s has other bits", what, t.w->name);
    }
}

/* `first`: one thread, everything kept. `turn`: which ways a quick run tries. */
static void check_bits(const struct setting *first, int turn) {
    static const enum tape_keep keeps[] = {TAPE_KEEP_ALL, TAPE_KEEP_COSTLY, TAPE_KEEP_LAYERS};
    struct setting set = *first;
    struct learner *one = open_learner(first);
    double loss = learn(one);
    int n_level = 0;
    for (int i = 0; golden_levels[i]; i++)
        n_level += golden_has_level(golden_levels[i]);
    for (int i = 0; i < n_level + 3; i++) {
        char what[160];
        set.level = i < n_level ? golden_levels[i] : NULL;
        set.threads = i < n_level ? 2 : 3;
        set.keep = keeps[i % 3];
        if (golden_quick() && i % 3 != turn % 3) continue;
        struct learner *other = open_learner(&set);
        double again = learn(other);
        snprintf(what, sizeof what, "%s, act %s, level %s, %d threads, keep %d", set.path, set.act,
                 set.level ? set.level : "best", set.threads, (int)set.keep);
        if (memcmp(&loss, &again, sizeof loss)) fail_msg("%s: another loss", what);
        same_grads(one, other, what);
        close_learner(other);
    }
    close_learner(one);
}

static void test_bits(void **state) {
    (void)state;
    for (int p = 0; p < N_PATH; p++)
        for (int bf16 = 0; bf16 < 2; bf16++)
            check_bits(&(struct setting){.path = paths[p],
                                         .act = bf16 ? "bf16" : "f32",
                                         .kv = bf16 ? "bf16" : "f16",
                                         .threads = 1,
                                         .dtype = bf16 ? DTYPE_BF16 : DTYPE_F32,
                                         .two_pages = true},
                       p);
}

static void test_adapter_bits(void **state) {
    (void)state;
    const char *const bases[] = {"tests/golden/gguf/small-llama.q4_k_m.gguf",
                                 "tests/golden/deepseek-v3", "tests/golden/qwen3-next", halves()};
    for (int p = 0; p < (int)(sizeof bases / sizeof bases[0]); p++)
        for (int bf16 = 0; bf16 < 2; bf16++)
            check_bits(&(struct setting){.path = bases[p],
                                         .act = bf16 ? "bf16" : "f32",
                                         .kv = bf16 ? "bf16" : "f16",
                                         .threads = 1,
                                         .two_pages = true,
                                         .rank = 7},
                       p);
}

/* A second pass adds to the gradients of the first; weights that are frozen get none. */
static void test_sums(void **state) {
    (void)state;
    const struct setting set = {.path = "tests/golden/deepseek-v3",
                                .act = "f32",
                                .kv = "f32",
                                .threads = 2,
                                .dtype = DTYPE_F32};
    struct learner *once = open_learner(&set), *twice = open_learner(&set);
    learn(once);
    learn(twice);
    learn(twice);
    for (int id = 0; id < once->n_weight; id++) {
        struct own_tensor t = own_tensor(once->model, id);
        for (size_t i = 0; once->grads[id].data && i < t.n; i++) {
            double a = 2 * (double)once->grads[id].data[i], b = (double)twice->grads[id].data[i];
            if (fabs(a - b) > 1e-5 * (fabs(a) + 1))
                fail_msg("%s: %g after two passes, %g after one", t.w->name, b, a / 2);
        }
    }
    close_learner(once);
    close_learner(twice);
}

static int clean(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_differences),       cmocka_unit_test(test_adapter_differences),
        cmocka_unit_test(test_adapter_quantised), cmocka_unit_test(test_bits),
        cmocka_unit_test(test_adapter_bits),      cmocka_unit_test(test_sums),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
