/* Which layers are recurrent, and their shape. */
#include <stdio.h>

#include "model/hparams_read.h"

/* layer_types names each layer; where it is absent every attention_interval-th attends. */
static enum jl_status read_kinds(struct model_file *file, const struct family *family,
                                 struct hparams *hp, struct jl_error *err) {
    static const char key[] = "layer_types";
    struct meta *list = file->kind == MODEL_FILE_HF ? meta_find(file->meta, key) : NULL;
    struct meta_iter iter = {.array = list};
    struct meta item;
    int n = 0;
    if (!list || list->kind == META_NULL) {
        int interval = hp->attention_interval ? hp->attention_interval : family->attention_interval;
        for (int i = 0; i < hp->n_layer; i++)
            if ((i + 1) % interval != 0) layer_set_put(&hp->recurrent, i);
        return JL_OK;
    }
    if (list->kind != META_ARRAY) return hparams_refuse(file, key, list, "a list of names", err);
    for (; meta_iter_next(&iter, &item) && n <= hp->n_layer; n++) {
        if (hparams_is_text(&item, "linear_attention")) {
            if (n < hp->n_layer) layer_set_put(&hp->recurrent, n);
        } else if (!hparams_is_text(&item, "full_attention")) {
            return hparams_refuse(file, key, &item, "full_attention, linear_attention", err);
        }
    }
    if (n != hp->n_layer)
        return jl_fail(err, JL_ERR_FORMAT, "%s: '%s' does not name %d layers", file->path, key,
                       hp->n_layer);
    return JL_OK;
}

static enum jl_status check_shape(struct model_file *file, const struct family *family,
                                  const struct hparams *hp, struct jl_error *err) {
    const struct {
        int value;
        const char *field;
    } needed[] = {
        {hp->delta_head_k, "delta_head_k"},
        {hp->delta_head_v, "delta_head_v"},
        {hp->delta_dim_k, "delta_dim_k"},
        {hp->delta_dim_v, file->kind == MODEL_FILE_HF ? "delta_dim_v" : "delta_inner"},
        {hp->delta_tap, "delta_tap"},
    };
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (!needed[i].value)
            return jl_fail(err, JL_ERR_FORMAT, "%s: required key '%s' is missing", file->path,
                           hparams_key(file, family, needed[i].field).text);
    if (hp->delta_head_v % hp->delta_head_k)
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: %d value heads cannot share %d key heads evenly ('%s', '%s')",
                       file->path, hp->delta_head_v, hp->delta_head_k,
                       hparams_key(file, family, "delta_head_v").text,
                       hparams_key(file, family, "delta_head_k").text);
    if (hparams_dim(hp, DIM_DELTA_QKVZ) > 1 << 26)
        return jl_fail(err, JL_ERR_FORMAT, "%s: recurrent layers of %lld channels", file->path,
                       (long long)hparams_dim(hp, DIM_DELTA_QKVZ));
    return JL_OK;
}

/* GGUF gives the width of all value heads together, and newer files hold the projections apart. */
static enum jl_status read_gguf(struct model_file *file, const struct family *family,
                                struct hparams *hp, struct jl_error *err) {
    char name[96];
    snprintf(name, sizeof name, "%s.attention.recurrent_layers", family->gguf);
    const struct meta *value = meta_find(file->meta, name);
    if (value) return hparams_refuse(file, name, value, "full_attention_interval", err);
    if (hp->delta_head_v && hp->delta_inner % hp->delta_head_v)
        return jl_fail(err, JL_ERR_FORMAT, "%s: %d values are not shared evenly by %d heads",
                       file->path, hp->delta_inner, hp->delta_head_v);
    if (hp->delta_head_v) hp->delta_dim_v = hp->delta_inner / hp->delta_head_v;
    hp->delta_split = true;
    for (int i = 0; i < hp->n_layer && hp->delta_split; i++) {
        snprintf(name, sizeof name, "blk.%d.ssm_in.weight", i);
        hp->delta_split = !model_file_find(file, name);
    }
    return JL_OK;
}

enum jl_status hparams_derive_recurrent(struct model_file *file, const struct family *family,
                                        struct hparams *hp, struct jl_error *err) {
    if (!family->mixer[MIXER_RECURRENT]) return JL_OK;
    JL_TRY(read_kinds(file, family, hp, err));
    if (file->kind == MODEL_FILE_GGUF) JL_TRY(read_gguf(file, family, hp, err));
    return check_shape(file, family, hp, err);
}
