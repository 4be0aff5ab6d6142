/* What of a recipe decides the weights, as a fingerprint. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "train/run/recipe.h"

static void add_WORD(XXH3_state_t *sum, const char *text) {
    XXH3_128bits_update(sum, text ? text : "", text ? strlen(text) + 1 : 1);
}
static void add_PATH(XXH3_state_t *sum, const char *text) { add_WORD(sum, text); }
static void add_WHOLE(XXH3_state_t *sum, int64_t x) { XXH3_128bits_update(sum, &x, sizeof x); }
static void add_REAL(XXH3_state_t *sum, double x) { XXH3_128bits_update(sum, &x, sizeof x); }
static void add_FLAG(XXH3_state_t *sum, bool x) { add_WHOLE(sum, x); }

static bool decides(const char *section, const char *key) {
    if (!strcmp(section, "run")) return !strcmp(key, "seed");
    return strcmp(key, "keep") && strcmp(key, "cache") && strcmp(key, "merge") &&
           strcmp(key, "parallel");
}

static void add_stage(XXH3_state_t *sum, const struct recipe_stage *stage) {
#define X(key, kind, field, ...) add_##kind(sum, stage->field);
    STAGE_LIST(X)
#undef X
    for (int i = 0; i < stage->n_source; i++) {
        add_WORD(sum, stage->sources[i].path);
        add_REAL(sum, stage->sources[i].weight);
        add_REAL(sum, stage->sources[i].holdout_share);
    }
}

void recipe_mark(const struct recipe *recipe, int64_t stage, uint8_t out[RECIPE_MARK]) {
    XXH3_state_t *sum = XXH3_createState();
    memset(out, 0, RECIPE_MARK);
    if (!sum) return; // a mark of zeros fits none
    XXH3_128bits_reset(sum);
    char *config =
        recipe->config ? json_dumps(recipe->config, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
    add_WORD(sum, config);
    free(config);
    for (int i = 0; i < recipe->n_tasks; i++)
        add_WORD(sum, recipe->tasks[i]);
    for (int i = 0; i < recipe->n_reward; i++) {
        add_WORD(sum, recipe->rewards[i].kind);
        add_WORD(sum, recipe->rewards[i].argument);
        add_REAL(sum, recipe->rewards[i].weight);
    }
#define X(section, key, kind, field, ...)                                                          \
    if (decides(section, key) && (recipe->grpo || strcmp(section, "grpo") != 0))                   \
        add_##kind(sum, recipe->field);
    RECIPE_LIST(X)
#undef X
    for (int64_t i = 0; i <= stage && i < recipe->n_stage; i++)
        add_stage(sum, &recipe->stages[i]);
    XXH128_canonical_t mark;
    XXH128_canonicalFromHash(&mark, XXH3_128bits_digest(sum));
    memcpy(out, &mark, sizeof mark);
    out[sizeof mark] = 1;
    XXH3_freeState(sum);
}
