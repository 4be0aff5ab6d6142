/* The families there are, and which of them a file names. */
#include <stdio.h>
#include <string.h>

#include "model/model.h"

const struct family *const model_families[] = {
    &family_deepseek_v2, &family_deepseek_v3, &family_glm4,      &family_glm4_moe,   &family_llama,
    &family_qwen2,       &family_qwen3,       &family_qwen3_moe, &family_qwen3_next, NULL};

static bool same(const struct meta *value, const char *text) {
    return value->kind == META_STRING && value->as.s.len == strlen(text) &&
           !memcmp(value->as.s.text, text, value->as.s.len);
}

static bool same_as_one(const struct meta *value, const char *names) {
    char name[64];
    while (*names) {
        size_t len = strcspn(names, "|");
        snprintf(name, sizeof name, "%.*s", (int)len, names);
        if (same(value, name)) return true;
        names += len + (names[len] == '|');
    }
    return false;
}

/* Files older than the key have a softmax. */
static bool gating_fits(const struct model *model, const struct family *family) {
    char key[96];
    snprintf(key, sizeof key, "%s.expert_gating_func", family->gguf);
    const struct meta *value = meta_find(model->file->meta, key);
    int64_t gating = value && value->kind == META_INT && value->as.i == 2 ? 2 : 1;
    return !family->gguf_gating || gating == family->gguf_gating;
}

static enum jl_status unknown(const struct model *model, const char *key, const struct meta *value,
                              bool gguf, struct jl_error *err) {
    char known[256] = "";
    size_t used = 0;
    for (int i = 0; model_families[i]; i++) {
        const char *name = gguf ? model_families[i]->gguf : model_families[i]->hf;
        int n = snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", name);
        if (n > 0 && used + (size_t)n < sizeof known) used += (size_t)n;
    }
    if (!value || value->kind != META_STRING)
        return jl_fail(err, JL_ERR_FORMAT, "%s: key '%s' names no architecture; known ones: %s",
                       model->file->path, key, known);
    return jl_fail(err, JL_ERR_UNSUPPORTED,
                   "%s: architecture \"%.*s\" (key '%s') is not supported; known ones: %s",
                   model->file->path, (int)(value->as.s.len > 80 ? 80 : value->as.s.len),
                   value->as.s.text, key, known);
}

static enum jl_status choose_hf(struct model *model, struct jl_error *err) {
    struct meta *list = meta_find(model->file->meta, "architectures");
    struct meta *type = meta_find(model->file->meta, "model_type");
    struct meta first;
    struct meta_iter iter = {.array = list};
    if (list && list->kind == META_ARRAY && meta_iter_next(&iter, &first)) {
        for (int i = 0; model_families[i]; i++)
            if (same(&first, model_families[i]->hf)) model->family = model_families[i];
        return model->family ? JL_OK : unknown(model, "architectures", &first, false, err);
    }
    if (list && list->kind != META_NULL && list->kind != META_ARRAY)
        return unknown(model, "architectures", NULL, false, err);
    for (int i = 0; type && model_families[i]; i++)
        if (same_as_one(type, model_families[i]->hf_model_type)) model->family = model_families[i];
    return model->family ? JL_OK : unknown(model, "model_type", type, false, err);
}

enum jl_status model_choose_family(struct model *model, struct jl_error *err) {
    if (model->file->kind == MODEL_FILE_HF) return choose_hf(model, err);
    struct meta *value = meta_find(model->file->meta, "general.architecture");
    for (int i = 0; value && model_families[i]; i++)
        if (same(value, model_families[i]->gguf) && gating_fits(model, model_families[i]))
            model->family = model_families[i];
    if (!model->family) return unknown(model, "general.architecture", value, true, err);
    return JL_OK;
}
