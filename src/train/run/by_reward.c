/* A run whose recipe has [grpo]: tasks in the place of data. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "train/run/self.h"

static struct rl_options options_of(const struct recipe *r) {
    return (struct rl_options){
        .tasks = r->tasks,
        .n_tasks = r->n_tasks,
        .data = r->grpo_tables,
        .rewards = r->rewards,
        .n_reward = r->n_reward,
        .n_prompt = (int)r->grpo_prompts,
        .n_group = (int)r->grpo_group,
        .max_tokens = (int)r->grpo_max_tokens,
        .n_parallel = (int)r->grpo_parallel,
        .n_redraw = (int)r->grpo_redraw,
        .n_pass = (int)r->grpo_passes,
        .n_update = (int)r->grpo_updates,
        .rows = (int)r->rows,
        .policy = {.temperature = r->grpo_temperature,
                   .clip_low = r->grpo_clip_low,
                   .clip_high = r->grpo_clip_high,
                   .kl = r->grpo_kl,
                   .entropy = r->grpo_entropy},
        .scale = r->grpo_scale_id,
        .share = r->grpo_share_id,
        .overlong = r->grpo_overlong_id,
        .seed = (uint64_t)r->seed,
    };
}

enum jl_status run_open_rl(struct run *run) {
    const struct model *model = learner_model(run->learner);
    struct rl_options options = options_of(run->recipe);
    options.drawn = run->options->watch.drawn;
    options.ctx = run->options->watch.ctx;
    end_tokens_find(model->file, run->tokenizer, model->hp.n_vocab, &run->text_ends);
    run->cls = (struct class_request){run->recipe->act, run->recipe->kv};
    const struct rl_model who = {.learner = run->learner,
                                 .backend = run->backend,
                                 .pool = run->pool,
                                 .tokenizer = run->tokenizer,
                                 .form = &run->form,
                                 .ends = &run->text_ends,
                                 .turns = &run->ends,
                                 .start = run->start,
                                 .cls = &run->cls};
    return rl_open(&who, &options, &run->rl, run->err);
}

/* So many times through all tasks. */
enum jl_status run_find_rl_steps(struct run *run, int stage) {
    double tasks = run->known.stages[stage].epochs * (double)rl_n_task(run->rl);
    int64_t a_step = run->recipe->grpo_prompts;
    return recipe_set_steps(&run->known, stage, ((int64_t)tasks + a_step - 1) / a_step, run->err);
}

/* ---- warnings ---- */

#define MUTE_STEPS 5 // in a row without anything to learn
#define FLAT 0.02    // nats of entropy a token

/* What people should look at before they spend more time on it. Each is told when it begins. */
static void warn(struct run *run, const struct rl_report *r) {
    char text[240];
    bool mute = r->silent >= 1, flat = r->n_checked && r->entropy < FLAT;
    run->n_mute = mute ? run->n_mute + 1 : 0;
    if (run->n_mute == MUTE_STEPS)
        run_note(
            run,
            r->reward > 0 && r->right >= 0.999
                ? "nothing is learned any more: all answers are right. Harder tasks are next"
                : "nothing is learned: for some steps all answers of each group were worth the "
                  "same. Easier tasks, more answers a group, or a reward with steps between "
                  "would give a signal");
    if (flat && !run->was_flat)
        run_note(run,
                 "the answers hardly vary any more (entropy below 0.02 nats a token): little else "
                 "will be found. A higher clip_high, an entropy bonus or a lower rate keeps them "
                 "open");
    run->was_flat = flat;
    bool cut = r->truncated > 0.3;
    if (cut && !run->was_cut) {
        snprintf(
            text, sizeof text,
            "%.0f %% of the answers were cut off at max_tokens: longer ones are not seen to their "
            "end",
            100 * r->truncated);
        run_note(run, text);
    }
    run->was_cut = cut;
    if (run->best_right < r->right) run->best_right = r->right;
    bool gamed = r->right < 0.5 * run->best_right && r->reward > run->reward_at_best + 0.1;
    if (r->right >= run->best_right) run->reward_at_best = r->reward;
    if (gamed && !run->was_gamed)
        run_note(run,
                 "the reward grows while fewer answers are right by the tasks' own checks: look at "
                 "the samples, the reward may be gamed");
    run->was_gamed = gamed;
}

/* ---- steps ---- */

enum jl_status run_rl_step(struct run *run, struct run_step *report) {
    struct rl_report *said = &run->said;
    int64_t cursor = run->rl_cursor;
    double began = clock_seconds();
    JL_TRY(rl_step(run->rl, report->step, &cursor, report->rate, run->options->cancel, said,
                   run->err));
    run->rl_cursor = cursor;
    report->seconds = clock_seconds() - began;
    report->result = (struct step_result){
        .loss = said->loss, .norm = said->norm, .n_row = said->n_row, .n_loss = said->n_checked};
    report->rl = said;
    warn(run, said);
    return JL_OK;
}

#define SHOW_EVERY 20 // steps, unless the recipe says sample_every

void run_show_answers(const struct run *run) {
    const struct rl_report *r = &run->said;
    int64_t every = run->recipe->sample_every ? run->recipe->sample_every : SHOW_EVERY;
    char *text;
    if (!run->options->watch.sample || !r->prompt || !r->best || !r->worst ||
        (run->done != 1 && run->step % every != 0) ||
        asprintf(&text, "\n[%.3g] %s\n[%.3g] %s", r->best_reward, r->best, r->worst_reward,
                 r->worst) < 0)
        return;
    run->options->watch.sample(run->options->watch.ctx, run->step, r->prompt, text);
    free(text);
}

/* Tasks drawn, and moves of the weights: several may be of one step. */
void run_rl_cursor_write(const struct run *run, uint8_t out[RUN_RL_CURSOR]) {
    const uint64_t values[] = {(uint64_t)run->rl_cursor, (uint64_t)learner_steps(run->learner)};
    for (int i = 0; i < RUN_RL_CURSOR; i++)
        out[i] = (uint8_t)(values[i / 8] >> 8 * (i % 8));
}

enum jl_status run_rl_cursor_read(struct run *run, const uint8_t *bytes, size_t n) {
    uint64_t values[2] = {0};
    for (size_t i = 0; i < n && i < RUN_RL_CURSOR; i++)
        values[i / 8] |= (uint64_t)bytes[i] << 8 * (i % 8);
    if (n != RUN_RL_CURSOR || values[0] > INT64_MAX || values[1] > INT64_MAX)
        return jl_fail(run->err, JL_ERR_FORMAT,
                       "the checkpoint is of a run that did not learn by reward");
    run->rl_cursor = (int64_t)values[0];
    learner_restore(run->learner, (int64_t)values[1]);
    return JL_OK;
}
