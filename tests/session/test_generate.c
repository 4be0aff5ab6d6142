/* Answers with drafts are those without: the same tokens from the same bits, over every source of
 * drafts, greedy and drawn, with what ends them in the middle of a draft. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/generate.h"
#include "support/golden.h"

#define PROMPT 60
#define ANSWER 90
#define ROWS 40

struct rig {
    struct model *model;
    struct backend *backend;
    struct exec *exec;
    struct sample_scratch *scratch;
    int32_t prompt[PROMPT];
};

static void must(enum jl_status status, const struct jl_error *err) {
    if (status != JL_OK) fail_msg("%s", err->message);
}

static void open_rig(struct rig *rig, const char *path) {
    struct jl_error err = {0};
    struct backend_options cpu = {NULL, 2};
    *rig = (struct rig){0};
    must(backend_cpu_create(&cpu, &rig->backend, &err), &err);
    must(model_load(path, NULL, &rig->model, &err), &err);
    must(exec_create(rig->model, rig->backend, ROWS, &rig->exec, &err), &err);
    must(sample_scratch_create(rig->model->hp.n_vocab, &rig->scratch, &err), &err);
    for (int i = 0; i < PROMPT; i++) // says things twice, so that there is something to look up
        rig->prompt[i] = (int32_t)((i % 23 * 37 + 11) % rig->model->hp.n_vocab);
}

static void close_rig(struct rig *rig) {
    sample_scratch_free(rig->scratch);
    exec_free(rig->exec);
    model_free(rig->model);
    backend_free(rig->backend);
}

/* An answer, with the logits that each token was chosen from. */
struct answer {
    int32_t ids[ANSWER + 1]; // a full session does not hold the last one
    int n;
    float *logits; // (ANSWER + 1, n_vocab)
    struct generate_result result;
};

struct asked {
    enum draft_kind draft;
    int n_draft;
    double temperature;
    int n, stop_after; // the sink has enough after so many, 0: never
    int32_t end;       // -1: none
    bool bias;         // towards few tokens, so that the answer repeats itself
};

struct listener {
    struct answer *answer;
    const struct session *session;
    size_t n_vocab;
    int stop_after;
};

static enum jl_status on_token(void *ctx, int32_t id, const char *text, size_t len, bool *go_on,
                               struct jl_error *err) {
    struct listener *l = ctx;
    (void)text;
    (void)err;
    assert_int_equal(len, 0);
    memcpy(l->answer->logits + (size_t)l->answer->n * l->n_vocab, session_logits(l->session),
           l->n_vocab * sizeof(float));
    l->answer->ids[l->answer->n++] = id;
    *go_on = l->answer->n != l->stop_after;
    return JL_OK;
}

/* Its end says what the session holds, and goes on from there. */
static void check_end(struct rig *rig, struct session *session, const struct answer *answer) {
    struct jl_error err = {0};
    const int32_t *ids = session_ids(session);
    int n = session_n_token(session) + session_n_pending(session);
    assert_int_equal(session_n_draft(session), 0);
    int held = answer->n < ANSWER ? answer->n : ANSWER;
    assert_int_equal(n, PROMPT + held);
    assert_memory_equal(ids, rig->prompt, PROMPT * sizeof *ids);
    assert_memory_equal(ids + PROMPT, answer->ids, (size_t)held * sizeof *ids);
    while (session_n_pending(session) > 0)
        must(session_forward(session, NULL, &err), &err);
    assert_non_null(session_logits(session));
}

static void answer(struct rig *rig, const struct asked *asked, struct answer *out) {
    struct jl_error err = {0};
    struct session_set *set;
    struct session *session;
    int reused;
    const struct session_options options = {
        .n_ctx = PROMPT + ANSWER, .n_draft = asked->n_draft, .draft = asked->draft};
    struct sample_params params = sample_params_default();
    struct sample_bias bias[4];
    for (int i = 0; i < 4; i++)
        bias[i] = (struct sample_bias){rig->prompt[i], 9};
    params.temperature = asked->temperature;
    params.bias = bias;
    params.n_bias = asked->bias ? 4 : 0;
    struct sampler_spec spec = {.params = &params,
                                .n_vocab = rig->model->hp.n_vocab,
                                .n_max = PROMPT + ANSWER + 1,
                                .seed = 5};
    struct sampler *sampler;
    struct end_tokens ends = {0};
    if (asked->end >= 0) end_tokens_add(&ends, asked->end, rig->model->hp.n_vocab);
    must(session_set_create(rig->exec, &options, &set, &err), &err);
    must(session_create(set, &session, &err), &err);
    must(sampler_create(&spec, &sampler, &err), &err);
    must(sampler_prompt(sampler, rig->prompt, PROMPT, &err), &err);
    must(session_aim(session, rig->prompt, PROMPT, &reused, &err), &err);
    *out = (struct answer){.logits = out->logits};
    struct listener listener = {out, session, (size_t)rig->model->hp.n_vocab, asked->stop_after};
    struct generate_request request = {.session = session,
                                       .sampler = sampler,
                                       .scratch = rig->scratch,
                                       .ends = &ends,
                                       .n = asked->n,
                                       .sink = {.token = on_token, .ctx = &listener}};
    must(generate_answer(&request, &out->result, &err), &err);
    assert_int_equal(out->result.n_token, out->n);
    check_end(rig, session, out);
    sampler_free(sampler);
    session_free(session);
    session_set_free(set);
}

static void compare(struct rig *rig, const struct answer *got, const struct answer *want) {
    size_t n_vocab = (size_t)rig->model->hp.n_vocab;
    assert_int_equal(got->n, want->n);
    assert_int_equal(got->result.finish, want->result.finish);
    assert_memory_equal(got->ids, want->ids, (size_t)want->n * sizeof *want->ids);
    assert_memory_equal(got->logits, want->logits, (size_t)want->n * n_vocab * sizeof(float));
}

static const char *const paths[] = {
    "tests/golden/llama",
    "tests/golden/qwen3-next",
    "tests/golden/deepseek-v3",
    "tests/golden/glm4-moe",
    "tests/golden/gguf/small-llama.q4_k_m.gguf",
};

static void test_same_bits(void **state) {
    (void)state;
    for (size_t p = 0; p < sizeof paths / sizeof paths[0]; p++) {
        struct rig rig;
        struct answer plain, got;
        long drafted = 0, accepted = 0;
        open_rig(&rig, paths[p]);
        size_t n = (ANSWER + 1) * (size_t)rig.model->hp.n_vocab;
        plain.logits = calloc(n, sizeof(float));
        got.logits = calloc(n, sizeof(float));
        for (int way = 0; way < 4; way++) {
            struct asked asked = {.draft = DRAFT_NONE,
                                  .n_draft = 8,
                                  .temperature = way & 1 ? 0.8 : 0,
                                  .n = way & 2 ? 37 : ANSWER,
                                  .end = -1,
                                  .bias = true};
            answer(&rig, &asked, &plain);
            assert_int_equal(plain.result.speculation.n_drafted, 0);
            assert_int_equal(plain.result.finish, GENERATE_LENGTH);
            for (int kind = DRAFT_AUTO; kind <= DRAFT_PREDICT; kind++) {
                if (kind == DRAFT_PREDICT && rig.model->mtp.n_step == 0) continue;
                asked.draft = (enum draft_kind)kind;
                asked.n_draft = way == 3 ? 16 : 5;
                answer(&rig, &asked, &got);
                compare(&rig, &got, &plain);
                drafted += got.result.speculation.n_drafted;
                accepted += got.result.speculation.n_accepted;
                assert_true(got.result.speculation.n_pass <= plain.result.speculation.n_pass + 90);
            }
        }
        print_message("%s: %ld drafted, %ld accepted\n", paths[p], drafted, accepted);
        assert_true(accepted <= drafted);
        free(plain.logits);
        free(got.logits);
        close_rig(&rig);
    }
}

static void test_ends(void **state) {
    (void)state;
    for (size_t p = 0; p < sizeof paths / sizeof paths[0]; p++) {
        struct rig rig;
        struct answer plain, got;
        open_rig(&rig, paths[p]);
        size_t n = (ANSWER + 1) * (size_t)rig.model->hp.n_vocab;
        plain.logits = calloc(n, sizeof(float));
        got.logits = calloc(n, sizeof(float));
        struct asked whole = {
            .draft = DRAFT_NONE, .temperature = 0.9, .n = ANSWER, .end = -1, .bias = true};
        answer(&rig, &whole, &got);
        int32_t end = got.ids[ANSWER / 2];
        const struct asked ways[] = {
            {.n_draft = 8, .temperature = 0.9, .n = 0, .end = -1, .bias = true}, // a full session
            {.n_draft = 8, .temperature = 0.9, .n = 0, .end = end, .bias = true},
            {.n_draft = 8, .temperature = 0.9, .n = 0, .end = -1, .stop_after = 31, .bias = true},
            {.n_draft = 8, .temperature = 0.9, .n = 1, .end = -1, .bias = true},
        };
        static const enum generate_finish why[] = {GENERATE_CONTEXT, GENERATE_END, GENERATE_SINK,
                                                   GENERATE_LENGTH};
        for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
            struct asked asked = ways[w];
            asked.draft = DRAFT_NONE;
            answer(&rig, &asked, &plain);
            assert_int_equal(plain.result.finish, why[w]);
            asked.draft = DRAFT_AUTO;
            answer(&rig, &asked, &got);
            compare(&rig, &got, &plain);
        }
        free(plain.logits);
        free(got.logits);
        close_rig(&rig);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
