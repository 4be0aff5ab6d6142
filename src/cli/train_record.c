#include "cli/train_record.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/file.h"
#include "cli/cli.h"

char *train_record_path(void) {
    const char *own = env_get(ENV_RUNS), *data = env_get(ENV_XDG_DATA), *home;
    char path[PATH_MAX];
    int n = -1;
    if (own) return strcmp(own, "none") ? strdup(own) : NULL;
    home = env_get(ENV_USER_HOME);
    if (data && data[0] == '/')
        n = snprintf(path, sizeof path, "%s/jinlin/runs.db", data);
    else if (home)
        n = snprintf(path, sizeof path, "%s/.local/share/jinlin/runs.db", home);
    return n > 0 && n < (int)sizeof path ? strdup(path) : NULL;
}

/* "a/b/fry.recipe.run" is called "fry.recipe". */
static void name_of(const char *folder, char *out, size_t size) {
    const char *slash = strrchr(folder, '/'), *name = slash ? slash + 1 : folder;
    snprintf(out, size, "%.*s", (int)size - 1, name);
    size_t n = strlen(out);
    if (n > 4 && !strcmp(out + n - 4, ".run")) out[n - 4] = 0;
}

static void mark_text(const struct recipe *recipe, int stage, char out[2 * RECIPE_MARK + 1]) {
    uint8_t mark[RECIPE_MARK];
    recipe_mark(recipe, stage, mark);
    for (int i = 0; i < RECIPE_MARK; i++)
        snprintf(out + 2 * i, 3, "%02x", mark[i]);
}

void train_record_begin(struct train_record *record, const struct recipe *recipe,
                        const char *folder, struct backend *backend, const struct learner *learner,
                        int64_t steps_done) {
    const struct model *model = learner_model(learner);
    char path[PATH_MAX], name[NAME_MAX + 1], class[CLASS_NAME_BYTES], cpu[CLI_CPU_NAME_BYTES];
    char texts[RECIPE_MOST_STAGES][2 * RECIPE_MARK + 1];
    const char *marks[RECIPE_MOST_STAGES];
    record->recipe = recipe;
    record->peak = peak_rate_measure(backend, recipe->work == DTYPE_BF16 && model->cls.act_bf16);
    if (!record->metrics) return;
    if (!realpath(folder, path)) snprintf(path, sizeof path, "%s", folder);
    name_of(path, name, sizeof name);
    class_name(&model->cls, class);
    cli_cpu_name(cpu);
    for (int i = 0; i < recipe->n_stage; i++) {
        mark_text(recipe, i, texts[i]);
        marks[i] = texts[i];
    }
    const struct metrics_run run = {
        .folder = path,
        .name = name,
        .marks = marks,
        .n_mark = recipe->n_stage,
        .recipe = recipe->text,
        .family = model->family->name,
        .class = class,
        .n_param = learner_n_param(learner),
        .n_active = learner_n_active(learner),
        .n_step = recipe_steps(recipe),
        .threads = backend_threads(backend),
        .level = backend_level(backend),
        .cpu = cpu,
        .version = JINLIN_VERSION,
        .peak = record->peak.rate,
        .peak_form = record->peak.form,
    };
    metrics_begin(record->metrics, &run, steps_done);
}

double train_record_share(const struct train_record *record, const struct run_step *step) {
    if (!(record->peak.rate > 0) || !(step->seconds > 0)) return (double)NAN;
    double ops = 6.0 * (double)learner_n_active(step->learner) * (double)step->result.n_row;
    return ops / step->seconds / record->peak.rate;
}

static void record_reward(struct train_record *record, const struct run_step *step) {
    const struct rl_report *r = step->rl;
    const struct metrics_reward row = {
        .reward = r->reward,
        .deviation = r->deviation,
        .right = r->right,
        .alike = r->silent,
        .cut = r->truncated,
        .clipped = r->n_checked ? r->clipped : (double)NAN,
        .length = r->length,
        .entropy = r->n_checked ? r->entropy : (double)NAN,
        .kl = record->recipe->grpo_kl > 0 && r->n_checked ? r->kl : (double)NAN,
        .difference = r->difference,
        .drawn = (double)r->n_token / r->draw_seconds,
        .learned = r->n_row ? (double)r->n_row / r->learn_seconds : (double)NAN,
    };
    char parts[1024] = "{";
    size_t at = 1;
    for (int i = 0; i < record->recipe->n_reward && at < sizeof parts - 2; i++)
        at += (size_t)snprintf(parts + at, sizeof parts - at, "%s\"%.40s\": %.6g", i ? ", " : "",
                               record->recipe->rewards[i].kind, r->parts[i]);
    if (at > sizeof parts - 2) at = sizeof parts - 2;
    snprintf(parts + at, sizeof parts - at, "}");
    metrics_reward(record->metrics, step->step, &row, parts);
}

void train_record_step(struct train_record *record, const struct run_step *step) {
    const struct hparams *hp = &learner_model(step->learner)->hp;
    record->load = 0;
    for (int layer = 0; layer <= hp->n_layer; layer++) {
        const int64_t *load = learner_load(step->learner, layer);
        if (!load) continue;
        double most = metrics_load_of(load, hp->n_expert).max;
        record->load = most > record->load ? most : record->load;
        if (record->metrics) metrics_load(record->metrics, step->step, layer, load, hp->n_expert);
    }
    if (!record->metrics) return;
    const struct metrics_step row = {
        .step = step->step,
        .rows = step->result.n_row,
        .stage = step->stage,
        .loss = step->result.loss,
        .mtp_loss = step->result.mtp_loss > 0 ? step->result.mtp_loss : (double)NAN,
        .norm = step->result.norm,
        .rate = (double)step->rate,
        .seconds = step->seconds,
        .share = train_record_share(record, step),
    };
    metrics_step(record->metrics, &row);
    if (step->rl) record_reward(record, step);
}
