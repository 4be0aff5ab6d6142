/* A run from its first step, or where it was left, to its end. */
#include "train/run/run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "session/open_tokenizer.h"
#include "train/learn/checkpoint.h"
#include "train/run/self.h"

enum jl_status run_no_memory(const struct run *run) {
    return jl_fail(run->err, JL_ERR_MEMORY, "out of memory for the run in %s",
                   run->options->folder);
}

void run_note(const struct run *run, const char *text) {
    if (run->options->watch.note) run->options->watch.note(run->options->watch.ctx, text);
}

static enum jl_status open_learner(struct run *run) {
    struct run_learner_memory memory;
    struct learner_options options;
    JL_TRY(run_learner_options(run->recipe, run->start, &memory, &options, run->err));
    JL_TRY(learner_create(run->backend, &options, &run->learner, run->err));
    const struct model *model = learner_model(run->learner);
    if (run->recipe->lora_merge) JL_TRY(adapter_mergeable(model, run->err)); // not at the end only
    JL_TRY(open_tokenizer(model->file, &run->tokenizer, run->err));
    JL_TRY(chat_form_open(run->start, run->tokenizer, &run->form, run->err));
    end_tokens_find(model->file, run->tokenizer, model->hp.n_vocab, &run->ends);
    chat_form_ends(&run->form, run->tokenizer, model->hp.n_vocab, &run->ends);
    if (run->recipe->grpo) return run_open_rl(run);
    size_t micro = (size_t)run->recipe->micro;
    run->batches = calloc(micro, sizeof *run->batches);
    run->micro = calloc(micro, sizeof *run->micro);
    run->micro_rows = calloc(micro, sizeof *run->micro_rows);
    bool ok = run->batches && run->micro && run->micro_rows;
    for (size_t k = 0; ok && k < micro; k++)
        ok = (run->micro_rows[k] = calloc((size_t)run->recipe->rows, sizeof **run->micro_rows)) !=
             NULL;
    return ok ? JL_OK : run_no_memory(run);
}

/* ---- checkpoints ---- */

static void mark_of(void *ctx, int64_t stage, uint8_t out[CHECKPOINT_MARK]) {
    _Static_assert(CHECKPOINT_MARK == RECIPE_MARK, "one kind of mark");
    recipe_mark(((const struct run *)ctx)->recipe, stage, out);
}

static void torn(void *ctx, const char *message) { run_note(ctx, message); }

static enum jl_status save(struct run *run) {
    uint8_t mark[CHECKPOINT_MARK];
    struct checkpoint at = {.steps = run->step, .stage = run->stage, .stage_step = run->stage_step};
    at.n_cursor = run->rl ? RUN_RL_CURSOR : data_cursor_bytes(run->data);
    at.cursor = malloc(at.n_cursor);
    if (!at.cursor) return run_no_memory(run);
    if (run->rl)
        run_rl_cursor_write(run, at.cursor);
    else
        data_cursor_write(run->data, &run->cursor, at.cursor);
    recipe_mark(run->recipe, run->stage, mark);
    if (run->options->watch.saving) run->options->watch.saving(run->options->watch.ctx);
    enum jl_status status = checkpoint_write(run->options->folder, run->learner, &at, mark,
                                             (int)run->recipe->checkpoint_keep, run->err);
    free(at.cursor);
    if (status == JL_OK && run->options->watch.checkpoint)
        run->options->watch.checkpoint(run->options->watch.ctx, run->step, run->options->folder);
    return status;
}

/* Steps of the run before a stage. */
static int64_t steps_before(const struct recipe *r, int stage) {
    int64_t sum = 0;
    for (int i = 0; i < stage; i++)
        sum += r->stages[i].steps;
    return sum;
}

/* Steps of the run before the last fresh start of the optimizer. */
static int64_t optimizer_base(const struct recipe *r, int stage) {
    int64_t base = 0;
    for (int i = 0; i <= stage; i++)
        if (r->stages[i].restart_id != RESTART_NO) base = steps_before(r, i);
    return base;
}

static enum jl_status resume(struct run *run) {
    struct checkpoint at;
    const struct checkpoint_reader reader = {mark_of, torn, run};
    JL_TRY(checkpoint_read_newest(run->options->folder, run->learner, &reader, &at, run->err));
    if (at.steps < 0) {
        run->stage = run->first_stage;
        run->step = steps_before(run->recipe, run->stage);
        return JL_OK;
    }
    run->step = at.steps;
    run->stage = (int)at.stage;
    run->stage_step = at.stage_step;
    learner_restore(run->learner, run->step - optimizer_base(run->recipe, run->stage));
    enum jl_status status = run_open_data(run, run->stage);
    if (status == JL_OK && run->rl)
        status = run_rl_cursor_read(run, at.cursor, at.n_cursor);
    else if (status == JL_OK)
        status = data_cursor_read(run->data, at.cursor, at.n_cursor, &run->cursor, run->err);
    free(at.cursor);
    return status;
}

/* ---- steps ---- */

/* The next rows of the data, and a step over them. */
static enum jl_status data_step(struct run *run, struct run_step *report) {
    const struct recipe *r = run->recipe;
    struct data_cursor cursor = run->cursor;
    double began = clock_seconds();
    for (int64_t k = 0; k < r->micro; k++) {
        JL_TRY(data_next(run->data, &cursor, &run->batches[k], run->err));
        run->micro[k] = run_rows_of(&run->batches[k], run->micro_rows[k]);
    }
    JL_TRY(learner_step(run->learner, run->micro, (int)r->micro, &loss_cross_entropy, report->rate,
                        run->options->cancel, &report->result, run->err));
    report->seconds = clock_seconds() - began;
    run->cursor = cursor;
    return JL_OK;
}

static enum jl_status one_step(struct run *run) {
    const struct recipe *r = run->recipe;
    const struct recipe_stage *stage = &r->stages[run->stage];
    struct run_step report = {.stage = stage->name,
                              .step = run->step + 1,
                              .n_step = recipe_steps(r),
                              .stage_step = run->stage_step + 1,
                              .stage_n_step = stage->steps,
                              .rate = schedule_rate(&stage->plan, run->stage_step),
                              .learner = run->learner};
    JL_TRY(run->rl ? run_rl_step(run, &report) : data_step(run, &report));
    run->step++;
    run->stage_step++;
    run->done++;
    if (run->options->watch.step) run->options->watch.step(run->options->watch.ctx, &report);
    if (run->rl) run_show_answers(run);
    return JL_OK;
}

static bool shall_stop(const struct run *run) {
    const struct run_options *o = run->options;
    return (o->cancel && atomic_load(o->cancel)) || (o->stop_after && run->done >= o->stop_after);
}

/* Steps of the current stage until its end, or until it is to stop; then *stopped. */
static enum jl_status run_steps(struct run *run, bool *stopped) {
    const struct recipe *r = run->recipe;
    int64_t saved = run->step;
    *stopped = false;
    while (run->stage_step < r->stages[run->stage].steps) {
        enum jl_status status = shall_stop(run) ? JL_ERR_CANCELLED : one_step(run);
        *stopped = status == JL_ERR_CANCELLED;
        if (*stopped) break; // a step that was cut short has changed nothing
        JL_TRY(status);
        if (run->step % r->checkpoint_every == 0) {
            JL_TRY(save(run));
            saved = run->step;
        }
        if (run->stage_step == r->stages[run->stage].steps) continue; // end_stage does both
        if (r->eval_every && run->step % r->eval_every == 0) JL_TRY(run_held_out(run));
        if (r->sample_every && !run->rl && run->step % r->sample_every == 0) run_sample(run);
    }
    return run->step > saved ? save(run) : JL_OK;
}

static enum jl_status end_stage(struct run *run) {
    const char *name = run->recipe->stages[run->stage].name;
    char *path = file_path_in(run->options->folder, name);
    if (!path) return run_no_memory(run);
    enum jl_status status = run_held_out(run);
    if (status == JL_OK) run_sample(run);
    if (status == JL_OK) status = run_write_model(run, path);
    free(path);
    return status;
}

static void begin_stage(struct run *run) {
    const struct recipe_stage *stage = &run->recipe->stages[run->stage];
    learner_set_mtp(run->learner, (float)stage->mtp_weight);
    if (run->stage_step > 0) return;
    if (stage->restart_id == RESTART_MOMENTS) learner_forget(run->learner);
    if (stage->restart_id == RESTART_WEIGHTS) learner_begin_again(run->learner);
}

static enum jl_status stages(struct run *run) {
    const struct recipe *r = run->recipe;
    bool stopped;
    JL_TRY(resume(run));
    if (run->options->watch.begin)
        run->options->watch.begin(run->options->watch.ctx, run->learner, run->step);
    for (; run->stage < r->n_stage; run->stage++, run->stage_step = 0) {
        JL_TRY(run_open_data(run, run->stage));
        begin_stage(run);
        JL_TRY(run_steps(run, &stopped));
        if (stopped)
            return jl_fail(run->err, JL_ERR_CANCELLED,
                           "stopped after step %" PRId64 " of %" PRId64 "; the same command goes "
                           "on from there",
                           run->step, recipe_steps(r));
        JL_TRY(end_stage(run));
    }
    return JL_OK;
}

enum jl_status run_recipe(struct backend *backend, struct pool *pool, const struct recipe *recipe,
                          const struct run_options *options, struct jl_error *err) {
    struct run run = {.backend = backend,
                      .pool = pool,
                      .known = *recipe,
                      .options = options,
                      .lock = -1,
                      .data_stage = -1,
                      .err = err};
    run.recipe = &run.known;
    enum jl_status status = run_make_folder(&run, options->folder);
    if (status == JL_OK) status = run_lock_folder(&run);
    if (status == JL_OK) status = run_find_start(&run);
    if (status == JL_OK) status = open_learner(&run);
    if (status == JL_OK) status = run_keep_recipe(&run);
    if (status == JL_OK) status = run_find_steps(&run);
    if (status == JL_OK) status = stages(&run);
    run_free_data(&run);
    rl_close(run.rl);
    for (int64_t k = 0; run.micro_rows && k < recipe->micro; k++)
        free(run.micro_rows[k]);
    free(run.micro_rows);
    free(run.micro);
    free(run.batches);
    chat_form_close(&run.form);
    tokenizer_free(run.tokenizer);
    learner_free(run.learner);
    free(run.start);
    if (run.lock >= 0) close(run.lock);
    return status;
}
