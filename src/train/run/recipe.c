#include "train/run/recipe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "model/quant_preset.h"
#include "session/sample_params.h"
#include "train/run/recipe_grpo.h"

#define RECIPE_MOST_BYTES (1 << 20)
#define MOST_KEYS 128

struct key {
    const char *section, *name;
    enum { WORD, PATH, WHOLE, REAL, FLAG } kind;
    size_t offset;
    double value, least, most; // value: the default
};

#define X(section, key, kind, field, value, least, most, about)                                    \
    {section, key, kind, offsetof(struct recipe, field), value, least, most},
static const struct key run_keys[] = {RECIPE_LIST(X)};
#undef X
#define X(key, kind, field, value, least, most, about)                                             \
    {NULL, key, kind, offsetof(struct recipe_stage, field), value, least, most},
static const struct key stage_keys[] = {STAGE_LIST(X)};
#undef X
enum {
    N_RUN_KEY = sizeof run_keys / sizeof run_keys[0],
    N_STAGE_KEY = sizeof stage_keys / sizeof stage_keys[0]
};

struct parser {
    struct recipe *recipe;
    const char *path;
    int line;
    const char *section;        // NULL before the first
    struct recipe_stage *stage; // in a [stage]
    bool seen[MOST_KEYS];       // run_keys, over the whole file
    bool stage_seen[MOST_KEYS]; // stage_keys, of this stage
    struct jl_error *err;
};

static enum jl_status fault(const struct parser *p, const char *what, const char *about) {
    return jl_fail(p->err, JL_ERR_FORMAT, "%s:%d: %s%s%.200s%s", p->path, p->line, what,
                   about ? " '" : "", about ? about : "", about ? "'" : "");
}

static enum jl_status no_memory(const struct parser *p) {
    return jl_fail(p->err, JL_ERR_MEMORY, "out of memory reading %s", p->path);
}

/* ---- values ---- */

/* Beside the recipe, unless the path begins at the root. */
static char *beside(struct parser *p, const char *name) {
    const char *end = strrchr(p->path, '/');
    if (name[0] == '/' || !end) return arena_strdup(&p->recipe->arena, name);
    size_t folder = (size_t)(end - p->path) + 1, n = strlen(name);
    char *out = arena_alloc(&p->recipe->arena, folder + n + 1);
    if (!out) return NULL;
    memcpy(out, p->path, folder);
    memcpy(out + folder, name, n + 1);
    return out;
}

static bool read_flag(const char *text, bool *out) {
    if (!strcmp(text, "yes") || !strcmp(text, "true")) return *out = true, true;
    if (!strcmp(text, "no") || !strcmp(text, "false")) return *out = false, true;
    return false;
}

static void set_default(const struct key *key, void *base) {
    void *at = (char *)base + key->offset;
    if (key->kind == WHOLE) *(int64_t *)at = (int64_t)key->value;
    if (key->kind == REAL) *(double *)at = key->value;
    if (key->kind == FLAG) *(bool *)at = key->value != 0;
}

static enum jl_status set_key(struct parser *p, const struct key *key, void *base,
                              const char *text) {
    void *at = (char *)base + key->offset;
    char *end = NULL, range[160];
    errno = 0;
    if (key->kind == WORD || key->kind == PATH) {
        char *copy = key->kind == PATH ? beside(p, text) : arena_strdup(&p->recipe->arena, text);
        if (!copy) return no_memory(p);
        *(const char **)at = copy;
        return JL_OK;
    }
    if (key->kind == FLAG)
        return read_flag(text, at) ? JL_OK : fault(p, "this is yes or no, not", text);
    double value = strtod(text, &end);
    if (end == text || *end || errno || !(value >= key->least && value <= key->most)) {
        snprintf(range, sizeof range, "%s is a number from %g to %g, not", key->name, key->least,
                 key->most);
        return fault(p, range, text);
    }
    if (key->kind == REAL) {
        *(double *)at = value;
        return JL_OK;
    }
    if (value != (double)(int64_t)value) return fault(p, "a whole number is wanted, not", text);
    *(int64_t *)at = (int64_t)value;
    return JL_OK;
}

/* `source = PATH`, then `weight=W` and `holdout=SHARE` in any order. */
static enum jl_status add_source(struct parser *p, char *text) {
    struct data_source_spec **list = p->stage ? &p->stage->sources : &p->recipe->sources;
    int *n = p->stage ? &p->stage->n_source : &p->recipe->n_source;
    struct data_source_spec source = {.weight = 1, .holdout_share = -1};
    for (char *space; (space = strrchr(text, ' ')) != NULL;) {
        char *end;
        double *to = !strncmp(space + 1, "weight=", 7)    ? &source.weight
                     : !strncmp(space + 1, "holdout=", 8) ? &source.holdout_share
                                                          : NULL;
        if (!to) break; // a name with a space in it
        *to = strtod(strchr(space, '=') + 1, &end);
        if (*end || !(*to >= 0) || (to == &source.weight && !(*to > 0)) || *to > 1e9 ||
            (to == &source.holdout_share && *to > 0.5))
            return fault(p, "not a weight above 0 or a holdout from 0 to 0.5:", space + 1);
        while (space > text && space[-1] == ' ')
            space--;
        *space = 0;
    }
    if (*n == DATA_MAX_SOURCES) return fault(p, "too many sources", NULL);
    if (!*list) *list = arena_calloc(&p->recipe->arena, DATA_MAX_SOURCES, sizeof **list);
    source.path = beside(p, text);
    if (!*list || !source.path) return no_memory(p);
    (*list)[(*n)++] = source;
    return JL_OK;
}

static enum jl_status add_tasks(struct parser *p, const char *text) {
    struct recipe *r = p->recipe;
    if (r->n_tasks == RECIPE_MOST_TASKS) return fault(p, "too many files of tasks", NULL);
    r->tasks[r->n_tasks] = beside(p, text);
    return r->tasks[r->n_tasks++] ? JL_OK : no_memory(p);
}

static enum jl_status add_reward(struct parser *p, const char *text) {
    struct recipe *r = p->recipe;
    const char *about;
    if (r->n_reward == REWARD_MOST) return fault(p, "too many rewards", NULL);
    char *copy = arena_strdup(&r->arena, text);
    if (!copy) return no_memory(p);
    struct reward_spec *spec = &r->rewards[r->n_reward++];
    const char *wrong = recipe_read_reward(copy, spec, &about);
    if (wrong) return fault(p, wrong, about);
    if (reward_takes_file(spec->kind) && *spec->argument)
        spec->argument = beside(p, spec->argument);
    return spec->argument ? JL_OK : no_memory(p);
}

/* ---- lines ---- */

/* A value is JSON, or text where it is none. */
static enum jl_status set_json(struct parser *p, json_t *object, const char *name,
                               const char *text) {
    json_t *value = NULL;
    json_error_t where;
    enum jl_status status = jl_json_load(text, strlen(text), 0, &value, &where);
    if (status == JL_ERR_MEMORY) return no_memory(p);
    if (status != JL_OK) // a bare word is text
        value = json_string(text);
    if (!value) return fault(p, "neither JSON nor text in UTF-8:", text);
    if (json_object_get(object, name)) {
        json_decref(value);
        return fault(p, "this key stands twice:", name);
    }
    return json_object_set_new(object, name, value) ? no_memory(p) : JL_OK;
}

/* A setting that has a name in generation_config.json, in its range. */
static enum jl_status set_sampling(struct parser *p, const char *name, const char *text) {
    struct sample_params params = sample_params_default();
    struct jl_error inner;
    for (int i = 0; i < SAMPLE_PARAM_COUNT; i++) {
        const struct sample_param_row *row = sample_param_row((enum sample_param)i);
        if (!row->config_key || strcmp(row->config_key, name) != 0) continue;
        if (sample_params_read(&params, (enum sample_param)i, text, &inner) != JL_OK)
            return fault(p, inner.message, NULL);
        return set_json(p, p->recipe->sampling, name, text);
    }
    return fault(p, "[sampling] has no key", name);
}

static enum jl_status set_line(struct parser *p, const char *name, char *text) {
    char what[160];
    if (!p->section) return fault(p, "a key before the first [section]:", name);
    if (!strcmp(p->section, "config")) return set_json(p, p->recipe->config, name, text);
    if (!strcmp(p->section, "sampling")) return set_sampling(p, name, text);
    if (!strcmp(name, "source") && (p->stage || !strcmp(p->section, "data")))
        return add_source(p, text);
    if (!strcmp(p->section, "grpo") && !strcmp(name, "tasks")) return add_tasks(p, text);
    if (!strcmp(p->section, "grpo") && !strcmp(name, "reward")) return add_reward(p, text);
    const struct key *keys = p->stage ? stage_keys : run_keys;
    int n = p->stage ? N_STAGE_KEY : N_RUN_KEY;
    bool *seen = p->stage ? p->stage_seen : p->seen;
    for (int i = 0; i < n; i++) {
        if (strcmp(keys[i].name, name) || (!p->stage && strcmp(keys[i].section, p->section)))
            continue;
        if (seen[i]) return fault(p, "this key stands twice:", name);
        seen[i] = true;
        return set_key(p, &keys[i], p->stage ? (void *)p->stage : (void *)p->recipe, text);
    }
    snprintf(what, sizeof what, "[%s] has no key", p->section);
    return fault(p, what, name);
}

static enum jl_status begin_stage(struct parser *p, const char *name) {
    struct recipe *r = p->recipe;
    if (r->n_stage == RECIPE_MOST_STAGES) return fault(p, "too many stages", NULL);
    for (int i = 0; i < r->n_stage; i++)
        if (!strcmp(r->stages[i].name, name)) return fault(p, "two stages have the name", name);
    p->stage = &r->stages[r->n_stage++];
    p->stage->name = arena_strdup(&r->arena, name);
    if (!p->stage->name) return no_memory(p);
    memset(p->stage_seen, 0, sizeof p->stage_seen);
    for (int i = 0; i < N_STAGE_KEY; i++)
        set_default(&stage_keys[i], p->stage);
    p->section = "stage";
    return JL_OK;
}

static enum jl_status begin_section(struct parser *p, char *name) {
    static const char *const names[] = {"run",  "model", "config", "sampling",
                                        "data", "train", "lora",   "grpo"};
    char *end = strchr(name, ']');
    if (!end || end[1]) return fault(p, "a section is [name] and nothing else:", name);
    *end = 0;
    p->stage = NULL;
    if (!strncmp(name, "stage ", 6) && name[6]) return begin_stage(p, name + 6);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(name, names[i])) p->section = names[i];
    if (!p->section || strcmp(p->section, name))
        return fault(p,
                     "sections are run, model, config, sampling, data, train, lora, grpo and stage "
                     "NAME, not",
                     name);
    struct recipe *r = p->recipe;
    if (!strcmp(name, "grpo")) r->grpo = true;
    if (!strcmp(name, "config") && !r->config && !(r->config = json_object())) return no_memory(p);
    if (!strcmp(name, "sampling") && !r->sampling &&
        !(r->sampling = json_pack("{s:b}", "do_sample", 1)))
        return no_memory(p);
    return JL_OK;
}

/* Spaces at both ends off. */
static char *trim(char *text) {
    while (*text == ' ' || *text == '\t')
        text++;
    size_t n = strlen(text);
    while (n && strchr(" \t\r", text[n - 1]))
        text[--n] = 0;
    return text;
}

/* A comment begins at the line's start or behind a space, and not within JSON's quotes. */
static void cut_comment(char *line) {
    bool quoted = false;
    for (char *at = line; *at; at++) {
        if (*at == '"' && (at == line || at[-1] != '\\')) quoted = !quoted;
        if (*at != '#' || quoted || (at > line && !strchr(" \t", at[-1]))) continue;
        *at = 0;
        return;
    }
}

static enum jl_status parse_line(struct parser *p, char *line) {
    cut_comment(line);
    line = trim(line);
    if (!*line) return JL_OK;
    if (*line == '[') return begin_section(p, line + 1);
    char *equals = strchr(line, '=');
    if (!equals) return fault(p, "neither [section] nor key = value:", line);
    *equals = 0;
    char *name = trim(line), *text = trim(equals + 1);
    if (!*name || !*text) return fault(p, "key = value lacks one of both", NULL);
    return set_line(p, name, text);
}

/* ---- what keys mean together ---- */

/* Which of `names` (n, "a|b|c") `text` is; NULL: the first. */
static enum jl_status choose(const struct parser *p, const char *key, const char *text,
                             const char *const *names, int n, int *out) {
    *out = 0;
    if (!text) return JL_OK;
    for (int i = 0; i < n; i++)
        if (!strcmp(text, names[i])) return *out = i, JL_OK;
    return jl_fail(p->err, JL_ERR_FORMAT, "%s: %s is '%s'; it may be %s, %s%s%s", p->path, key,
                   text, names[0], names[1], n > 2 ? " or " : "", n > 2 ? names[2] : "");
}

enum jl_status recipe_set_steps(struct recipe *recipe, int stage, int64_t steps,
                                struct jl_error *err) {
    struct recipe_stage *s = &recipe->stages[stage];
    int64_t warmup = s->warmup ? s->warmup : (int64_t)(s->warmup_share * (double)steps);
    if (warmup >= steps && warmup > 0)
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: stage '%s' has %" PRId64 " steps, all of them warm-up", recipe->path,
                       s->name, steps);
    s->steps = steps;
    s->plan.n_step = steps;
    s->plan.n_warmup = warmup;
    s->plan.n_descent = (int64_t)(s->descent * (double)steps);
    return JL_OK;
}

static enum jl_status finish_stage(const struct parser *p, struct recipe_stage *stage) {
    static const char *const schedules[] = {"wsd", "cosine", "constant"}, *const restarts[] = {
                                                                              "no", "yes",
                                                                              "weights"};
    struct recipe *r = p->recipe;
    int64_t a_step = r->rows * r->micro;
    int kind, restart;
    JL_TRY(choose(p, "schedule", stage->schedule, schedules, SCHEDULE_COUNT, &kind));
    JL_TRY(choose(p, "restart", stage->restart, restarts, 3, &restart));
    stage->restart_id = (enum stage_restart)restart;
    if (restart == RESTART_WEIGHTS && r->lora_rank)
        return jl_fail(p->err, JL_ERR_FORMAT,
                       "%s: stage '%s': an adapter does not begin again from weights; restart = "
                       "yes gives its optimizer fresh moments",
                       p->path, stage->name);
    if (stage->mtp_weight < 0) stage->mtp_weight = r->mtp_weight;
    if ((stage->steps > 0) + (stage->tokens > 0) + (stage->epochs > 0) != 1)
        return jl_fail(p->err, JL_ERR_FORMAT,
                       "%s: stage '%s' wants steps, tokens or epochs, one of the three", p->path,
                       stage->name);
    if (stage->warmup > 0 && stage->warmup_share > 0)
        return jl_fail(p->err, JL_ERR_FORMAT,
                       "%s: stage '%s' has warmup and warmup_share, where one is enough", p->path,
                       stage->name);
    if (stage->tokens) stage->steps = (stage->tokens + a_step - 1) / a_step;
    if (r->grpo && (stage->tokens || stage->n_source || stage->mtp_weight > 0))
        return jl_fail(
            p->err, JL_ERR_FORMAT,
            "%s: stage '%s' learns by reward: it has steps or epochs, and no source, tokens "
            "or mtp_weight",
            p->path, stage->name);
    if (!stage->n_source) {
        stage->sources = r->sources;
        stage->n_source = r->n_source;
    }
    if (!stage->n_source && !r->grpo)
        return jl_fail(p->err, JL_ERR_FORMAT, "%s: stage '%s' has no source, nor has [data]",
                       p->path, stage->name);
    for (int i = 0; i < stage->n_source; i++)
        if (stage->sources[i].holdout_share < 0) stage->sources[i].holdout_share = r->holdout;
    stage->plan = (struct schedule){
        .kind = (enum schedule_kind)kind, .rate = stage->rate, .min_share = stage->min_rate};
    return stage->steps ? recipe_set_steps(r, (int)(stage - r->stages), stage->steps, p->err)
                        : JL_OK;
}

/* Told now, not when a stage has been learned. */
static enum jl_status check_gguf(const struct parser *p) {
    char types[256], *rest = types;
    if (!p->recipe->gguf) return JL_OK;
    if ((size_t)snprintf(types, sizeof types, "%s", p->recipe->gguf) >= sizeof types)
        return jl_fail(p->err, JL_ERR_FORMAT, "%s: gguf names too many types", p->path);
    for (char *type; (type = strtok_r(rest, " ,", &rest));)
        if (!quant_preset_find(type))
            return jl_fail(
                p->err, JL_ERR_FORMAT,
                "%s: gguf: '%s' is no type of GGUF files; `jinlin quantize --help` lists "
                "them",
                p->path, type);
    return JL_OK;
}

static enum jl_status finish(struct parser *p) {
    static const char *const dtypes[] = {"bf16", "f32"}, *const modes[] = {"cut", "whole"},
                             *const optimizers[] = {"adamw", "muon"},
                             *const keeps[] = {"all", "costly", "layers"};
    struct recipe *r = p->recipe;
    int dtype, mode, optimizer, keep;
    JL_TRY(choose(p, "dtype", r->dtype, dtypes, 2, &dtype));
    JL_TRY(choose(p, "mode", r->mode, modes, 2, &mode));
    JL_TRY(choose(p, "optimizer", r->optimizer, optimizers, 2, &optimizer));
    JL_TRY(choose(p, "keep", r->keep, keeps, 3, &keep));
    r->work = dtype ? DTYPE_F32 : DTYPE_BF16;
    r->packing = mode ? DATA_WHOLE : DATA_CUT;
    r->optimizer_id = (enum optimizer_kind)optimizer;
    r->keep_id = (enum tape_keep)keep;
    if (!r->start == !r->config)
        return jl_fail(p->err, JL_ERR_FORMAT,
                       "%s: a model is begun with: `start = FOLDER` in [model], or made new: keys "
                       "of its config.json in [config]; one of both",
                       p->path);
    if ((r->lora_alpha > 0 || r->lora_roles || r->lora_merge) && !r->lora_rank)
        return jl_fail(p->err, JL_ERR_FORMAT, "%s: [lora] wants a rank", p->path);
    if (r->lora_rank && r->optimizer_id == OPTIMIZER_MUON)
        return jl_fail(p->err, JL_ERR_FORMAT,
                       "%s: adapters are learned by adamw: the orthogonal steps of muon are for "
                       "whole matrices",
                       p->path);
    if (r->config && !r->tokenizer)
        return jl_fail(p->err, JL_ERR_FORMAT,
                       "%s: a new model wants `tokenizer = FOLDER` in [model]", p->path);
    if (r->sample_every && !r->sample && !r->grpo)
        return jl_fail(p->err, JL_ERR_FORMAT,
                       "%s: sample_every wants `sample = TEXT`, which the model goes on from",
                       p->path);
    if (!r->n_stage) return jl_fail(p->err, JL_ERR_FORMAT, "%s: there is no [stage NAME]", p->path);
    if (r->seq_len > r->rows)
        return jl_fail(p->err, JL_ERR_FORMAT,
                       "%s: seq_len is %" PRId64 ", but a micro-batch has %" PRId64 " rows",
                       p->path, r->seq_len, r->rows);
    JL_TRY(check_gguf(p));
    if (r->grpo) JL_TRY(recipe_finish_grpo(r, p->err));
    for (int i = 0; i < r->n_stage; i++)
        JL_TRY(finish_stage(p, &r->stages[i]));
    return JL_OK;
}

static enum jl_status parse(struct parser *p, const char *text) {
    char *copy = arena_strdup(&p->recipe->arena, text);
    p->recipe->text = arena_strdup(&p->recipe->arena, text);
    p->recipe->path = p->path = arena_strdup(&p->recipe->arena, p->path);
    if (!copy || !p->recipe->text || !p->path) return no_memory(p);
    for (int i = 0; i < N_RUN_KEY; i++)
        set_default(&run_keys[i], p->recipe);
    for (char *line = copy, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        p->line++;
        JL_TRY(parse_line(p, line));
    }
    return finish(p);
}

enum jl_status recipe_parse(const char *text, const char *path, struct recipe *out,
                            struct jl_error *err) {
    _Static_assert(N_RUN_KEY <= MOST_KEYS && N_STAGE_KEY <= MOST_KEYS, "marks for all keys");
    struct parser p = {.recipe = out, .path = path, .err = err};
    *out = (struct recipe){0};
    enum jl_status status = parse(&p, text);
    if (status != JL_OK) recipe_free(out);
    return status;
}

enum jl_status recipe_read(const char *path, struct recipe *out, struct jl_error *err) {
    char *text;
    size_t size;
    *out = (struct recipe){0};
    JL_TRY(file_read(path, RECIPE_MOST_BYTES, &text, &size, err));
    enum jl_status status = JL_OK;
    if (strlen(text) != size)
        status = jl_fail(err, JL_ERR_FORMAT, "%s: a zero byte stands in it: no recipe", path);
    if (status == JL_OK) status = recipe_parse(text, path, out, err);
    free(text);
    return status;
}

void recipe_free(struct recipe *recipe) {
    json_decref(recipe->config);
    json_decref(recipe->sampling);
    arena_free(&recipe->arena);
    *recipe = (struct recipe){0};
}

int recipe_stage_find(const struct recipe *recipe, const char *name) {
    for (int i = 0; i < recipe->n_stage; i++)
        if (!strcmp(recipe->stages[i].name, name)) return i;
    return -1;
}

int64_t recipe_steps(const struct recipe *recipe) {
    int64_t n = 0;
    for (int i = 0; i < recipe->n_stage; i++)
        n += recipe->stages[i].steps;
    return n;
}
