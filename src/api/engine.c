/* Engines: what runs a model, and what that takes. */
#include <stdlib.h>

#include "api/self.h"
#include "base/pool.h"
#include "session/draft_gain.h"

#define BATCH 512 // rows of a pass when nobody says otherwise

static enum jl_status check(const struct jl_engine_options *o, struct jl_error *err) {
    const struct {
        const char *name;
        int value, most;
    } numbers[] = {{"n_threads", o->n_threads, POOL_MAX_THREADS},
                   {"n_seq", o->n_seq, 1 << 20},
                   {"n_ctx", o->n_ctx, INT32_MAX},
                   {"n_batch", o->n_batch, 1 << 20},
                   {"draft", (int)o->draft, JL_DRAFT_MTP},
                   {"n_draft", o->n_draft, DRAFT_MAX}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].value < 0 || numbers[i].value > numbers[i].most)
            return jl_fail(err, JL_ERR_USAGE, "%s is %d: give a number from 1 to %d, or 0",
                           numbers[i].name, numbers[i].value, numbers[i].most);
    return JL_OK;
}

/* Rows of a pass: each sequence has one at least. */
static int batch_rows(const struct jl_model *model, const struct jl_engine_options *o) {
    int rows = o->n_batch ? o->n_batch : BATCH, n_seq = o->n_seq ? o->n_seq : 1;
    int64_t most = (int64_t)model->model->hp.n_ctx_train * n_seq;
    if (rows > most) rows = (int)most;
    return rows < n_seq ? n_seq : rows;
}

static enum draft_kind draft_of(enum jl_draft draft) {
    switch (draft) {
    case JL_DRAFT_AUTO: return DRAFT_AUTO;
    case JL_DRAFT_LOOKUP: return DRAFT_LOOKUP;
    case JL_DRAFT_MTP: return DRAFT_PREDICT;
    case JL_DRAFT_NONE: break;
    }
    return DRAFT_NONE;
}

/* *backend is made also where the plan does not fit. */
static enum jl_status begin(const struct jl_model *model, const struct jl_engine_options *o,
                            struct backend **backend, struct memory_plan *plan,
                            struct jl_error *err) {
    struct backend_options cpu = {o->cpu, o->n_threads};
    struct memory_request request = {.n_seq = o->n_seq,
                                     .n_ctx = o->n_ctx,
                                     .n_batch = batch_rows(model, o),
                                     .prefix_bytes = o->prefix_bytes,
                                     .draft = draft_of(o->draft),
                                     .n_draft = o->n_draft,
                                     .limit = o->memory};
    *plan = (struct memory_plan){0};
    JL_TRY(check(o, err));
    JL_TRY(backend_cpu_create(&cpu, backend, err));
    return memory_plan_make(model->model, *backend, &request, plan, err);
}

static const struct jl_engine_options defaults;

enum jl_status jl_plan(const jl_model *model, const struct jl_engine_options *options,
                       struct jl_plan *out, struct jl_error *err) {
    struct backend *backend = NULL;
    struct memory_plan plan;
    enum jl_status status = begin(model, options ? options : &defaults, &backend, &plan, err);
    backend_free(backend);
    *out = (struct jl_plan){.weights = plan.weights,
                            .state = plan.state,
                            .prefix = plan.prefix,
                            .work = plan.work,
                            .total = plan.total,
                            .available = plan.available,
                            .n_ctx = plan.sessions.n_ctx,
                            .n_seq = plan.sessions.n_seq};
    return status;
}

enum jl_status jl_engine_create(const jl_model *model, const struct jl_engine_options *options,
                                jl_engine **out, struct jl_error *err) {
    struct memory_plan plan;
    struct jl_engine *engine = calloc(1, sizeof *engine);
    *out = NULL;
    if (!engine) return jl_no_memory(err, "an engine");
    if (!options) options = &defaults;
    engine->model = model;
    enum jl_status status = begin(model, options, &engine->backend, &plan, err);
    if (status == JL_OK)
        status = exec_create(model->model, engine->backend, batch_rows(model, options),
                             &engine->exec, err);
    if (status == JL_OK)
        status = session_set_create(engine->exec, &plan.sessions, &engine->sessions, err);
    if (status == JL_OK) {
        *out = engine;
        return JL_OK;
    }
    jl_engine_free(engine);
    return status;
}

void jl_engine_free(jl_engine *engine) {
    if (!engine) return;
    session_set_free(engine->sessions);
    exec_free(engine->exec);
    backend_free(engine->backend);
    free(engine);
}

/* ---- cancelling ---- */

jl_cancel *jl_cancel_create(void) {
    struct jl_cancel *cancel = calloc(1, sizeof *cancel);
    if (cancel) atomic_init(&cancel->flag, false);
    return cancel;
}

void jl_cancel_free(jl_cancel *cancel) { free(cancel); }

void jl_cancel_set(jl_cancel *cancel) { atomic_store(&cancel->flag, true); }

void jl_cancel_clear(jl_cancel *cancel) { atomic_store(&cancel->flag, false); }
