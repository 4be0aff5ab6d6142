/* What the stages of a run learn from. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/run/self.h"

/* Stages without sources of their own go on in the data of those before, unless all begins again.
 */
static int data_stage_of(const struct recipe *r, int stage) {
    while (stage > 0 && r->stages[stage].restart_id != RESTART_WEIGHTS &&
           r->stages[stage].sources == r->stages[stage - 1].sources)
        stage--;
    return stage;
}

void run_free_data(struct run *run) {
    for (int64_t k = 0; run->batches && k < run->recipe->micro; k++)
        data_batch_free(&run->batches[k]);
    data_free(run->data);
    run->data = NULL;
    run->data_stage = -1;
}

enum jl_status run_open_data(struct run *run, int stage) {
    const struct recipe *r = run->recipe;
    int first = data_stage_of(r, stage);
    if (run->rl || run->data_stage == first) return JL_OK;
    run_free_data(run);
    char *cache = r->cache ? strdup(r->cache) : file_path_in(run->options->folder, "cache");
    if (!cache) return run_no_memory(run);
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

struct learner_batch run_rows_of(const struct data_batch *from, struct learner_row *rows) {
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

enum jl_status run_held_out(struct run *run) {
    struct data_held held = {0};
    double sum = 0, weight = 0;
    while (!run->rl) { // whose held-out tasks are `jinlin eval`'s
        JL_TRY(data_held_next(run->data, &held, &run->batches[0], run->err));
        if (run->batches[0].n_row == 0) break;
        const struct learner_batch batch = run_rows_of(&run->batches[0], run->micro_rows[0]);
        JL_TRY(learner_eval(run->learner, &batch, &loss_cross_entropy, &sum, &weight, run->err));
    }
    if (weight > 0 && run->options->watch.held_out)
        run->options->watch.held_out(run->options->watch.ctx, run->step, sum / weight,
                                     (int64_t)weight);
    return JL_OK;
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

/* What the recipe leaves to the data. Stages that were carried out elsewhere count none. */
enum jl_status run_find_steps(struct run *run) {
    for (int i = run->first_stage; i < run->known.n_stage; i++) {
        int64_t steps = 0;
        if (run->known.stages[i].steps) continue;
        if (run->rl) {
            JL_TRY(run_find_rl_steps(run, i));
            continue;
        }
        JL_TRY(run_open_data(run, i));
        JL_TRY(count_steps(run, run->known.stages[i].epochs, &steps));
        JL_TRY(recipe_set_steps(&run->known, i, steps, run->err));
    }
    return JL_OK;
}
