/* The same seed, the same text, and the same log-probabilities: alone or beside others, on any
 * number of threads and at every CPU level. Scores of given tokens likewise. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/sample.h"
#include "session/sampler.h"
#include "session/score.h"
#include "session/score_batch.h"
#include "support/golden.h"

#define MODEL "tests/golden/qwen3"

enum { MAX_ROWS = 48, N_SEQ = 6, N_NEW = 24, N_TOP = 5 };

struct rig {
    struct model *model;
    struct backend *backend;
    struct exec *exec;
    struct page_pool *pool;
    struct state *states[N_SEQ];
    float *logits; // (MAX_ROWS, n_vocab)
    int32_t n_vocab;
};

static struct rig new_rig(const char *level, int threads) {
    struct rig rig = {0};
    struct jl_error err = {0};
    struct backend_options cpu = {level, threads};
    assert_int_equal(backend_cpu_create(&cpu, &rig.backend, &err), JL_OK);
    if (model_load(MODEL, NULL, &rig.model, &err) != JL_OK) fail_msg("%s", err.message);
    assert_int_equal(exec_create(rig.model, rig.backend, MAX_ROWS, &rig.exec, &err), JL_OK);
    rig.pool = golden_pool(rig.model, rig.backend, N_SEQ);
    for (int i = 0; i < N_SEQ; i++)
        assert_int_equal(state_create(rig.pool, &rig.states[i], &err), JL_OK);
    rig.n_vocab = rig.model->hp.n_vocab;
    rig.logits = calloc((size_t)MAX_ROWS * (size_t)rig.n_vocab, sizeof *rig.logits);
    assert_non_null(rig.logits);
    return rig;
}

static void free_rig(struct rig *rig) {
    for (int i = 0; i < N_SEQ; i++)
        state_free(rig->states[i]);
    page_pool_free(rig->pool);
    free(rig->logits);
    exec_free(rig->exec);
    model_free(rig->model);
    backend_free(rig->backend);
}

/* ---- sampling ---- */

struct answer {
    int32_t ids[N_NEW];
    double logprobs[N_NEW];
    struct sample_logprob top[N_NEW][N_TOP];
};

static int prompt_of(int sequence, int32_t n_vocab, int32_t *ids) {
    int n = 3 + sequence;
    for (int i = 0; i < n; i++)
        ids[i] = (i * 37 + sequence * 11 + 5) % n_vocab;
    return n;
}

static struct sample_params params_of(int sequence) {
    static const struct pattern_text none[1];
    struct sample_params params = sample_params_default();
    params.temperature = sequence == 3 ? 0 : 0.9;
    if (sequence % 2) params.top_k = 40;
    if (sequence == 0) params.top_p = 0.9;
    if (sequence == 2) params.typical_p = 0.8;
    if (sequence >= 4) params.repetition_penalty = 1.2, params.min_p = 0.02;
    if (sequence == 5) {
        params.dry_multiplier = 1;
        params.dry_breakers = none; // and none of them: there is no tokenizer
        params.xtc_probability = 0.5;
        params.frequency_penalty = 0.2;
    }
    return params;
}

/* A token from each row of logits, into answers[0 .. n). */
static void take_tokens(const struct rig *rig, struct sampler *const *samplers,
                        struct sample_scratch *scratch, int n, int step, struct answer *answers) {
    struct jl_error err;
    for (int i = 0; i < n; i++) {
        const float *row = rig->logits + (size_t)i * (size_t)rig->n_vocab;
        int32_t *id = &answers[i].ids[step];
        assert_int_equal(sampler_choose(samplers[i], scratch, row, id, &err), JL_OK);
        assert_int_equal(sampler_accept(samplers[i], *id, &err), JL_OK);
        answers[i].logprobs[step] = sample_logprobs(row, scratch, *id, N_TOP, answers[i].top[step]);
    }
}

/* Sequences first .. first + n - 1 in shared passes. */
static void generate(struct rig *rig, int first, int n, struct answer *answers) {
    struct sampler *samplers[N_SEQ];
    struct sample_scratch *scratch;
    int32_t prompts[N_SEQ][16];
    struct feed feeds[N_SEQ];
    struct jl_error err = {0};
    assert_int_equal(sample_scratch_create(rig->n_vocab, &scratch, &err), JL_OK);
    for (int i = 0; i < n; i++) {
        struct sample_params params = params_of(first + i);
        struct sampler_spec spec = {&params, NULL, rig->n_vocab, 64, 1000 + (uint64_t)first + i, 0};
        int n_prompt = prompt_of(first + i, rig->n_vocab, prompts[i]);
        if (sampler_create(&spec, &samplers[i], &err) != JL_OK) fail_msg("%s", err.message);
        assert_int_equal(sampler_prompt(samplers[i], prompts[i], n_prompt, &err), JL_OK);
        assert_int_equal(state_rewind(rig->states[i], 0, &err), JL_OK);
        feeds[i] = (struct feed){rig->states[i], prompts[i], n_prompt, 1, NULL};
    }
    for (int step = 0; step < N_NEW; step++) {
        if (feed_forward(rig->exec, feeds, n, NULL, rig->logits, &err) != JL_OK)
            fail_msg("%s", err.message);
        take_tokens(rig, samplers, scratch, n, step, answers);
        for (int i = 0; i < n; i++)
            feeds[i] = (struct feed){rig->states[i], &answers[i].ids[step], 1, 1, NULL};
    }
    for (int i = 0; i < n; i++)
        sampler_free(samplers[i]);
    sample_scratch_free(scratch);
}

static void test_same_seed_same_text(void **state) {
    static struct answer alone[N_SEQ], together[N_SEQ];
    (void)state;
    struct rig rig = new_rig("ref", 1);
    for (int i = 0; i < N_SEQ; i++)
        generate(&rig, i, 1, &alone[i]);
    free_rig(&rig);
    for (const char *const *level = golden_levels; *level; level++) {
        if (!golden_has_level(*level)) continue;
        for (int threads = 1; threads <= 3; threads++) {
            rig = new_rig(*level, threads);
            generate(&rig, 0, N_SEQ, together);
            assert_memory_equal(alone, together, sizeof alone);
            generate(&rig, 2, 3, together);
            assert_memory_equal(alone + 2, together, 3 * sizeof *alone);
            free_rig(&rig);
        }
    }
    // The likeliest of the raw distribution is what the greedy one took.
    for (int i = 0; i < N_NEW; i++)
        assert_true(alone[3].logprobs[i] == alone[3].top[i][0].logprob);
}

/* ---- scores ---- */

enum { N_TEXT = 9, LONGEST = 90 };

struct scored {
    struct score_token tokens[N_TEXT][LONGEST];
};

static void make_texts(const struct rig *rig, int32_t (*ids)[LONGEST], struct scored *out,
                       struct score_text *texts) {
    memset(out, 0, sizeof *out);
    for (int i = 0; i < N_TEXT; i++) {
        int n = i == 4 ? 1 : 2 + i * 11 % LONGEST;
        for (int k = 0; k < n; k++)
            ids[i][k] = (k * k * 7 + i * 13 + 1) % rig->n_vocab;
        texts[i] = (struct score_text){ids[i], n, i == 6 ? n : 1 + i % 3 * (n / 4), out->tokens[i]};
    }
}

static void score_with(struct rig *rig, int n_state, int n_row, struct pool *pool,
                       struct scored *out) {
    static int32_t ids[N_TEXT][LONGEST];
    struct score_text texts[N_TEXT];
    struct jl_error err = {0};
    make_texts(rig, ids, out, texts);
    struct score_batch batch = {.exec = rig->exec,
                                .states = rig->states,
                                .n_state = n_state,
                                .logits = rig->logits,
                                .n_row = n_row,
                                .pool = pool};
    if (score_texts(&batch, texts, N_TEXT, &err) != JL_OK) fail_msg("%s", err.message);
}

/* One pass of the whole text, and each row by itself. */
static void score_plainly(struct rig *rig, struct scored *out) {
    static int32_t ids[N_TEXT][LONGEST];
    struct score_text texts[N_TEXT];
    struct jl_error err = {0};
    make_texts(rig, ids, out, texts);
    for (int i = 0; i < N_TEXT; i++) {
        assert_int_equal(state_rewind(rig->states[0], 0, &err), JL_OK);
        for (int row = 0; row + 1 < texts[i].n; row++) {
            assert_int_equal(
                feed_prompt(rig->exec, rig->states[0], ids[i] + row, 1, 1, NULL, rig->logits, &err),
                JL_OK);
            if (row + 1 < texts[i].first) continue;
            int32_t target = ids[i][row + 1];
            struct score score;
            struct score_row in = {.logits = rig->logits, .target = target};
            score_row(&in, rig->n_vocab, &score);
            out->tokens[i][row + 1 - texts[i].first] = (struct score_token){
                -score.nll, sample_greedy(rig->logits, rig->n_vocab) == target};
        }
    }
}

static bool same_scores(const struct scored *a, const struct scored *b) {
    for (int i = 0; i < N_TEXT; i++)
        for (int k = 0; k < LONGEST; k++)
            if (memcmp(&a->tokens[i][k].logprob, &b->tokens[i][k].logprob, sizeof(double)) ||
                a->tokens[i][k].likeliest != b->tokens[i][k].likeliest)
                return false;
    return true;
}

static void test_scores_in_any_batch(void **state) {
    static struct scored wanted, got;
    static const int shapes[][2] = {{1, 1}, {1, 48}, {3, 7}, {6, 48}, {6, 2}};
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        struct rig rig = new_rig(NULL, threads);
        struct pool_options options = {.n_threads = threads};
        struct pool *pool;
        struct jl_error err;
        assert_int_equal(pool_create(&options, &pool, &err), JL_OK);
        if (threads == 1) score_plainly(&rig, &wanted);
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
            score_with(&rig, shapes[i][0], shapes[i][1], i % 2 ? pool : NULL, &got);
            if (!same_scores(&wanted, &got))
                fail_msg("%d texts and %d rows a pass", shapes[i][0], shapes[i][1]);
        }
        pool_free(pool);
        free_rig(&rig);
    }
}

static void test_scores_refused(void **state) {
    (void)state;
    struct rig rig = new_rig(NULL, 1);
    struct score_token tokens[4];
    struct jl_error err;
    const int32_t ids[3] = {1, 2, 3}, bad[3] = {1, rig.n_vocab, 3};
    struct score_batch batch = {
        .exec = rig.exec, .states = rig.states, .n_state = 1, .logits = rig.logits, .n_row = 1};
    const struct score_text refused[] = {
        {ids, 3, 0, tokens}, {ids, 3, 4, tokens}, {ids, 0, 1, tokens}, {bad, 3, 1, tokens}};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_int_equal(score_texts(&batch, &refused[i], 1, &err), JL_ERR_USAGE);
    struct score_text long_text = {ids, rig.model->hp.n_ctx_train + 2, 1, tokens};
    assert_int_equal(score_texts(&batch, &long_text, 1, &err), JL_ERR_LIMIT);
    assert_int_equal(score_texts(&batch, NULL, 0, &err), JL_OK);
    batch.n_row = 0;
    assert_int_equal(score_texts(&batch, NULL, 0, &err), JL_ERR_USAGE);
    free_rig(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_text),
        cmocka_unit_test(test_scores_in_any_batch),
        cmocka_unit_test(test_scores_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
