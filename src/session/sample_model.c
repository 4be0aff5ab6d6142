#include "session/sample_model.h"

#include <stdio.h>
#include <string.h>

/* Settings of others that change what is chosen and have no stage here, and their neutral value. */
static const struct {
    const char *key;
    double neutral;
} others[] = {
    {"num_beams", 1},         {"no_repeat_ngram_size", 0},
    {"penalty_alpha", 0},     {"epsilon_cutoff", 0},
    {"eta_cutoff", 0},        {"encoder_repetition_penalty", 1},
    {"diversity_penalty", 0}, {"min_new_tokens", 0},
    {"min_length", 0},        {"general.sampling.mirostat", 0},
};

struct reading {
    const char *path, *where;
    struct meta *meta;
    const bool *replaced;
    struct sample_params *params;
    bool samples, has_temperature;
    char *unmet;
};

static bool number(const struct meta *value, double *out) {
    if (value->kind == META_INT)
        *out = (double)value->as.i;
    else if (value->kind == META_UINT)
        *out = (double)value->as.u;
    else if (value->kind == META_FLOAT)
        *out = value->as.f;
    else
        return false;
    return true;
}

/* One setting under its key; null is none. */
static enum jl_status take(struct reading *r, enum sample_param param, const char *key, bool *found,
                           struct jl_error *err) {
    const struct meta *value = meta_find(r->meta, key);
    const char *option = sample_param_row(param)->option;
    struct jl_error inner;
    double x;
    *found = value && value->kind != META_NULL;
    if (!*found || (r->replaced && r->replaced[param])) return JL_OK;
    if (!number(value, &x))
        return jl_fail(err, JL_ERR_FORMAT, "%s: %s%s is a %s and no number; %s gives another",
                       r->path, r->where, key, meta_kind_name(value->kind), option);
    if (sample_params_set(r->params, param, x, &inner) == JL_OK) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT, "%s: %s%s: %s; %s gives another", r->path, r->where, key,
                   inner.message, option);
}

static void note_unmet(struct reading *r) {
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        const struct meta *value = meta_find(r->meta, others[i].key);
        size_t used = strlen(r->unmet);
        double x;
        char item[80];
        if (!value || !number(value, &x) || x == others[i].neutral) continue;
        int n = snprintf(item, sizeof item, "%s%s %g", used ? ", " : "", others[i].key, x);
        if (n > 0 && used + (size_t)n < SAMPLE_UNMET_BYTES)
            memcpy(r->unmet + used, item, (size_t)n + 1);
    }
}

static enum jl_status read_folder(struct reading *r, struct jl_error *err) {
    const struct meta *sample = meta_find(r->meta, "do_sample");
    r->samples = sample && sample->kind == META_BOOL && sample->as.b;
    for (int i = 0; i < SAMPLE_PARAM_COUNT; i++) {
        const char *key = sample_param_row((enum sample_param)i)->config_key;
        bool found;
        if (!key || !(r->samples || i == SAMPLE_repetition_penalty)) continue;
        JL_TRY(take(r, (enum sample_param)i, key, &found, err));
        if (i == SAMPLE_temperature) r->has_temperature = found;
    }
    note_unmet(r);
    return JL_OK;
}

static enum jl_status read_gguf(struct reading *r, struct jl_error *err) {
    for (int i = 0; i < SAMPLE_PARAM_COUNT; i++) {
        const char *key = sample_param_row((enum sample_param)i)->gguf_key;
        bool found;
        if (!key) continue;
        JL_TRY(take(r, (enum sample_param)i, key, &found, err));
        r->samples = r->samples || found;
        if (i == SAMPLE_temperature) r->has_temperature = found;
    }
    note_unmet(r);
    return JL_OK;
}

enum jl_status sample_model_read(struct model_file *file, const bool *replaced,
                                 struct sample_params *params, char unmet[SAMPLE_UNMET_BYTES],
                                 struct jl_error *err) {
    bool gguf = file->kind == MODEL_FILE_GGUF;
    struct reading r = {.path = file->path,
                        .where = gguf ? "" : "generation_config.json: ",
                        .meta = gguf ? file->meta : file->generation,
                        .replaced = replaced,
                        .params = params,
                        .unmet = unmet};
    *unmet = 0;
    if (!r.meta) return JL_OK;
    JL_TRY(gguf ? read_gguf(&r, err) : read_folder(&r, err));
    if (r.samples && !r.has_temperature && !(replaced && replaced[SAMPLE_temperature]))
        params->temperature = 1;
    return JL_OK;
}

enum jl_status sample_model_write(struct model_file *file, struct gguf_writer *writer,
                                  struct jl_error *err) {
    struct sample_params params = sample_params_default();
    char unmet[SAMPLE_UNMET_BYTES];
    bool any = false;
    JL_TRY(sample_model_read(file, NULL, &params, unmet, err));
    for (int i = 0; i < SAMPLE_PARAM_COUNT; i++) {
        enum sample_param param = (enum sample_param)i;
        any = any || sample_params_get(&params, param) != sample_param_row(param)->standard;
    }
    for (int i = 0; any && i < SAMPLE_PARAM_COUNT; i++) {
        const struct sample_param_row *row = sample_param_row((enum sample_param)i);
        double value = sample_params_get(&params, (enum sample_param)i);
        int32_t whole = row->whole ? (int32_t)value : 0;
        // Without a temperature a reader would take its own.
        if (!row->gguf_key || (value == row->standard && i != SAMPLE_temperature)) continue;
        if (row->whole)
            gguf_put(writer, row->gguf_key, GGUF_INT32, &whole);
        else
            gguf_put_f32(writer, row->gguf_key, (float)value);
    }
    return JL_OK;
}
