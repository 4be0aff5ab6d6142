/* The scheduler: whatever else is going on, a request's answers are those of the request alone, to
 * the bit of every logit; and turns, limits and ends are as promised. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include <cmocka.h>

#include "base/rng.h"
#include "serve/scheduler.h"
#include "support/golden.h"

#define MOST_PROMPT 300
#define MOST_TOKENS 60
#define MOST_ANSWERS 3
#define ROWS 48

/* ---- a model and its scheduler ---- */

struct rig {
    struct model *model;
    struct backend *backend;
    struct exec *exec, *cold_exec;
    struct session_set *cold; // of sessions that are alone
    struct end_tokens ends;
    struct scheduler *scheduler;
};

static void must(enum jl_status status, const struct jl_error *err) {
    if (status != JL_OK) fail_msg("%s", err->message);
}

static void open_rig(struct rig *rig, const char *path, struct scheduler_options options) {
    struct jl_error err = {0};
    struct backend_options cpu = {NULL, 2};
    *rig = (struct rig){.ends = {.ids = {7}, .n = 1}};
    must(backend_cpu_create(&cpu, &rig->backend, &err), &err);
    must(model_load(path, NULL, &rig->model, &err), &err);
    must(exec_create(rig->model, rig->backend, ROWS, &rig->exec, &err), &err);
    must(exec_create(rig->model, rig->backend, ROWS, &rig->cold_exec, &err), &err);
    const struct session_options cold = {.n_seq = 1};
    must(session_set_create(rig->cold_exec, &cold, &rig->cold, &err), &err);
    options.exec = rig->exec;
    options.ends = &rig->ends;
    must(scheduler_create(&options, &rig->scheduler, &err), &err);
}

static void close_rig(struct rig *rig) {
    scheduler_free(rig->scheduler);
    session_set_free(rig->cold);
    exec_free(rig->exec);
    exec_free(rig->cold_exec);
    model_free(rig->model);
    backend_free(rig->backend);
}

/* ---- one answer ---- */

struct said {
    int32_t ids[MOST_TOKENS];
    uint64_t sum[MOST_TOKENS]; // of the logits that each was chosen from
    int n;
    enum generate_finish finish;
};

static uint64_t sum_of(const struct rig *rig, const float *logits) {
    return XXH3_64bits(logits, (size_t)rig->model->hp.n_vocab * sizeof *logits);
}

/* ---- a client ---- */

struct asked {
    struct rig *rig;
    int32_t ids[MOST_PROMPT];
    int n_id, n_answer, n_max, priority;
    uint64_t seed, owner;
    double temperature;
    int leave_after;  // its tokens, then nobody is there any more; 0: never
    atomic_bool hold; // its first token keeps the scheduler until this is false
    atomic_bool held; // it does

    struct said said[MOST_ANSWERS];
    enum jl_status status[MOST_ANSWERS];
    struct scheduler_progress progress;
    int n_progress, n_reading; // calls; and of these with a part of the prompt
    int n_ended, order;        // order: of being closed
    atomic_bool closed;
};

static atomic_int n_closed;

static void on_progress(void *ctx, const struct scheduler_progress *progress) {
    struct asked *a = ctx;
    assert_false(a->closed);
    a->n_progress++;
    a->n_reading += progress->n_read > progress->n_cached && progress->n_read < progress->n_prompt;
    a->progress = *progress;
}

static bool on_token(void *ctx, const struct scheduler_token *token) {
    struct asked *a = ctx;
    struct said *said = &a->said[token->answer];
    if (token->id == TOKEN_NONE) return true;
    while (atomic_load(&a->hold)) {
        atomic_store(&a->held, true);
        usleep(500);
    }
    said->ids[said->n] = token->id;
    said->sum[said->n++] = sum_of(a->rig, token->logits);
    return true;
}

static void on_ended(void *ctx, const struct scheduler_end *end) {
    struct asked *a = ctx;
    a->status[end->answer] = end->status;
    a->said[end->answer].finish = end->result.finish;
    if (end->status == JL_OK) assert_int_equal(end->result.n_token, a->said[end->answer].n);
    a->n_ended++;
}

static bool on_gone(void *ctx) {
    struct asked *a = ctx;
    return a->leave_after && a->said[0].n >= a->leave_after;
}

static void on_closed(void *ctx) {
    struct asked *a = ctx;
    a->order = atomic_fetch_add(&n_closed, 1);
    atomic_store(&a->closed, true);
}

static struct scheduler_request request_of(struct asked *a, const struct sample_params *params) {
    return (struct scheduler_request){
        .ids = a->ids,
        .n_id = a->n_id,
        .n_answer = a->n_answer,
        .n_max = a->n_max,
        .params = params,
        .seed = a->seed,
        .owner = a->owner,
        .priority = a->priority,
        .client = {.progress = on_progress,
                   .token = on_token,
                   .ended = on_ended,
                   .gone = on_gone,
                   .closed = on_closed,
                   .ctx = a},
    };
}

static enum jl_status submit(struct asked *a, struct scheduler_ticket **ticket,
                             struct jl_error *err) {
    struct sample_params params = sample_params_default();
    params.temperature = a->temperature;
    const struct scheduler_request request = request_of(a, &params);
    return scheduler_submit(a->rig->scheduler, &request, ticket, err);
}

static void ask(struct asked *a) {
    struct jl_error err = {0};
    must(submit(a, NULL, &err), &err);
}

static void wait_for(struct asked *a) {
    for (int i = 0; !atomic_load(&a->closed); i++) {
        if (i > 60000) fail_msg("a request was not closed within a minute");
        usleep(1000);
    }
    assert_int_equal(a->n_ended, a->n_answer);
}

static void wait_held(struct asked *a) {
    for (int i = 0; !atomic_load(&a->held); i++) {
        if (i > 60000) fail_msg("a request has had no token for a minute");
        usleep(1000);
    }
}

/* ---- the same alone ---- */

static void check_answer(const struct asked *a, int index, int n) {
    struct rig *rig = a->rig;
    struct jl_error err = {0};
    struct session *session;
    struct sampler *sampler;
    struct sample_scratch *scratch;
    struct sample_params params = sample_params_default();
    int reused;
    params.temperature = a->temperature;
    const struct sampler_spec spec = {.params = &params,
                                      .n_vocab = rig->model->hp.n_vocab,
                                      .n_max = rig->model->hp.n_ctx_train + 1,
                                      .seed = a->seed,
                                      .sequence = (uint32_t)index};
    must(session_create(rig->cold, &session, &err), &err);
    must(sampler_create(&spec, &sampler, &err), &err);
    must(sample_scratch_create(spec.n_vocab, &scratch, &err), &err);
    must(sampler_prompt(sampler, a->ids, a->n_id, &err), &err);
    must(session_sync(session, a->ids, a->n_id, NULL, &reused, &err), &err);
    for (int i = 0; i <= n; i++) {
        int32_t id;
        must(sampler_choose(sampler, scratch, session_logits(session), &id, &err), &err);
        if (i == n) {
            if (a->status[index] == JL_OK && a->said[index].finish == GENERATE_END)
                assert_true(end_tokens_has(&rig->ends, id));
            break;
        }
        assert_int_equal(a->said[index].ids[i], id);
        if (a->said[index].sum[i] != sum_of(rig, session_logits(session)))
            fail_msg("answer %d, token %d: other logits than alone", index, i);
        must(sampler_accept(sampler, id, &err), &err);
        if (i + 1 < n || a->said[index].finish == GENERATE_END)
            must(session_push(session, id, &err), &err);
        else
            break;
    }
    session_free(session);
    sampler_free(sampler);
    sample_scratch_free(scratch);
}

static void check_alone(const struct asked *a) {
    for (int i = 0; i < a->n_answer; i++)
        check_answer(a, i, a->said[i].n);
}

static uint32_t draw(uint64_t *at, uint32_t below) {
    const struct rng_key key = {.seed = 11, .purpose = RNG_TEST};
    return (uint32_t)((double)rng_uniform(&key, (*at)++) * below);
}

static void fill(struct asked *a, struct rig *rig, int n_id, uint32_t theme) {
    uint64_t at = 1000 * (uint64_t)theme;
    *a = (struct asked){.rig = rig, .n_id = n_id, .n_answer = 1, .n_max = 12, .seed = theme};
    for (int i = 0; i < n_id; i++)
        a->ids[i] = 8 + (int32_t)draw(&at, (uint32_t)rig->model->hp.n_vocab - 8);
}

/* ---- the same bits ---- */

enum { MANY = 40, ASKERS = 4 };
static struct asked many[MANY];

static void *ask_some(void *arg) {
    int first = *(int *)arg;
    for (int i = first; i < MANY; i += ASKERS) {
        struct jl_error err = {0};
        if (submit(&many[i], NULL, &err) != JL_OK) abort();
        usleep(1500);
    }
    return NULL;
}

static void look_same_bits(const char *path, int n_page) {
    struct rig rig;
    pthread_t threads[ASKERS];
    int firsts[ASKERS];
    uint64_t at = 77;
    open_rig(&rig, path,
             (struct scheduler_options){
                 .sessions = {.n_seq = 5, .n_page = n_page, .prefix_bytes = 1 << 22},
                 .n_active = 9,
                 .n_resting = 3});
    for (int i = 0; i < MANY; i++) {
        struct asked *a = &many[i];
        int most = rig.model->hp.n_ctx_train - MOST_TOKENS;
        if (most > MOST_PROMPT) most = MOST_PROMPT;
        fill(a, &rig, 1 + (int)draw(&at, (uint32_t)most), draw(&at, 4)); // many begin alike
        a->n_answer = 1 + (int)draw(&at, MOST_ANSWERS);
        a->n_max = 1 + (int)draw(&at, MOST_TOKENS);
        a->temperature = draw(&at, 2) ? 0 : 1.5;
        a->owner = draw(&at, 3);
        a->seed = draw(&at, 1000);
        a->priority = (int)draw(&at, 2);
        a->leave_after = draw(&at, 6) ? 0 : 1 + (int)draw(&at, 9);
    }
    for (int i = 0; i < ASKERS; i++) {
        firsts[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, ask_some, &firsts[i]), 0);
    }
    for (int i = 0; i < ASKERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < MANY; i++)
        wait_for(&many[i]);
    for (int i = 0; i < MANY; i++) {
        for (int k = 0; k < many[i].n_answer; k++)
            if (many[i].status[k] != JL_OK &&
                !(many[i].leave_after && many[i].status[k] == JL_ERR_CANCELLED))
                fail_msg("request %d, answer %d: status %d", i, k, many[i].status[k]);
        check_alone(&many[i]);
    }
    struct scheduler_stats stats;
    scheduler_stats(rig.scheduler, &stats);
    assert_int_equal(stats.n_request, MANY);
    assert_int_equal(stats.n_failed, 0);
    assert_int_equal(stats.n_waiting + stats.n_reading + stats.n_answering, 0);
    if (n_page) assert_true(stats.n_made_room > 0);
    close_rig(&rig);
}

static void same_bits(void **state) {
    (void)state;
    look_same_bits("tests/golden/gguf/tiny-llama.f32.gguf", 0);
    look_same_bits("tests/golden/gguf/tiny-llama.f32.gguf", 7);
    look_same_bits("tests/golden/deepseek-v3", 0);
    look_same_bits("tests/golden/qwen3-next", 0);
}

/* ---- turns, limits, ends ---- */

static const char plain[] = "tests/golden/gguf/tiny-llama.f32.gguf";

static void refusals(void **state) {
    (void)state;
    struct rig rig;
    struct jl_error err = {0};
    static struct asked a, waiting[4];
    open_rig(&rig, plain,
             (struct scheduler_options){.sessions = {.n_seq = 1}, .n_active = 1, .n_waiting = 2});
    fill(&a, &rig, 10, 1);
    a.n_id = 0;
    assert_int_equal(submit(&a, NULL, &err), JL_ERR_USAGE);
    a.n_id = 10;
    a.n_answer = 2; // more than can be at work
    assert_int_equal(submit(&a, NULL, &err), JL_ERR_USAGE);
    static int32_t long_ids[1 << 16];
    struct sample_params params = sample_params_default();
    a.n_answer = 1;
    struct scheduler_request request = request_of(&a, &params);
    request.ids = long_ids;
    request.n_id = rig.model->hp.n_ctx_train;
    assert_int_equal(scheduler_submit(rig.scheduler, &request, NULL, &err), JL_ERR_LIMIT);
    params.temperature = -1;
    request.n_id = 10;
    assert_int_equal(scheduler_submit(rig.scheduler, &request, NULL, &err), JL_ERR_USAGE);

    struct scheduler_ticket *tickets[4] = {0};
    int n_refused = 0;
    for (int i = 0; i < 4; i++) { // one at work, two waiting, at most
        fill(&waiting[i], &rig, 10, 2);
        waiting[i].n_max = MOST_TOKENS;
        enum jl_status status = submit(&waiting[i], &tickets[i], &err);
        if (status == JL_OK) continue;
        assert_int_equal(status, JL_ERR_BUSY);
        assert_null(tickets[i]);
        waiting[i].closed = true;
        waiting[i].n_ended = 1;
        n_refused++;
    }
    struct scheduler_stats stats;
    scheduler_stats(rig.scheduler, &stats);
    assert_int_equal(stats.n_refused, n_refused);
    assert_in_range(n_refused, 0, 2);
    for (int i = 0; i < 4; i++) {
        wait_for(&waiting[i]);
        scheduler_drop(tickets[i]);
    }
    scheduler_stop(rig.scheduler, 1);
    assert_int_equal(submit(&a, NULL, &err), JL_ERR_BUSY);
    close_rig(&rig);
}

static void cancelled(void **state) {
    (void)state;
    struct rig rig;
    struct jl_error err = {0};
    struct scheduler_ticket *ticket;
    static struct asked a, b;
    open_rig(&rig, plain, (struct scheduler_options){.sessions = {.n_seq = 2}});
    fill(&a, &rig, 20, 1);
    fill(&b, &rig, 30, 2);
    a.n_max = 0; // to the end of the context, if nobody stops it
    a.temperature = 1;
    b.n_max = 20;
    a.n_answer = 1;
    a.hold = true;
    must(submit(&a, &ticket, &err), &err);
    wait_held(&a);
    ask(&b);
    scheduler_cancel(ticket);
    atomic_store(&a.hold, false);
    wait_for(&a);
    wait_for(&b);
    assert_int_equal(a.status[0], JL_ERR_CANCELLED);
    check_alone(&b);
    scheduler_drop(ticket);
    close_rig(&rig);
}

/* Who asks for much does not keep the other waiting. */
static void fair(void **state) {
    (void)state;
    struct rig rig;
    enum { FIRST = 12 };
    static struct asked list[FIRST + 2];
    atomic_store(&n_closed, 0);
    open_rig(&rig, plain, (struct scheduler_options){.sessions = {.n_seq = 1}, .n_active = 1});
    for (int i = 0; i < FIRST; i++) {
        fill(&list[i], &rig, 100, 10 + (uint32_t)i);
        list[i].n_max = 30;
        list[i].owner = 1;
        list[i].hold = i == 0; // until all have been asked
        ask(&list[i]);
        if (i == 0) wait_held(&list[0]);
    }
    fill(&list[FIRST], &rig, 100, 5);
    list[FIRST].owner = 2;
    ask(&list[FIRST]);
    fill(&list[FIRST + 1], &rig, 100, 6); // the first owner's, but urgent
    list[FIRST + 1].owner = 1;
    list[FIRST + 1].priority = 5;
    ask(&list[FIRST + 1]);
    atomic_store(&list[0].hold, false);
    for (int i = 0; i < FIRST + 2; i++)
        wait_for(&list[i]);
    assert_int_equal(list[0].order, 0);
    assert_int_equal(list[FIRST + 1].order, 1);
    assert_int_equal(list[FIRST].order, 2);
    for (int i = 1; i < FIRST; i++) // of one owner in the order they came
        assert_true(list[i].order > list[i - 1].order);
    close_rig(&rig);
}

/* The next turn reads only what is new, of one owner; another's asks for all of it. */
static void next_turn(void **state) {
    (void)state;
    struct rig rig;
    static struct asked a, b, c;
    open_rig(&rig, plain,
             (struct scheduler_options){.sessions = {.n_seq = 2, .prefix_bytes = 1 << 22},
                                        .n_resting = 2});
    fill(&a, &rig, 150, 1);
    a.owner = 1;
    a.n_max = 10;
    ask(&a);
    wait_for(&a);
    b = c = (struct asked){.rig = &rig, .n_answer = 1, .n_max = 5, .n_id = 150 + a.said[0].n + 20};
    memcpy(b.ids, a.ids, 150 * sizeof *b.ids);
    memcpy(b.ids + 150, a.said[0].ids, (size_t)a.said[0].n * sizeof *b.ids);
    for (int i = 150 + a.said[0].n; i < b.n_id; i++)
        b.ids[i] = 30 + i % 17;
    memcpy(c.ids, b.ids, sizeof c.ids);
    b.owner = 1;
    c.owner = 2;
    ask(&c);
    wait_for(&c);
    ask(&b);
    wait_for(&b);
    assert_int_equal(c.progress.n_cached, 0);
    assert_in_range(b.progress.n_cached, 150 + a.said[0].n - 1, 150 + a.said[0].n);
    check_alone(&b);
    check_alone(&c);
    close_rig(&rig);
}

/* Beside an answer a prompt is read in parts. */
static void in_parts(void **state) {
    (void)state;
    struct rig rig;
    static struct asked a, b;
    open_rig(&rig, plain, (struct scheduler_options){.sessions = {.n_seq = 2}});
    fill(&a, &rig, 5, 1);
    a.n_max = MOST_TOKENS;
    a.temperature = 1;
    fill(&b, &rig, MOST_PROMPT, 2);
    a.hold = true;
    ask(&a);
    wait_held(&a);
    ask(&b);
    atomic_store(&a.hold, false);
    wait_for(&a);
    wait_for(&b);
    assert_true(b.n_reading >= MOST_PROMPT / ROWS - 1);
    assert_int_equal(b.progress.n_read, MOST_PROMPT);
    check_alone(&a);
    check_alone(&b);
    close_rig(&rig);
}

static void stopped(void **state) {
    (void)state;
    struct rig rig;
    static struct asked a[4];
    for (int round = 0; round < 2; round++) {
        open_rig(&rig, plain, (struct scheduler_options){.sessions = {.n_seq = 1}, .n_active = 1});
        for (int i = 0; i < 4; i++) {
            fill(&a[i], &rig, 40, (uint32_t)i);
            a[i].n_max = round ? 0 : 5;
            a[i].temperature = 1;
            ask(&a[i]);
        }
        scheduler_stop(rig.scheduler, round ? 0 : 50);
        for (int i = 0; i < 4; i++) {
            assert_true(atomic_load(&a[i].closed)); // before it returned
            if (round == 0) assert_int_equal(a[i].status[0], JL_OK);
            if (round == 0) check_alone(&a[i]);
        }
        if (round) assert_int_equal(a[3].status[0], JL_ERR_CANCELLED);
        close_rig(&rig);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits), cmocka_unit_test(refusals),  cmocka_unit_test(cancelled),
        cmocka_unit_test(fair),      cmocka_unit_test(next_turn), cmocka_unit_test(in_parts),
        cmocka_unit_test(stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
