#include "train/run/recipe_grpo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a reward's line ---- */

/* The last word, where it is `name=NUMBER`; then it is cut off. */
static bool take_number(char *text, const char *name, double *out, bool *wrong) {
    char *word = strrchr(text, ' '), *end;
    size_t n = strlen(name);
    if (!word || strncmp(word + 1, name, n) != 0 || word[1 + n] != '=') return false;
    *out = strtod(word + 2 + n, &end);
    *wrong = *wrong || !word[2 + n] || *end;
    while (word > text && word[-1] == ' ')
        word--;
    *word = 0;
    return true;
}

const char *recipe_read_reward(char *text, struct reward_spec *out, const char **about) {
    double weight = 1, seconds = 0, parallel = 0;
    bool wrong = false;
    while (take_number(text, "weight", &weight, &wrong) ||
           take_number(text, "seconds", &seconds, &wrong) ||
           take_number(text, "parallel", &parallel, &wrong))
        ;
    *about = text;
    if (wrong || !(weight >= -1e6 && weight <= 1e6) || weight == 0)
        return "a reward's weight is a number other than 0:";
    if (!(seconds >= 0 && seconds <= 86400)) return "a reward's seconds are from 0 to 86400:";
    if (!(parallel >= 0 && parallel <= 256) || parallel != (double)(int)parallel)
        return "a reward's parallel is a whole number up to 256:";
    char *argument = strchr(text, ' ');
    if (argument) *argument++ = 0;
    while (argument && *argument == ' ')
        argument++;
    *out = (struct reward_spec){.kind = text,
                                .argument = argument ? argument : "",
                                .weight = weight,
                                .seconds = seconds,
                                .parallel = (int)parallel};
    return NULL;
}

/* ---- the keys together ---- */

static const struct variant {
    const char *name;
    double clip_low, clip_high;
    enum advantage_scale scale;
    enum rl_share share;
    enum rl_overlong overlong;
    int redraw;
} variants[] = {
    {"grpo", 0.2, 0.2, ADVANTAGE_DEVIATION, RL_SHARE_ANSWER, RL_OVERLONG_KEEP, 0},
    {"dr_grpo", 0.2, 0.2, ADVANTAGE_PLAIN, RL_SHARE_LENGTH, RL_OVERLONG_KEEP, 0},
    {"dapo", 0.2, 0.28, ADVANTAGE_DEVIATION, RL_SHARE_TOKEN, RL_OVERLONG_PUNISH, 4},
};

/* Which of `names` (n) it is, -1: none is given. */
static enum jl_status choose(const struct recipe *r, const char *key, const char *text,
                             const char *const *names, int n, int *out, struct jl_error *err) {
    char list[160] = "";
    size_t at = 0;
    *out = -1;
    if (!text) return JL_OK;
    for (int i = 0; i < n; i++) {
        if (!strcmp(text, names[i])) return *out = i, JL_OK;
        at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "", names[i]);
    }
    return jl_fail(err, JL_ERR_FORMAT, "%s: %s is '%.100s'; it may be %s", r->path, key, text,
                   list);
}

static enum jl_status resolve(struct recipe *r, struct jl_error *err) {
    static const char *const names[] = {"grpo", "dr_grpo", "dapo"},
                             *const scales[] = {"deviation", "plain"},
                             *const shares[] = {"answer", "token", "length"},
                             *const overlongs[] = {"keep", "mask", "punish"};
    int variant, scale, share, overlong;
    JL_TRY(choose(r, "variant", r->grpo_variant, names, 3, &variant, err));
    JL_TRY(choose(r, "scale", r->grpo_scale, scales, 2, &scale, err));
    JL_TRY(choose(r, "share", r->grpo_share, shares, 3, &share, err));
    JL_TRY(choose(r, "overlong", r->grpo_overlong, overlongs, 3, &overlong, err));
    const struct variant *v = &variants[variant < 0 ? 0 : variant];
    r->grpo_scale_id = scale < 0 ? v->scale : (enum advantage_scale)scale;
    r->grpo_share_id = share < 0 ? v->share : (enum rl_share)share;
    r->grpo_overlong_id = overlong < 0 ? v->overlong : (enum rl_overlong)overlong;
    if (r->grpo_clip_low < 0) r->grpo_clip_low = v->clip_low;
    if (r->grpo_clip_high < 0) r->grpo_clip_high = v->clip_high;
    if (r->grpo_redraw < 0) r->grpo_redraw = v->redraw;
    return JL_OK;
}

enum jl_status recipe_finish_grpo(struct recipe *r, struct jl_error *err) {
    JL_TRY(resolve(r, err));
    if (!r->n_tasks)
        return jl_fail(err, JL_ERR_FORMAT, "%s: [grpo] wants tasks = FILE.jsonl (docs/eval.md)",
                       r->path);
    if (!r->n_reward) r->rewards[r->n_reward++] = (struct reward_spec){"correct", "", 1, 0, 0};
    if (r->n_source)
        return jl_fail(
            err, JL_ERR_FORMAT,
            "%s: [data] has sources, but what is learned by reward comes from the tasks of "
            "[grpo]",
            r->path);
    r->mtp_weight = 0; // the prediction layer stands still
    return JL_OK;
}
