#include "train/run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "session/fresh_folder.h"
#include "session/open_tokenizer.h"
#include "train/checkpoint.h"
#include "train/publish.h"
#include "train/speak.h"

struct run {
    struct backend *backend;
    struct pool *pool;
    const struct recipe *recipe; // &known
    struct recipe known;         // the caller's, with the steps that its epochs come to
    const struct run_options *options;
    char *start; // the model that it began with
    int lock;
    struct learner *learner;
    struct tokenizer *tokenizer;
    struct chat_form form;
    struct end_tokens ends;
    struct data *data;
    int data_stage; // whose data are open; -1: none
    struct data_cursor cursor;
    struct data_batch *batches;      // (micro)
    struct learner_batch *micro;     // (micro)
    struct learner_row **micro_rows; // (micro)
    int64_t step, stage_step, done;  // of the run, of the stage, of this call
    int stage;
    struct jl_error *err;
};

static enum jl_status no_memory(const struct run *run) {
    return jl_fail(run->err, JL_ERR_MEMORY, "out of memory for the run in %s",
                   run->options->folder);
}

static void note(const struct run *run, const char *text) {
    if (run->options->watch.note) run->options->watch.note(run->options->watch.ctx, text);
}

/* ---- the folder ---- */

static enum jl_status make_folder(const struct run *run, const char *path) {
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && file_is_dir(path))) return JL_OK;
    return jl_fail(run->err, JL_ERR_IO, "%s: %s", path, strerror(errno));
}

/* One run at a time writes here. The lock goes with the process, however it ends. */
static enum jl_status lock_folder(struct run *run) {
    char *path = file_path_in(run->options->folder, ".lock");
    if (!path) return no_memory(run);
    run->lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
    bool locked = run->lock >= 0 && flock(run->lock, LOCK_EX | LOCK_NB) == 0;
    int why = errno;
    enum jl_status status = JL_OK;
    if (!locked && run->lock >= 0 && why == EWOULDBLOCK)
        status = jl_fail(run->err, JL_ERR_IO, "%s: another run is at work in this folder",
                         run->options->folder);
    else if (!locked)
        status = jl_fail(run->err, JL_ERR_IO, "%s: %s", path, strerror(why));
    free(path);
    return status;
}

static enum jl_status keep_recipe(const struct run *run) {
    char *path = file_path_in(run->options->folder, "recipe");
    struct file_writer writer;
    if (!path) return no_memory(run);
    enum jl_status status = file_writer_open(path, &writer, run->err);
    if (status == JL_OK) {
        fputs(run->recipe->text, writer.stream); // a failure shows when it is committed
        status = file_writer_commit(&writer, run->err);
    }
    free(path);
    return status;
}

/* The model to begin with: the recipe's, or a new one made in the folder once. */
static enum jl_status find_start(struct run *run) {
    const struct recipe *r = run->recipe;
    run->start = r->start ? strdup(r->start) : file_path_in(run->options->folder, "start");
    if (!run->start) return no_memory(run);
    if (r->start || file_exists(run->start)) return JL_OK;
    const struct fresh_folder_options fresh = {
        .init = {.path = r->path, .config = r->config, .dtype = r->work, .seed = (uint64_t)r->seed},
        .tokenizer = r->tokenizer,
    };
    return fresh_folder_write(&fresh, run->start, run->pool, run->err);
}

/* ---- the learner ---- */

static struct optimizer optimizer_of(const struct recipe *r) {
    return (struct optimizer){
        .kind = r->optimizer_id,
        .beta1 = (float)r->beta1,
        .beta2 = (float)r->beta2,
        .eps = (float)r->eps,
        .momentum = (float)r->momentum,
        .decay = (float)r->weight_decay,
        .decay_embed = (float)r->embed_decay,
        .max_norm = (float)r->max_norm,
    };
}

static enum jl_status lora_of(const struct recipe *r, struct run_learner_memory *m,
                              struct jl_error *err) {
    char *rest = m->text;
    m->adapter = (struct adapter_request){
        .name = "adapter",
        .roles = m->roles,
        .rank = (int)r->lora_rank,
        .alpha = r->lora_alpha > 0 ? r->lora_alpha : 2 * (double)r->lora_rank,
        .seed = (uint64_t)r->seed,
    };
    if ((size_t)snprintf(m->text, sizeof m->text, "%s", r->lora_roles ? r->lora_roles : "all") >=
        sizeof m->text)
        return jl_fail(err, JL_ERR_FORMAT, "%s: [lora] names too many roles", r->path);
    for (char *role; (role = strtok_r(rest, " ,", &rest));) {
        if (m->adapter.n_role == RUN_MOST_ROLES)
            return jl_fail(err, JL_ERR_FORMAT, "%s: [lora] names too many roles", r->path);
        m->roles[m->adapter.n_role++] = role;
    }
    return JL_OK;
}

enum jl_status run_learner_options(const struct recipe *r, const char *start,
                                   struct run_learner_memory *memory, struct learner_options *out,
                                   struct jl_error *err) {
    memory->cls = (struct class_request){r->act, r->kv};
    *out = (struct learner_options){
        .model = start,
        .cls = &memory->cls,
        .dtype = r->work,
        .rows = (int)r->rows,
        .n_micro = (int)r->micro,
        .keep = r->keep_id,
        .optimizer = optimizer_of(r),
        .mtp_weight = (float)r->mtp_weight,
        .balance_rate = (float)r->balance_rate,
    };
    if (!r->lora_rank) return JL_OK;
    out->adapter = &memory->adapter;
    return lora_of(r, memory, err);
}

static enum jl_status open_learner(struct run *run) {
    struct run_learner_memory memory;
    struct learner_options options;
    JL_TRY(run_learner_options(run->recipe, run->start, &memory, &options, run->err));
    JL_TRY(learner_create(run->backend, &options, &run->learner, run->err));
    const struct model *model = learner_model(run->learner);
    JL_TRY(open_tokenizer(model->file, &run->tokenizer, run->err));
    JL_TRY(chat_form_open(run->start, run->tokenizer, &run->form, run->err));
    end_tokens_find(model->file, run->tokenizer, model->hp.n_vocab, &run->ends);
    chat_form_ends(&run->form, run->tokenizer, model->hp.n_vocab, &run->ends);
    size_t micro = (size_t)run->recipe->micro;
    run->batches = calloc(micro, sizeof *run->batches);
    run->micro = calloc(micro, sizeof *run->micro);
    run->micro_rows = calloc(micro, sizeof *run->micro_rows);
    bool ok = run->batches && run->micro && run->micro_rows;
    for (size_t k = 0; ok && k < micro; k++)
        ok = (run->micro_rows[k] = calloc((size_t)run->recipe->rows, sizeof **run->micro_rows)) !=
             NULL;
    return ok ? JL_OK : no_memory(run);
}

/* ---- data ---- */

/* Stages without sources of their own go on in the data of those before. */
static int data_stage_of(const struct recipe *r, int stage) {
    while (stage > 0 && r->stages[stage].sources == r->stages[stage - 1].sources)
        stage--;
    return stage;
}

static void free_data(struct run *run) {
    for (int64_t k = 0; run->batches && k < run->recipe->micro; k++)
        data_batch_free(&run->batches[k]);
    data_free(run->data);
    run->data = NULL;
    run->data_stage = -1;
}

static enum jl_status open_data(struct run *run, int stage) {
    const struct recipe *r = run->recipe;
    int first = data_stage_of(r, stage);
    if (run->data_stage == first) return JL_OK;
    free_data(run);
    char *cache = r->cache ? strdup(r->cache) : file_path_in(run->options->folder, "cache");
    if (!cache) return no_memory(run);
    const struct data_spec spec = {
        .sources = r->stages[first].sources,
        .n_source = r->stages[first].n_source,
        .seed = (uint64_t)r->seed + (uint64_t)first,
        .seq_len = (int)r->seq_len,
        .rows = (int)r->rows,
        .mode = r->packing,
        .skip_long = r->skip_long,
        .cache_dir = cache,
        .now = run->options->now,
        .progress = run->options->watch.tokenising,
        .progress_ctx = run->options->watch.ctx,
    };
    const struct data_model model = {
        .tokenizer = run->tokenizer,
        .form = run->form.tmpl ? &run->form : NULL,
        .ends = &run->ends,
        .n_vocab = learner_model(run->learner)->hp.n_vocab,
    };
    enum jl_status status = data_open(&spec, &model, run->pool, &run->data, run->err);
    free(cache);
    JL_TRY(status);
    run->data_stage = first;
    for (int64_t k = 0; k < r->micro; k++)
        JL_TRY(data_batch_create(run->data, &run->batches[k], run->err));
    data_cursor_start(run->data, &run->cursor);
    return JL_OK;
}

static struct learner_batch rows_of(const struct data_batch *from, struct learner_row *rows) {
    for (int i = 0; i < from->n_row; i++) {
        const struct data_row *row = &from->rows[i];
        rows[i] = (struct learner_row){.token = row->token,
                                       .target = row->target,
                                       .after = row->after,
                                       .seq = row->seq,
                                       .pos = row->pos,
                                       .weight = (float)row->weight};
    }
    return (struct learner_batch){rows, from->n_row, from->n_seq};
}

static enum jl_status held_out(struct run *run) {
    struct data_held held = {0};
    double sum = 0, weight = 0;
    for (;;) {
        JL_TRY(data_held_next(run->data, &held, &run->batches[0], run->err));
        if (run->batches[0].n_row == 0) break;
        const struct learner_batch batch = rows_of(&run->batches[0], run->micro_rows[0]);
        JL_TRY(learner_eval(run->learner, &batch, &loss_cross_entropy, &sum, &weight, run->err));
    }
    if (weight > 0 && run->options->watch.held_out)
        run->options->watch.held_out(run->options->watch.ctx, run->step, sum / weight,
                                     (int64_t)weight);
    return JL_OK;
}

#define SAMPLE_TOKENS 100

/* How the model goes on from the recipe's text. It is for people: a failure is told, not one of the
 * run. */
static void sample(const struct run *run) {
    const struct recipe *r = run->recipe;
    struct byte_buffer text = {0};
    struct jl_error err = {0};
    char why[sizeof err.message + 32];
    if (!r->sample || !run->options->watch.sample) return;
    const struct speak_request request = {.model = learner_model(run->learner),
                                          .backend = run->backend,
                                          .tokenizer = run->tokenizer,
                                          .ends = &run->ends,
                                          .prompt = r->sample,
                                          .seed = (uint64_t)r->seed,
                                          .n = SAMPLE_TOKENS,
                                          .cancel = run->options->cancel};
    enum jl_status status = speak_text(&request, &text, &err);
    if (status == JL_OK && !buffer_append(&text, "", 1))
        status = jl_fail(&err, JL_ERR_MEMORY, "out of memory");
    if (status == JL_OK)
        run->options->watch.sample(run->options->watch.ctx, run->step, r->sample, text.data);
    buffer_free(&text);
    if (status == JL_OK || status == JL_ERR_CANCELLED) return;
    snprintf(why, sizeof why, "there is no sample: %s", err.message);
    note(run, why);
}

/* Steps until as many rows were given as so many epochs have. */
static enum jl_status count_steps(struct run *run, double epochs, int64_t *steps) {
    const struct recipe *r = run->recipe;
    double want = epochs * (double)data_train_rows(run->data), given = 0;
    struct data_cursor cursor;
    int64_t n = 0;
    data_cursor_start(run->data, &cursor);
    for (; given < want; n++) {
        if (run->options->cancel && atomic_load(run->options->cancel))
            return jl_fail(run->err, JL_ERR_CANCELLED, "stopped before the first step");
        JL_TRY(data_next(run->data, &cursor, &run->batches[0], run->err));
        given += run->batches[0].n_row;
    }
    *steps = (n + r->micro - 1) / r->micro;
    return JL_OK;
}

/* What the recipe leaves to the data. */
static enum jl_status find_steps(struct run *run) {
    for (int i = 0; i < run->known.n_stage; i++) {
        int64_t steps = 0;
        if (run->known.stages[i].steps) continue;
        JL_TRY(open_data(run, i));
        JL_TRY(count_steps(run, run->known.stages[i].epochs, &steps));
        JL_TRY(recipe_set_steps(&run->known, i, steps, run->err));
    }
    return JL_OK;
}

/* ---- checkpoints ---- */

static void mark_of(void *ctx, int64_t stage, uint8_t out[CHECKPOINT_MARK]) {
    _Static_assert(CHECKPOINT_MARK == RECIPE_MARK, "one kind of mark");
    recipe_mark(((const struct run *)ctx)->recipe, stage, out);
}

static void torn(void *ctx, const char *message) { note(ctx, message); }

static enum jl_status save(struct run *run) {
    uint8_t mark[CHECKPOINT_MARK];
    struct checkpoint at = {.steps = run->step, .stage = run->stage, .stage_step = run->stage_step};
    at.n_cursor = data_cursor_bytes(run->data);
    at.cursor = malloc(at.n_cursor);
    if (!at.cursor) return no_memory(run);
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

/* Steps of the run before the last fresh start of the optimizer. */
static int64_t optimizer_base(const struct recipe *r, int stage) {
    int64_t base = 0, sum = 0;
    for (int i = 0; i <= stage; sum += r->stages[i++].steps)
        if (r->stages[i].restart) base = sum;
    return base;
}

static enum jl_status resume(struct run *run) {
    struct checkpoint at;
    const struct checkpoint_reader reader = {mark_of, torn, run};
    JL_TRY(checkpoint_read_newest(run->options->folder, run->learner, &reader, &at, run->err));
    if (at.steps < 0) return JL_OK;
    run->step = at.steps;
    run->stage = (int)at.stage;
    run->stage_step = at.stage_step;
    learner_restore(run->learner, run->step - optimizer_base(run->recipe, run->stage));
    enum jl_status status = open_data(run, run->stage);
    if (status == JL_OK)
        status = data_cursor_read(run->data, at.cursor, at.n_cursor, &run->cursor, run->err);
    free(at.cursor);
    return status;
}

/* ---- steps ---- */

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
    struct data_cursor cursor = run->cursor;
    double began = clock_seconds();
    for (int64_t k = 0; k < r->micro; k++) {
        JL_TRY(data_next(run->data, &cursor, &run->batches[k], run->err));
        run->micro[k] = rows_of(&run->batches[k], run->micro_rows[k]);
    }
    JL_TRY(learner_step(run->learner, run->micro, (int)r->micro, &loss_cross_entropy, report.rate,
                        run->options->cancel, &report.result, run->err));
    report.seconds = clock_seconds() - began;
    run->cursor = cursor;
    run->step++;
    run->stage_step++;
    run->done++;
    if (run->options->watch.step) run->options->watch.step(run->options->watch.ctx, &report);
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
        if (r->eval_every && run->step % r->eval_every == 0) JL_TRY(held_out(run));
        if (r->sample_every && run->step % r->sample_every == 0) sample(run);
    }
    return run->step > saved ? save(run) : JL_OK;
}

static void exported(const struct run *run, const char *path, double divergence) {
    const struct run_watch *watch = &run->options->watch;
    if (watch->exported)
        watch->exported(watch->ctx, run->recipe->stages[run->stage].name, path, divergence);
}

/* A file for each type that the recipe names. */
static enum jl_status write_gguf(struct run *run, const char *folder) {
    char types[256], path[4096], *rest = types;
    double divergence;
    snprintf(types, sizeof types, "%s", run->recipe->gguf ? run->recipe->gguf : "");
    for (char *type; (type = strtok_r(rest, " ,", &rest));) {
        snprintf(path, sizeof path, "%s-%s.gguf", folder, type);
        JL_TRY(publish_gguf(folder, type, path, run->backend, run->pool, &divergence, run->err));
        exported(run, path, divergence);
    }
    return JL_OK;
}

/* The whole model; or the adapter and, where that is asked for, the base with it. */
static enum jl_status write_model(struct run *run, const char *path) {
    const struct recipe *r = run->recipe;
    char merged[4096];
    if (!r->lora_rank) {
        JL_TRY(publish_folder(run->learner, run->backend, run->pool, path, run->err));
        exported(run, path, 0);
        return write_gguf(run, path);
    }
    JL_TRY(publish_adapter(run->learner, run->start, run->backend, path, run->err));
    exported(run, path, 0);
    if (!r->lora_merge) return JL_OK;
    snprintf(merged, sizeof merged, "%s-merged", path);
    JL_TRY(publish_merged(run->learner, run->start, r->work, run->pool, merged, run->err));
    return write_gguf(run, merged);
}

static enum jl_status end_stage(struct run *run) {
    const char *name = run->recipe->stages[run->stage].name;
    char *path = file_path_in(run->options->folder, name);
    if (!path) return no_memory(run);
    enum jl_status status = held_out(run);
    if (status == JL_OK) sample(run);
    if (status == JL_OK) status = write_model(run, path);
    free(path);
    return status;
}

static enum jl_status stages(struct run *run) {
    const struct recipe *r = run->recipe;
    bool stopped;
    JL_TRY(resume(run));
    if (run->options->watch.begin)
        run->options->watch.begin(run->options->watch.ctx, run->learner, run->step);
    for (; run->stage < r->n_stage; run->stage++, run->stage_step = 0) {
        JL_TRY(open_data(run, run->stage));
        if (run->stage_step == 0 && r->stages[run->stage].restart) learner_forget(run->learner);
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
    enum jl_status status = make_folder(&run, options->folder);
    if (status == JL_OK) status = lock_folder(&run);
    if (status == JL_OK) status = find_start(&run);
    if (status == JL_OK) status = open_learner(&run);
    if (status == JL_OK) status = keep_recipe(&run);
    if (status == JL_OK) status = find_steps(&run);
    if (status == JL_OK) status = stages(&run);
    free_data(&run);
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
