/* The tasks of a step, answers to each, and what they are worth. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "train/data/order.h"
#include "train/rl/self.h"

#define ROWS 128 // of a pass, at least

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the answers of a step");
}

/* ---- which tasks ---- */

/* The k-th task of the run: all in an order of their own, then all in another. */
static int64_t index_at(const struct rl *rl, int64_t k) {
    const struct rng_key key = {
        .seed = rl->options.seed, .sequence = (uint32_t)(k / rl->tasks.n), .purpose = RNG_SHUFFLE};
    return (int64_t)data_order(&key, (uint64_t)rl->tasks.n, (uint64_t)(k % rl->tasks.n));
}

/* ---- drawing ---- */

static struct sample_params params_of(const struct rl *rl) {
    struct sample_params params = sample_params_default();
    params.temperature = rl->options.policy.temperature;
    return params;
}

/* Rounds of a step draw from streams of their own. */
static uint64_t seed_of(const struct rl *rl, int64_t number, int round) {
    const struct rng_key key = {.seed = rl->options.seed,
                                .sequence = (uint32_t)number,
                                .position = (uint32_t)round,
                                .purpose = RNG_SAMPLE};
    uint32_t words[4];
    rng_block(&key, 0, words);
    return (uint64_t)words[0] << 32 | words[1];
}

/* Copies: the number of a task in the list is what tells its draws apart from those of its like. */
static enum jl_status take_tasks(struct rl *rl, struct round *round, int n, int64_t *cursor,
                                 struct jl_error *err) {
    round->tasks = calloc((size_t)n, sizeof *round->tasks);
    round->results = calloc((size_t)n, sizeof *round->results);
    round->index = calloc((size_t)n, sizeof *round->index);
    if (!round->tasks || !round->results || !round->index) return no_memory(err);
    round->n_task = n;
    for (int i = 0; i < n; i++) {
        round->index[i] = index_at(rl, (*cursor)++);
        round->tasks[i] = rl->tasks.tasks[round->index[i]];
        round->tasks[i].again = i;
    }
    return JL_OK;
}

static enum jl_status answer_round(struct rl *rl, struct round *round, uint64_t seed,
                                   const atomic_bool *cancel, struct jl_error *err) {
    const struct sample_params params = params_of(rl);
    const struct rl_options *o = &rl->options;
    int n_answer = round->n_task * o->n_group;
    const struct eval_options options = {
        .params = &params,
        .seed = seed,
        .n_sample = o->n_group,
        .n_parallel = o->n_parallel && o->n_parallel < n_answer ? o->n_parallel : n_answer,
        .record = true,
        .cancel = cancel};
    const struct eval_tasks tasks = {.tasks = round->tasks, .n = round->n_task};
    struct eval_model model = {.backend = rl->model.backend,
                               .pool = rl->model.pool,
                               .tokenizer = rl->model.tokenizer,
                               .form = rl->model.form,
                               .ends = rl->model.ends,
                               .turns = rl->model.turns};
    struct eval_totals totals;
    int rows = options.n_parallel + options.n_parallel / o->n_group + 2;
    JL_TRY(exec_create(learner_model(rl->model.learner), rl->model.backend,
                       rows > ROWS ? rows : ROWS, &model.exec, err));
    enum jl_status status = eval_run(&model, &tasks, &options, round->results, &totals, err);
    exec_free(model.exec);
    return status;
}

/* ---- judging ---- */

static bool was_cut(const struct eval_answer *answer) {
    return answer->finish == GENERATE_LENGTH || answer->finish == GENERATE_CONTEXT;
}

/* DAPO's: nothing up to four fifths of the room, then ever more, 1 when it is full. */
static double length_cost(const struct rl *rl, const struct rollout *rollout) {
    double room = rollout->task->line.max_tokens, free = 0.8 * room;
    double over = (rollout->answer->n_token - free) / (room - free);
    return rl->options.overlong != RL_OVERLONG_PUNISH || over < 0 ? 0 : over > 1 ? 1 : over;
}

/* Advantages of the group that begins at `first`. */
static bool weigh_group(struct rl *rl, struct rollout *first, double *rewards, double *advantages) {
    int n = rl->options.n_group;
    for (int i = 0; i < n; i++)
        rewards[i] = first[i].reward;
    bool differ = advantage_of(rewards, n, rl->options.scale, advantages);
    for (int i = 0; i < n; i++) {
        first[i].advantage = advantages[i];
        first[i].silent = !differ;
    }
    return differ;
}

/* The rollouts of a round at `to`, groups together; *n_differ: groups that teach something. */
static enum jl_status judge_round(struct rl *rl, const struct round *round, struct rollout *to,
                                  double *parts, int *n_differ, const atomic_bool *cancel,
                                  struct jl_error *err) {
    int n_group = rl->options.n_group, n = round->n_task * n_group;
    struct reward_answer *answers = calloc((size_t)n, sizeof *answers);
    double *sums = calloc((size_t)n + 2 * (size_t)n_group, sizeof *sums);
    enum jl_status status = answers && sums ? JL_OK : no_memory(err);
    for (int i = 0; status == JL_OK && i < n; i++)
        answers[i] = (struct reward_answer){&rl->tasks.tasks[round->index[i / n_group]],
                                            &round->results[i / n_group].answers[i % n_group]};
    if (status == JL_OK) status = reward_judge(rl->rewards, answers, n, parts, sums, cancel, err);
    for (int i = 0; status == JL_OK && i < n; i++) {
        to[i] = (struct rollout){.task = &round->tasks[i / n_group],
                                 .result = &round->results[i / n_group],
                                 .answer = answers[i].answer,
                                 .parts = parts + (size_t)i * (size_t)rl->options.n_reward,
                                 .cut = was_cut(answers[i].answer)};
        to[i].reward = sums[i] - length_cost(rl, &to[i]);
    }
    *n_differ = 0;
    for (int g = 0; status == JL_OK && g < round->n_task; g++)
        *n_differ +=
            weigh_group(rl, to + (size_t)g * (size_t)n_group, sums + n, sums + n + n_group);
    free(answers);
    free(sums);
    return status;
}

/* ---- what is told ---- */

static void report_all(const struct rl *rl, const struct rollout *all, int n,
                       struct rl_report *report) {
    double square = 0;
    report->n_answer += n;
    for (int i = 0; i < n; i++) {
        const struct rollout *one = &all[i];
        report->reward += one->reward;
        report->right += one->answer->right;
        report->silent += one->silent;
        report->length += one->answer->n_token;
        report->truncated += one->cut;
        report->n_token += one->answer->n_id;
        for (int p = 0; p < rl->options.n_reward; p++)
            report->parts[p] += one->parts[p];
        square += one->reward * one->reward;
    }
    report->deviation += square;
}

static void finish_report(const struct rl *rl, struct rl_report *report) {
    double n = (double)report->n_answer;
    report->reward /= n;
    report->right /= n;
    report->silent /= n;
    report->length /= n;
    report->truncated /= n;
    for (int p = 0; p < rl->options.n_reward; p++)
        report->parts[p] /= n;
    double variance = report->deviation / n - report->reward * report->reward;
    report->deviation = variance > 0 ? sqrt(variance) : 0;
}

/* The question of a task as people read it: the last message, or the prompt. */
static char *question_of(const struct eval_task *task) {
    const struct eval_line *line = &task->line;
    size_t n = line->messages ? json_array_size(line->messages) : 0;
    const json_t *content =
        n ? json_object_get(json_array_get(line->messages, n - 1), "content") : NULL;
    if (json_is_string(content)) return strdup(json_string_value(content));
    return line->prompt ? strndup(line->prompt, line->n_prompt) : strdup("");
}

/* The thought, where there is one, and the answer. */
static char *words_of(const struct eval_answer *answer) {
    size_t n = answer->n_thought + answer->n_text + 2;
    char *out = malloc(n);
    if (!out) return NULL;
    memcpy(out, answer->n_thought ? answer->thought : "", answer->n_thought);
    out[answer->n_thought] = '\n';
    size_t at = answer->n_thought ? answer->n_thought + 1 : 0;
    memcpy(out + at, answer->text, answer->n_text + 1);
    return out;
}

/* The first group whose answers differ, or the last of all. Lack of memory: nothing is shown. */
static void show_group(struct rl *rl, struct rl_report *report) {
    const struct rollout *group = rl->rollouts, *best = NULL, *worst = NULL;
    if (!rl->n_rollout) return;
    for (int i = 0; i < rl->n_rollout && group->silent; i += rl->options.n_group)
        group = &rl->rollouts[i];
    for (int i = 0; i < rl->options.n_group; i++) {
        if (!best || group[i].reward > best->reward) best = &group[i];
        if (!worst || group[i].reward < worst->reward) worst = &group[i];
    }
    report->prompt = rl->texts[0] = question_of(best->task);
    report->best = rl->texts[1] = words_of(best->answer);
    report->worst = rl->texts[2] = words_of(worst->answer);
    report->best_reward = best->reward;
    report->worst_reward = worst->reward;
}

/* ---- all ---- */

void rl_forget(struct rl *rl) {
    for (int r = 0; r < rl->n_round; r++) {
        eval_results_free(rl->rounds[r].results, rl->rounds[r].n_task);
        free(rl->rounds[r].tasks);
        free(rl->rounds[r].index);
        free(rl->rounds[r].parts);
    }
    for (int i = 0; i < rl->n_rollout; i++)
        free(rl->rollouts[i].reference);
    for (int i = 0; i < 3; i++)
        free(rl->texts[i]);
    free(rl->rollouts);
    memset(rl->rounds, 0, sizeof rl->rounds);
    memset(rl->texts, 0, sizeof rl->texts);
    rl->n_round = rl->n_rollout = 0;
    rl->rollouts = NULL;
}

/* Room for one round more behind the rollouts that stay. */
static enum jl_status grow(struct rl *rl, int n, struct jl_error *err) {
    size_t all = (size_t)(rl->n_rollout + n);
    struct rollout *rollouts = realloc(rl->rollouts, all * sizeof *rollouts);
    if (!rollouts) return no_memory(err);
    rl->rollouts = rollouts;
    return JL_OK;
}

/* Groups that are all alike make room for others. */
static int keep_differing(struct rl *rl, struct rollout *from, int n_task) {
    int n_group = rl->options.n_group, kept = 0;
    for (int g = 0; g < n_task; g++) {
        struct rollout *group = from + (size_t)g * (size_t)n_group;
        if (group->silent) continue;
        memmove(from + (size_t)kept * (size_t)n_group, group, (size_t)n_group * sizeof *group);
        kept++;
    }
    return kept;
}

static enum jl_status draw_round(struct rl *rl, int n_task, uint64_t seed, int64_t *cursor,
                                 const atomic_bool *cancel, struct rl_report *report,
                                 struct jl_error *err) {
    struct round *round = &rl->rounds[rl->n_round++];
    int n = n_task * rl->options.n_group, n_differ;
    JL_TRY(take_tasks(rl, round, n_task, cursor, err));
    double began = clock_seconds();
    JL_TRY(answer_round(rl, round, seed, cancel, err));
    double drawn = clock_seconds();
    round->parts = calloc((size_t)n * (size_t)rl->options.n_reward, sizeof *round->parts);
    if (!round->parts) return no_memory(err);
    JL_TRY(grow(rl, n, err));
    struct rollout *to = rl->rollouts + rl->n_rollout;
    JL_TRY(judge_round(rl, round, to, round->parts, &n_differ, cancel, err));
    report->draw_seconds += drawn - began;
    report->judge_seconds += clock_seconds() - drawn;
    report->n_task += n_task;
    report_all(rl, to, n, report);
    rl->n_rollout +=
        rl->options.n_redraw ? keep_differing(rl, to, n_task) * rl->options.n_group : n;
    return JL_OK;
}

enum jl_status rl_draw(struct rl *rl, int64_t number, int64_t *cursor, const atomic_bool *cancel,
                       struct rl_report *report, struct jl_error *err) {
    int n_group = rl->options.n_group;
    for (int r = 0; r <= rl->options.n_redraw; r++) {
        int wanted = rl->options.n_prompt - rl->n_rollout / n_group;
        if (wanted <= 0) break;
        JL_TRY(draw_round(rl, wanted, seed_of(rl, number, r), cursor, cancel, report, err));
    }
    finish_report(rl, report);
    show_group(rl, report);
    return JL_OK;
}
