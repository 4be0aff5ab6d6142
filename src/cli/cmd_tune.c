/* tune: a model, taught what files of examples show, or what rewards ask for. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/train_screen.h"
#include "model/model.h"
#include "text/buffer.h"
#include "train/run/tune.h"

struct tune_command {
    const char *args[2]; // the model; the recipe of --method grpo
    const char *folder, *method, *epochs, *rate, *holdout, *seed, *dtype, *alpha, *roles;
    struct cli_list data;
    int steps, rows, seq_len, warmup, rank;
    bool merge;
    struct train_screen_options run;

    struct tune_options options;
    struct tune_source sources[CLI_LIST_MAX];
    char *paths[CLI_LIST_MAX]; // heap, of the sources
    char *start;               // heap
};

/* ---- options ---- */

static enum jl_status read_real(const char *option, const char *text, double most, double *out,
                                struct jl_error *err) {
    char *end;
    if (!text) return JL_OK;
    *out = strtod(text, &end);
    if (end != text && !*end && *out > 0 && *out <= most) return JL_OK;
    return jl_fail(err, JL_ERR_USAGE, "option %s takes a number above 0, at most %g, not '%s'",
                   option, most, text);
}

static enum jl_status absolute(const char *path, char **out, struct jl_error *err) {
    *out = realpath(path, NULL);
    return *out ? JL_OK : jl_fail(err, JL_ERR_IO, "%s: %s", path, strerror(errno));
}

/* "FILE@WEIGHT", unless there is a file of that whole name. */
static enum jl_status add_source(struct tune_command *c, const char *name, struct jl_error *err) {
    int i = c->options.n_source;
    const char *mark = file_exists(name) ? NULL : strrchr(name, '@');
    char path[PATH_MAX];
    c->sources[i].weight = 1;
    if (mark && mark > name)
        JL_TRY(read_real("--data FILE@WEIGHT", mark + 1, 1e9, &c->sources[i].weight, err));
    int n = mark && mark > name ? (int)(mark - name) : (int)strlen(name);
    if (n >= (int)sizeof path) return jl_fail(err, JL_ERR_USAGE, "a path of %d bytes", n);
    snprintf(path, sizeof path, "%.*s", n, name);
    JL_TRY(absolute(path, &c->paths[i], err));
    c->sources[i].path = c->paths[i];
    c->options.n_source++;
    return JL_OK;
}

#define USUAL_RANK 16

static enum jl_status read_method(struct tune_command *c, struct jl_error *err) {
    bool lora = c->method && !strcmp(c->method, "lora");
    if (c->method && !lora && strcmp(c->method, "sft") != 0)
        return jl_fail(err, JL_ERR_USAGE, "--method takes sft, lora or grpo, not '%s'", c->method);
    if (c->args[1])
        return jl_fail(err, JL_ERR_USAGE, "a recipe beside the model is of --method grpo: '%s'",
                       c->args[1]);
    if (!lora && (c->rank || c->alpha || c->roles || c->merge))
        return jl_fail(err, JL_ERR_USAGE,
                       "--rank, --alpha, --roles and --merge are of --method lora");
    if (!lora) return JL_OK;
    c->options.lora_rank = c->rank ? c->rank : USUAL_RANK;
    c->options.roles = c->roles;
    c->options.merge = c->merge;
    return read_real("--alpha", c->alpha, 1e6, &c->options.lora_alpha, err);
}

static enum jl_status read_options(struct tune_command *c, struct jl_error *err) {
    char *end;
    JL_TRY(read_method(c, err));
    if (!c->folder) return jl_fail(err, JL_ERR_USAGE, "say where to: -o FOLDER");
    if (!c->data.n) return jl_fail(err, JL_ERR_USAGE, "say what to learn from: --data FILE.jsonl");
    if (c->steps && c->epochs)
        return jl_fail(err, JL_ERR_USAGE, "--steps and --epochs: give one of the two");
    if (c->dtype && strcmp(c->dtype, "bf16") != 0 && strcmp(c->dtype, "f32") != 0)
        return jl_fail(err, JL_ERR_USAGE, "--dtype takes bf16 or f32, not '%s'", c->dtype);
    JL_TRY(read_real("--epochs", c->epochs, 1e6, &c->options.epochs, err));
    JL_TRY(read_real("--rate", c->rate, 100, &c->options.rate, err));
    JL_TRY(read_real("--holdout", c->holdout, 0.5, &c->options.holdout, err));
    c->options.seed = 1;
    if (c->seed) {
        errno = 0;
        c->options.seed = strtoull(c->seed, &end, 10);
        if (*c->seed < '0' || *c->seed > '9' || *end || errno ||
            c->options.seed > 9000000000000000u)
            return jl_fail(err, JL_ERR_USAGE,
                           "option --seed takes a whole number up to 9e15, not '%s'", c->seed);
    }
    for (int i = 0; i < c->data.n; i++)
        JL_TRY(add_source(c, c->data.items[i], err));
    c->options.sources = c->sources;
    c->options.steps = c->steps;
    c->options.rows = c->rows;
    c->options.seq_len = c->seq_len;
    c->options.warmup = c->warmup;
    return JL_OK;
}

/* ---- the model ---- */

/* Its size, context and type decide what is not said. */
static enum jl_status look_at_model(struct tune_command *c, struct jl_error *err) {
    const struct class_request request = {NULL, NULL};
    struct model *model;
    JL_TRY(absolute(c->args[0], &c->start, err));
    JL_TRY(model_load(c->start, &request, &model, err));
    for (size_t i = 0; i < model->file->n_tensor; i++) {
        const struct tensor_info *tensor = &model->file->tensors[i];
        int64_t n = 1;
        for (int k = 0; k < tensor->n_dim; k++)
            n *= tensor->dim[k];
        c->options.n_param += n;
    }
    c->options.model = c->start;
    c->options.n_ctx = model->hp.n_ctx_train;
    c->options.dtype = c->dtype                                                     ? c->dtype
                       : model_weight(model, ROLE_TOK_EMBD, -1)->dtype == DTYPE_F32 ? "f32"
                                                                                    : "bf16";
    model_free(model);
    return JL_OK;
}

static enum jl_status tune(struct tune_command *c, struct jl_error *err) {
    struct recipe recipe;
    char *path = file_path_in(c->folder, "recipe");
    if (!path) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a path");
    enum jl_status status = look_at_model(c, err);
    if (status == JL_OK) status = tune_recipe(&c->options, path, &recipe, err);
    if (status == JL_OK) {
        c->run.folder = c->folder;
        status = train_screen_run(&recipe, &c->run, err);
        recipe_free(&recipe);
    }
    free(path);
    if (status == JL_OK && c->options.lora_rank)
        printf("the recipe is in %s/recipe; to talk with the model: jinlin chat %s --adapter "
               "%s/" TUNE_STAGE "\n",
               c->folder, c->args[0], c->folder);
    else if (status == JL_OK)
        printf("the recipe is in %s/recipe; to talk with the model: jinlin chat %s/" TUNE_STAGE
               "\n",
               c->folder, c->folder);
    return status;
}

/* ---- by reward ---- */

#define MOST_RECIPE (1 << 20) // bytes

/* The recipe with the model in it, at its end, so that lines keep their numbers. */
static enum jl_status read_grpo(struct tune_command *c, struct recipe *out, struct jl_error *err) {
    struct byte_buffer text = {0};
    char *read;
    size_t size;
    JL_TRY(absolute(c->args[0], &c->start, err));
    JL_TRY(file_read(c->args[1], MOST_RECIPE, &read, &size, err));
    bool fits = buffer_append(&text, read, strlen(read)) &&
                buffer_append(&text, "\n[model]\nstart = ", 17) &&
                buffer_append(&text, c->start, strlen(c->start)) && buffer_append(&text, "\n", 2);
    enum jl_status status =
        strlen(read) != size
            ? jl_fail(err, JL_ERR_FORMAT, "%s: a zero byte stands in it: no recipe", c->args[1])
        : fits ? recipe_parse(text.data, c->args[1], out, err)
               : jl_fail(err, JL_ERR_MEMORY, "out of memory for a recipe");
    buffer_free(&text);
    free(read);
    if (status != JL_OK || out->grpo) return status;
    recipe_free(out);
    return jl_fail(err, JL_ERR_FORMAT, "%s: there is no [grpo] in it (docs/grpo.md)", c->args[1]);
}

static enum jl_status learn_by_reward(struct tune_command *c, struct jl_error *err) {
    struct recipe recipe;
    char folder[PATH_MAX];
    if (!c->args[1])
        return jl_fail(err, JL_ERR_USAGE, "say how: jinlin tune MODEL --method grpo RECIPE");
    if (c->data.n || c->steps || c->epochs || c->rate || c->rows || c->seq_len || c->dtype ||
        c->holdout || c->seed || c->warmup >= 0 || c->rank || c->alpha || c->roles || c->merge)
        return jl_fail(err, JL_ERR_USAGE,
                       "with --method grpo the recipe says all but -o, --threads and --quiet");
    snprintf(folder, sizeof folder, "%s.run", c->args[1]);
    c->run.folder = c->folder ? c->folder : folder;
    JL_TRY(read_grpo(c, &recipe, err));
    enum jl_status status = train_screen_run(&recipe, &c->run, err);
    if (status == JL_OK && recipe.lora_rank)
        printf("to talk with the model: jinlin chat %s --adapter %s/%s\n", c->args[0],
               c->run.folder, recipe.stages[recipe.n_stage - 1].name);
    else if (status == JL_OK)
        printf("to talk with the model: jinlin chat %s/%s\n", c->run.folder,
               recipe.stages[recipe.n_stage - 1].name);
    recipe_free(&recipe);
    return status;
}

int cmd_tune(int argc, char **argv) {
    struct tune_command c = {.warmup = -1};
    bool done;
    const struct cli_option options[] = {
        {"--data", "-d", CLI_LIST, &c.data, "FILE.jsonl[@WEIGHT]",
         "what to learn from; of several, shares by weight; repeatable", 0, 0},
        {"--output", "-o", CLI_TEXT, &c.folder, "FOLDER",
         "checkpoints, the recipe, and the model in FOLDER/" TUNE_STAGE, 0, 0},
        {"--method", NULL, CLI_TEXT, &c.method, "sft|lora|grpo",
         "all weights learn (default); an adapter beside a model, which may be quantised; or "
         "rewards teach, as RECIPE says (docs/grpo.md)",
         0, 0},
        {"--rank", NULL, CLI_INT, &c.rank, "N", "of the adapter (default 16)", 1, 65536},
        {"--alpha", NULL, CLI_TEXT, &c.alpha, "X", "its factor times the rank (default: twice it)",
         0, 0},
        {"--roles", NULL, CLI_TEXT, &c.roles, "ROLES",
         "matrices it stands on, as \"attn_q attn_v\" (default: all)", 0, 0},
        {"--merge", NULL, CLI_FLAG, &c.merge, NULL,
         "write the model with the adapter in it, too: FOLDER/" TUNE_STAGE "-merged", 0, 0},
        {"--steps", NULL, CLI_INT, &c.steps, "N", "steps", 1, INT_MAX},
        {"--epochs", NULL, CLI_TEXT, &c.epochs, "X",
         "instead: so often through the data (default 3)", 0, 0},
        {"--rate", NULL, CLI_TEXT, &c.rate, "R",
         "learning rate (default: 1e-3 for a million parameters, down to 1e-4 for 100)", 0, 0},
        {"--rows", NULL, CLI_INT, &c.rows, "N", "tokens of a step (default: as --seq-len)", 1,
         1 << 24},
        {"--seq-len", NULL, CLI_INT, &c.seq_len, "N",
         "tokens of the longest example (default 1024, or the model's context)", 1, 1 << 24},
        {"--dtype", NULL, CLI_TEXT, &c.dtype, "bf16|f32",
         "of the matrices (default: f32 where the model is, else bf16)", 0, 0},
        {"--warmup", NULL, CLI_INT, &c.warmup, "N",
         "steps in which the rate rises (default: 5 % of them)", 0, INT_MAX},
        {"--holdout", NULL, CLI_TEXT, &c.holdout, "SHARE",
         "of the examples, kept to measure the loss on", 0, 0},
        {"--seed", NULL, CLI_TEXT, &c.seed, "N", "of the order (default 1)", 0, 0},
        {"--threads", "-t", CLI_INT, &c.run.threads, "N", "threads (default: physical cores)", 1,
         256},
        {"--quiet", "-q", CLI_FLAG, &c.run.quiet, NULL, "say only what has been written", 0, 0},
    };
    const struct cli_spec spec = {"tune",
                                  "MODEL --data FILE.jsonl -o FOLDER [options]\n"
                                  "       jinlin tune MODEL --method grpo RECIPE [-o FOLDER]",
                                  "teach a model what files of examples show, or by reward",
                                  "jinlin tune models/small --data chats.jsonl -o tuned",
                                  options,
                                  sizeof options / sizeof options[0],
                                  1,
                                  2,
                                  true};
    struct jl_error err = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, c.args, &done, &err);
    if (done) return 0;
    if (status == JL_OK && c.method && !strcmp(c.method, "grpo")) {
        status = learn_by_reward(&c, &err);
    } else {
        if (status == JL_OK) status = read_options(&c, &err);
        if (status == JL_OK) status = tune(&c, &err);
    }
    for (int i = 0; i < CLI_LIST_MAX; i++)
        free(c.paths[i]);
    free(c.start);
    return cli_finish(&spec, status, &err);
}
