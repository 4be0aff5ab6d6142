/* The metadata of a model as GGUF keys: copied, or written from hyper-parameters. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/fmath.h"
#include "format/report.h"
#include "model/export.h"

/* ---- from a GGUF file ---- */

static bool begins_with(const char *key, const char *prefix) {
    return !strncmp(key, prefix, strlen(prefix));
}

/* Keys about the file they stand in, which the new one is not. */
static bool is_of_the_file(const char *key) {
    static const char *const keys[] = {"general.alignment", "general.file_type",
                                       "general.quantization_version"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (!strcmp(key, keys[i])) return true;
    return begins_with(key, "split.") || begins_with(key, "quantize.");
}

static void copy_metadata(const struct meta *meta, struct gguf_writer *writer) {
    for (size_t i = 0; i < meta->as.list.count; i++) {
        const struct meta *item = &meta->as.list.items[i];
        if (!is_of_the_file(item->key)) gguf_put_meta(writer, item);
    }
}

/* ---- from hyper-parameters ---- */

struct keys {
    struct gguf_writer *writer;
    const char *arch;
    char key[160];
};

/* Of "a|b", two spellings that readers know, the first is written. */
static const char *key_of(struct keys *k, const char *name) {
    snprintf(k->key, sizeof k->key, "%s.%.*s", k->arch, (int)strcspn(name, "|"), name);
    return k->key;
}

enum value_type { type_int, type_double, type_tristate };

static const struct {
    const char *gguf; // NULL: such files do not say it
    enum value_type type;
    double fallback;
    size_t offset;
} rows[] = {
#define X(field, type, gguf, hf, fallback, min, max)                                               \
    {gguf, type_##type, fallback, offsetof(struct hparams, field)},
    HPARAM_LIST(X)
#undef X
};

/* Keys of mixtures of experts that other programs ask for even where they say what is usual. */
static bool is_asked_for(const struct hparams *hp, const char *key) {
    if (!strcmp(key, "expert_group_used_count")) return hp->n_group > 1;
    return hp->n_expert &&
           (!strcmp(key, "leading_dense_block_count") || !strcmp(key, "expert_weights_scale"));
}

/* Values that are the default of a file without the key are not written. */
static void put_rows(struct keys *k, const struct hparams *hp) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const void *field = (const char *)hp + rows[i].offset;
        double number = rows[i].type == type_double ? *(const double *)field
                        : rows[i].type == type_int  ? *(const int *)field
                                                    : (int)*(const enum tristate *)field;
        if (!rows[i].gguf) continue;
        if (number == rows[i].fallback && !is_asked_for(hp, rows[i].gguf)) continue;
        const char *key = key_of(k, rows[i].gguf);
        switch (rows[i].type) {
        case type_int: gguf_put_u32(k->writer, key, (uint32_t)number); break;
        case type_double: gguf_put_f32(k->writer, key, (float)number); break;
        case type_tristate: gguf_put_bool(k->writer, key, number == YES); break;
        }
    }
}

/* What scores are multiplied by beyond the usual, as yarn_log_multiplier says it. */
static double log_multiplier(const struct rope_hparams *rope) {
    if (rope->factor <= 1 || rope->attn_magnitude == 1) return 0;
    return (rope->attn_magnitude - 1) / fmath_log64(rope->factor);
}

static enum jl_status put_rope(struct keys *k, const struct rope_hparams *rope, const char *path,
                               struct jl_error *err) {
    struct gguf_writer *w = k->writer;
    if (rope->scaling == ROPE_PLAIN || rope->scaling == ROPE_LLAMA3) return JL_OK; // by a tensor
    gguf_put_text(w, key_of(k, "rope.scaling.type"), hparams_rope_name(rope->scaling));
    gguf_put_f32(w, key_of(k, "rope.scaling.factor"), (float)rope->factor);
    if (rope->scaling != ROPE_YARN) return JL_OK;
    if (!rope->truncate)
        return report_fail(err, JL_ERR_UNSUPPORTED, path,
                           "rope_scaling.truncate is false, which a GGUF file cannot say");
    gguf_put_u32(w, key_of(k, "rope.scaling.original_context_length"), (uint32_t)rope->n_ctx_orig);
    gguf_put_f32(w, key_of(k, "rope.scaling.yarn_beta_fast"), (float)rope->beta_fast);
    gguf_put_f32(w, key_of(k, "rope.scaling.yarn_beta_slow"), (float)rope->beta_slow);
    double multiplier = log_multiplier(rope), usual = 1;
    if (multiplier > 0)
        gguf_put_f32(w, key_of(k, "rope.scaling.yarn_log_multiplier"), (float)multiplier);
    else if (rope->factor > 1)
        usual = 0.1 * fmath_log64(rope->factor) + 1;
    if (fabs(rope->magnitude / usual - 1) > 1e-9)
        gguf_put_f32(w, key_of(k, "rope.scaling.attn_factor"), (float)(rope->magnitude / usual));
    return JL_OK;
}

/* Layers at the start without experts. Readers take every layer behind them for a mixture. */
static int leading_dense(const struct hparams *hp) {
    int n = 0;
    while (hp->n_expert && n < hparams_n_block(hp) && !layer_set_has(&hp->moe, n))
        n++;
    return n;
}

static enum jl_status check_layers(const struct hparams *hp, const char *path,
                                   struct jl_error *err) {
    for (int i = leading_dense(hp); hp->n_expert && i < hparams_n_block(hp); i++)
        if (!layer_set_has(&hp->moe, i))
            return report_fail(err, JL_ERR_UNSUPPORTED, path,
                               "layer %d has no experts, which a GGUF file cannot say: its "
                               "mixtures of experts are all layers from some layer on",
                               i);
    return JL_OK;
}

static bool repeats_every(const struct hparams *hp, int interval) {
    for (int i = 0; i < hp->n_layer; i++)
        if (layer_set_has(&hp->recurrent, i) != ((i + 1) % interval != 0)) return false;
    return true;
}

/* Readers take every interval-th layer for one that attends. */
static enum jl_status find_interval(struct hparams *hp, const char *path, struct jl_error *err) {
    for (int i = 1; i <= hp->n_layer + 1; i++)
        if (repeats_every(hp, i)) {
            hp->attention_interval = i;
            return JL_OK;
        }
    return report_fail(err, JL_ERR_UNSUPPORTED, path,
                       "its recurrent layers follow no rule of every so many, which is all that a "
                       "GGUF file can say");
}

/* The folder's own name is the model's. */
static void put_name(struct gguf_writer *writer, const char *path) {
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    size_t at = len;
    while (at > 0 && path[at - 1] != '/')
        at--;
    if (len > at && path[at] != '.') gguf_put_string(writer, "general.name", path + at, len - at);
}

/* Derived values back to what the keys say: blocks include those that predict further tokens, and
 * latent attention with a joint kv_b is written as plain heads, all with their own key and value.
 */
static struct hparams as_keys(const struct family *family, const struct hparams *from) {
    struct hparams hp = *from;
    bool latent = family_is_latent(family);
    hp.n_dense_layer = leading_dense(from);
    hp.n_layer = hparams_n_block(from);
    if (latent || hp.attn_scale == 1 / sqrt((double)hp.head_dim_k))
        hp.attn_scale = 0; // the default
    hp.delta_inner = hp.delta_head_v * hp.delta_dim_v;
    if (latent) {
        hp.n_head_kv = hp.n_head;
        hp.mla_dim_k = hp.mla_dim_v = 0;
    }
    return hp;
}

enum jl_status export_hparams(const struct family *family, const struct hparams *hp,
                              struct gguf_writer *writer, const char *path, struct jl_error *err) {
    struct keys k = {.writer = writer, .arch = family->gguf};
    struct hparams said = as_keys(family, hp);
    JL_TRY(check_layers(hp, path, err));
    if (hp->rope.half)
        return report_fail(err, JL_ERR_UNSUPPORTED, path,
                           "rope_interleave is false, which a GGUF file cannot say");
    if (family->mixer[MIXER_RECURRENT]) JL_TRY(find_interval(&said, path, err));
    gguf_put_text(writer, "general.architecture", family->gguf);
    put_rows(&k, &said);
    if (hp->n_expert && family->gguf_gating)
        gguf_put_u32(writer, key_of(&k, "expert_gating_func"), (uint32_t)family->gguf_gating);
    return put_rope(&k, &hp->rope, path, err);
}

enum jl_status export_metadata(const struct model *model, struct gguf_writer *writer,
                               struct jl_error *err) {
    const char *path = model->file->path;
    if (model->file->kind == MODEL_FILE_GGUF) {
        copy_metadata(model->file->meta, writer);
        return JL_OK;
    }
    JL_TRY(export_hparams(model->family, &model->hp, writer, path, err));
    gguf_put_text(writer, "general.type", "model");
    put_name(writer, path);
    return JL_OK;
}
