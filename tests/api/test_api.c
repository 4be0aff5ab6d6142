/* The public library: the bits are those of the rooms below, whichever way its calls get there; and
 * what it refuses. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"
#include "support/golden.h"
#include "support/make_adapter.h"
#include "support/scratch.h"

#define N 40 // tokens of a prompt

static const char *const models[] = {"tests/golden/qwen3", "tests/golden/deepseek-v3",
                                     "tests/golden/qwen3-next", "tests/golden/glm4-moe"};

static void must(enum jl_status status, const struct jl_error *err) {
    if (status != JL_OK) fail_msg("%s", err->message);
}

static void refused(enum jl_status got, enum jl_status want, const struct jl_error *err,
                    const char *part) {
    if (got != want || !strstr(err->message, part))
        fail_msg("%s: %s; expected %s with '%s'", jl_status_name(got), err->message,
                 jl_status_name(want), part);
}

struct rig {
    jl_model *model;
    jl_engine *engine;
    int32_t n_vocab, ids[N];
    float *want; // (N, n_vocab): of the rooms below
};

static struct rig rig_open(const char *path, const struct jl_engine_options *options) {
    struct rig rig = {0};
    struct jl_error err;
    must(jl_model_open(path, NULL, &rig.model, &err), &err);
    must(jl_engine_create(rig.model, options, &rig.engine, &err), &err);
    rig.n_vocab = jl_model_info(rig.model).n_vocab;
    for (int i = 0; i < N; i++)
        rig.ids[i] = (i * 37 + 11) % rig.n_vocab;
    struct golden_prompts prompts = {.ids = {rig.ids}, .n_id = {N}, .n = 1};
    struct golden_run run = {.path = path, .threads = 1, .prompts = &prompts};
    int n_vocab;
    rig.want = golden_logits(&run, &n_vocab);
    assert_int_equal(n_vocab, rig.n_vocab);
    return rig;
}

static void rig_close(struct rig *rig) {
    free(rig->want);
    jl_engine_free(rig->engine);
    jl_model_free(rig->model);
}

/* The session's logits are those after `n` tokens of the prompt. */
static void after(const struct rig *rig, const jl_session *session, int n) {
    size_t bytes = (size_t)rig->n_vocab * sizeof(float);
    const float *logits = jl_session_logits(session);
    assert_non_null(logits);
    assert_int_equal(jl_session_n_token(session), n);
    assert_memory_equal(logits, rig->want + (size_t)(n - 1) * (size_t)rig->n_vocab, bytes);
}

static void test_bits(void **state) {
    (void)state;
    for (size_t m = 0; m < sizeof models / sizeof models[0]; m++) {
        struct jl_engine_options options = {
            .n_threads = 2, .n_seq = 3, .n_ctx = 64, .n_batch = 7, .prefix_bytes = 1 << 20};
        struct rig rig = rig_open(models[m], &options);
        struct jl_error err;
        jl_session *a, *b, *c;
        int32_t reused = -1;
        must(jl_session_create(rig.engine, &a, &err), &err);
        assert_null(jl_session_logits(a));
        must(jl_session_sync(a, rig.ids, N - 10, NULL, &reused, &err), &err);
        assert_int_equal(reused, 0);
        after(&rig, a, N - 10);
        must(jl_session_fork(a, &b, &err), &err);
        must(jl_session_create(rig.engine, &c, &err), &err);
        must(jl_session_push(a, 1, &err), &err); // goes its own way
        must(jl_session_add(b, rig.ids + N - 10, 10, &err), &err);
        must(jl_session_sync(c, rig.ids, 5, NULL, NULL, &err), &err);
        must(jl_session_add(c, rig.ids + 5, 3, &err), &err);
        while (jl_session_n_pending(b) || jl_session_n_pending(c))
            must(jl_engine_forward(rig.engine, (jl_session *[]){b, c}, 2, NULL, &err), &err);
        after(&rig, b, N);
        after(&rig, c, 8);
        must(jl_session_sync(a, rig.ids, N, NULL, &reused, &err), &err);
        after(&rig, a, N);
        assert_true(reused <= N - 10);
        jl_session_free(a);
        jl_session_free(b);
        jl_session_free(c);
        rig_close(&rig);
    }
}

static void test_file(void **state) {
    (void)state;
    const char *path = scratch_path("session");
    struct rig rig = rig_open(models[2], NULL);
    struct rig other = rig_open(models[0], NULL);
    struct jl_error err;
    jl_session *a, *b, *c;
    must(jl_session_create(rig.engine, &a, &err), &err);
    must(jl_session_create(rig.engine, &b, &err), &err);
    must(jl_session_create(other.engine, &c, &err), &err);
    must(jl_session_sync(a, rig.ids, 30, NULL, NULL, &err), &err);
    must(jl_session_save(a, path, &err), &err);
    must(jl_session_load(b, path, &err), &err);
    after(&rig, b, 30);
    for (int i = 30; i < N; i++)
        must(jl_session_push(b, rig.ids[i], &err), &err);
    after(&rig, b, N);
    refused(jl_session_load(c, path, &err), JL_ERR_UNSUPPORTED, &err, path);
    assert_int_equal(jl_session_n_token(c), 0);
    jl_session_free(a);
    jl_session_free(b);
    jl_session_free(c);
    rig_close(&rig);
    rig_close(&other);
    scratch_remove();
}

static void test_scores(void **state) {
    (void)state;
    struct rig rig = rig_open(models[0], NULL);
    struct jl_error err;
    jl_sampler *sampler;
    double scores[N - 1], one;
    struct jl_logprob top[3];
    must(jl_score(rig.engine, rig.ids, N, scores, &err), &err);
    must(jl_sampler_create(rig.model, NULL, 0, 0, &sampler, &err), &err);
    for (int i = 0; i + 1 < N; i++) {
        const float *row = rig.want + (size_t)i * (size_t)rig.n_vocab;
        must(jl_logprobs(sampler, row, rig.ids[i + 1], &one, top, 3, &err), &err);
        assert_memory_equal(&one, &scores[i], sizeof one);
        assert_true(one < 0 && top[0].logprob >= top[1].logprob && one <= top[0].logprob);
    }
    refused(jl_logprobs(sampler, rig.want, rig.n_vocab, &one, NULL, 0, &err), JL_ERR_USAGE, &err,
            "token");
    for (int i = 0; i < 2; i++) { // a caller's own logits
        float *row = rig.want, old = row[5];
        int32_t id;
        row[5] = i ? INFINITY : NAN;
        refused(jl_sampler_choose(sampler, row, &id, &err), JL_ERR_NONFINITE, &err, "token 5");
        refused(jl_logprobs(sampler, row, 5, &one, NULL, 0, &err), JL_ERR_NONFINITE, &err,
                "token 5");
        row[5] = -INFINITY;
        must(jl_sampler_choose(sampler, row, &id, &err), &err);
        assert_true(id != 5);
        row[5] = old;
    }
    jl_sampler_free(sampler);
    rig_close(&rig);
}

/* The same seed and sequence, the same answer; another sequence, another one. */
static void test_answers(void **state) {
    (void)state;
    struct rig rig = rig_open(models[0], NULL);
    struct jl_error err;
    struct jl_sample_params params = jl_sample_params_default();
    struct jl_generate_options options = {.max_tokens = 12};
    struct jl_answer answer;
    jl_session *session;
    jl_sampler *sampler;
    int32_t said[3][12];
    params.temperature = 2;
    must(jl_session_create(rig.engine, &session, &err), &err);
    for (int i = 0; i < 3; i++) {
        must(jl_session_sync(session, rig.ids, N, NULL, NULL, &err), &err);
        must(jl_sampler_create(rig.model, &params, 7, i == 2, &sampler, &err), &err);
        must(jl_sampler_prompt(sampler, rig.ids, N, &err), &err);
        must(jl_generate(session, sampler, &options, &answer, &err), &err);
        assert_int_equal(answer.finish, JL_FINISH_LENGTH);
        assert_int_equal(answer.n_token, 12);
        assert_int_equal(jl_session_n_token(session), N + 11);
        memcpy(said[i], jl_session_ids(session) + N, 11 * sizeof said[i][0]);
        said[i][11] = 0;
        jl_sampler_free(sampler);
    }
    assert_memory_equal(said[0], said[1], sizeof said[0]);
    assert_memory_not_equal(said[0], said[2], sizeof said[0]);
    jl_session_free(session);
    rig_close(&rig);
}

/* However tokens are guessed, and where an answer was stopped and gone on with. */
static void test_drafts(void **state) {
    (void)state;
    enum { ANSWER = 60 };
    int32_t said[3][ANSWER];
    for (int way = 0; way < 3; way++) {
        static const enum jl_draft drafts[] = {JL_DRAFT_NONE, JL_DRAFT_AUTO, JL_DRAFT_LOOKUP};
        struct jl_error err;
        struct jl_engine_options options = {.draft = drafts[way], .n_draft = way};
        struct rig rig = rig_open(models[0], &options);
        struct jl_sample_params params = jl_sample_params_default();
        struct jl_bias bias[2] = {{rig.ids[0], 8}, {rig.ids[1], 8}};
        struct jl_answer answer;
        jl_session *session;
        jl_sampler *sampler;
        params.temperature = 1;
        params.bias = bias;
        params.n_bias = 2;
        must(jl_session_create(rig.engine, &session, &err), &err);
        must(jl_session_add(session, rig.ids, N, &err), &err); // an answer reads what is pending
        must(jl_sampler_create(rig.model, &params, 7, 0, &sampler, &err), &err);
        must(jl_sampler_prompt(sampler, rig.ids, N, &err), &err);
        for (int i = 0, sum = 0; i < 3; i++, sum += answer.n_token) {
            struct jl_generate_options some = {.max_tokens = way == 2 && i < 2 ? 7 : ANSWER - sum};
            must(jl_generate(session, sampler, &some, &answer, &err), &err);
            assert_int_equal(answer.finish, JL_FINISH_LENGTH);
            assert_int_equal(jl_session_n_pending(session), 1);
            assert_true(answer.n_accepted <= answer.n_drafted && answer.n_pass > 0);
            if (way == 0) assert_int_equal(answer.n_pass, ANSWER - 1);
            if (way < 2) break;
        }
        assert_int_equal(jl_session_n_token(session), N + ANSWER - 1);
        memcpy(said[way], jl_session_ids(session) + N, sizeof said[way]);
        assert_memory_equal(said[way], said[0], sizeof said[0]);
        jl_sampler_free(sampler);
        jl_session_free(session);
        rig_close(&rig);
    }
}

static void test_refusals(void **state) {
    (void)state;
    struct rig rig = rig_open(models[0], &(struct jl_engine_options){.n_ctx = 16});
    struct jl_error err;
    struct jl_plan plan;
    jl_engine *engine;
    jl_session *session;
    jl_cancel *cancel = jl_cancel_create();
    int32_t *ids, n;
    refused(jl_plan(rig.model, &(struct jl_engine_options){.n_seq = 1000, .memory = 1000000}, &plan,
                    &err),
            JL_ERR_LIMIT, &err, "1.0 MB are available");
    assert_true(plan.total > plan.available && plan.available == 1000000);
    assert_true(plan.total == plan.weights + plan.state + plan.prefix + plan.work);
    refused(jl_engine_create(rig.model, &(struct jl_engine_options){.memory = 1000}, &engine, &err),
            JL_ERR_LIMIT, &err, "available");
    assert_null(engine);
    refused(jl_engine_create(rig.model, &(struct jl_engine_options){.draft = JL_DRAFT_MTP}, &engine,
                             &err),
            JL_ERR_UNSUPPORTED, &err, "no layer that predicts");
    refused(jl_engine_create(rig.model, &(struct jl_engine_options){.n_draft = 17}, &engine, &err),
            JL_ERR_USAGE, &err, "n_draft is 17");
    refused(jl_plan(rig.model, &(struct jl_engine_options){.n_ctx = 1 << 30}, &plan, &err),
            JL_ERR_LIMIT, &err, "context");
    refused(jl_plan(rig.model, &(struct jl_engine_options){.n_batch = -1}, &plan, &err),
            JL_ERR_USAGE, &err, "n_batch");
    refused(jl_plan(rig.model, &(struct jl_engine_options){.cpu = "z80"}, &plan, &err),
            JL_ERR_USAGE, &err, "z80");
    must(jl_session_create(rig.engine, &session, &err), &err);
    assert_int_equal(jl_session_capacity(session), 16);
    refused(jl_session_sync(session, rig.ids, 17, NULL, NULL, &err), JL_ERR_LIMIT, &err, "16");
    refused(jl_session_sync(session, &(int32_t){-1}, 1, NULL, NULL, &err), JL_ERR_USAGE, &err,
            "-1");
    jl_cancel_set(cancel);
    struct jl_watch watch = {.cancel = cancel};
    assert_int_equal(jl_session_sync(session, rig.ids, 9, &watch, NULL, &err), JL_ERR_CANCELLED);
    jl_cancel_clear(cancel);
    must(jl_session_sync(session, rig.ids, 9, &watch, NULL, &err), &err);
    after(&rig, session, 9);
    refused(jl_encode(rig.model, "a", 1, 0, &ids, &n, &err), JL_ERR_UNSUPPORTED, &err, "tokenizer");
    refused(jl_model_open("no/such/model", NULL, &(jl_model *){0}, &err), JL_ERR_IO, &err,
            "no/such/model");
    jl_cancel_free(cancel);
    jl_session_free(session);
    rig_close(&rig);
}

/* A model with an adapter gives the logits of the rooms below; what cannot be opened is refused. */
static void test_adapters(void **state) {
    (void)state;
    struct jl_error err;
    struct rig rig = {0};
    struct model *base, *below;
    jl_session *session;
    const char *path = scratch_path("adapter");
    must(model_load(models[0], NULL, &base, &err), &err);
    struct adapter *adapter = make_adapter(base, "all", 3, 6, 1);
    must(adapter_write_folder(base, adapter, path, &err), &err);
    must(adapter_model(base, (const struct adapter_use[]){{adapter, 1}, {adapter, 0.5f}}, 2, &below,
                       &err),
         &err);
    const struct jl_adapter adapters[] = {{.path = path}, {path, 0.5f}};
    const struct jl_model_options options = {.adapters = adapters, .n_adapter = 2};
    must(jl_model_open(models[0], &options, &rig.model, &err), &err);
    must(jl_engine_create(rig.model, NULL, &rig.engine, &err), &err);
    rig.n_vocab = jl_model_info(rig.model).n_vocab;
    assert_true(jl_model_info(rig.model).weight_bytes > model_weight_bytes(base));
    for (int i = 0; i < N; i++)
        rig.ids[i] = (i * 37 + 11) % rig.n_vocab;
    const struct golden_prompts prompts = {.ids = {rig.ids}, .n_id = {N}, .n = 1};
    const struct golden_run run = {.path = "", .threads = 1, .prompts = &prompts, .model = below};
    int n_vocab;
    rig.want = golden_logits(&run, &n_vocab);
    must(jl_session_create(rig.engine, &session, &err), &err);
    must(jl_session_sync(session, rig.ids, N, NULL, NULL, &err), &err);
    after(&rig, session, N);
    jl_session_free(session);
    rig_close(&rig);

    jl_model *none;
    const struct jl_model_options wrong = {.adapters = adapters, .n_adapter = 1},
                                  bare = {.n_adapter = 1};
    refused(jl_model_open(models[1], &wrong, &none, &err), JL_ERR_FORMAT, &err, "must be (rank");
    refused(jl_model_open(models[0], &bare, &none, &err), JL_ERR_USAGE, &err, "n_adapter is 1");
    assert_null(none);
    adapter_free(adapter);
    model_free(below);
    model_free(base);
}

static int clean(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adapters), cmocka_unit_test(test_bits),
        cmocka_unit_test(test_file),     cmocka_unit_test(test_scores),
        cmocka_unit_test(test_answers),  cmocka_unit_test(test_drafts),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
