/* Latent attention: head sizes as either kind of file spells them, and the scale of scores.
 *
 * A folder names the parts of a head. A GGUF file with a joint kv_b gives whole heads as key_length
 * and value_length; one with split matrices gives there what the cache holds, and whole heads as
 * key_length_mla and value_length_mla. */
#include <math.h>

#include "model/hparams_read.h"

static enum jl_status missing(const struct model_file *file, const char *key,
                              struct jl_error *err) {
    return jl_fail(err, JL_ERR_FORMAT, "%s: required key '%s' is missing", file->path, key);
}

static enum jl_status heads_of_folder(const struct model_file *file, struct hparams *hp,
                                      struct jl_error *err) {
    if (hp->nope_dim == 0) return missing(file, "qk_nope_head_dim", err);
    if (hp->rope_dim == 0) return missing(file, "qk_rope_head_dim", err);
    if (hp->mla_dim_v == 0) return missing(file, "v_head_dim", err);
    hp->head_dim_k = hp->nope_dim + hp->rope_dim;
    hp->head_dim_v = hp->mla_dim_v;
    hp->n_rot = hp->rope_dim;
    return JL_OK;
}

static enum jl_status heads_of_gguf(const struct model_file *file, struct hparams *hp,
                                    struct jl_error *err) {
    if (hp->n_rot == 0) return missing(file, "deepseek2.rope.dimension_count", err);
    if (hp->head_dim_k == 0) return missing(file, "deepseek2.attention.key_length", err);
    if (hp->head_dim_v == 0) return missing(file, "deepseek2.attention.value_length", err);
    hp->kv_split = hp->mla_dim_k > 0 || hp->mla_dim_v > 0;
    if (!hp->kv_split) return JL_OK;
    if (hp->mla_dim_k == 0) return missing(file, "deepseek2.attention.key_length_mla", err);
    if (hp->mla_dim_v == 0) return missing(file, "deepseek2.attention.value_length_mla", err);
    if (hp->head_dim_k != hp->kv_lora_rank + hp->n_rot || hp->head_dim_v != hp->kv_lora_rank)
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: key_length %d and value_length %d are not those of a latent of %d with "
                       "%d rotary dimensions",
                       file->path, hp->head_dim_k, hp->head_dim_v, hp->kv_lora_rank, hp->n_rot);
    hp->head_dim_k = hp->mla_dim_k;
    hp->head_dim_v = hp->mla_dim_v;
    return JL_OK;
}

enum jl_status hparams_derive_mla(struct model_file *file, struct hparams *hp,
                                  struct jl_error *err) {
    bool gguf = file->kind == MODEL_FILE_GGUF;
    if (hp->kv_lora_rank == 0)
        return missing(file, gguf ? "deepseek2.attention.kv_lora_rank" : "kv_lora_rank", err);
    JL_TRY(gguf ? heads_of_gguf(file, hp, err) : heads_of_folder(file, hp, err));
    if (hp->n_rot >= hp->head_dim_k)
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: a head of %d dimensions has no room for %d rotary ones and others",
                       file->path, hp->head_dim_k, hp->n_rot);
    const struct meta *pairs = gguf ? NULL : meta_find(file->meta, "rope_interleave");
    if (pairs && pairs->kind != META_NULL && pairs->kind != META_BOOL)
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: key 'rope_interleave' is %s, expected true or false", file->path,
                       meta_kind_name(pairs->kind));
    hp->rope.half = pairs && pairs->kind == META_BOOL && !pairs->as.b;
    if (hp->kv_lora_rank % 2)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "%s: kv_lora_rank %d is odd; it must be even",
                       file->path, hp->kv_lora_rank);
    hp->n_head_kv = 1; // the latent, whatever num_key_value_heads says
    double magnitude = hp->rope.attn_magnitude;
    hp->attn_scale = magnitude * magnitude / sqrt((double)hp->head_dim_k);
    return JL_OK;
}
