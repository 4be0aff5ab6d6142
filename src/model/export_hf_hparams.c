/* Hyper-parameters as the keys of config.json. What other programs have defaults of their own for
 * is written even where it is our default. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/fmath.h"
#include "format/report.h"
#include "model/export_hf.h"
#include "model/hparams_read.h"

struct keys {
    json_t *config;
    const struct family *family;
    const char *path; // for messages
    bool ok;          // false: out of memory
    struct jl_error *err;
};

static void put(struct keys *k, json_t *object, const char *key, json_t *value) {
    if (!value || json_object_set_new(object, key, value) != 0) k->ok = false;
}

static enum jl_status cannot(const struct keys *k, const char *what) {
    return report_fail(k->err, JL_ERR_UNSUPPORTED, k->path, "%s, which a folder of %s cannot say",
                       what, k->family->name);
}

/* ---- the list, row by row ---- */

enum value_type { type_int, type_double, type_tristate };

static const struct hparam_key {
    const char *field, *hf; // hf NULL: folders do not say it
    enum value_type type;
    double fallback;
    size_t offset;
} rows[] = {
#define X(field, type, gguf, hf, fallback, min, max)                                               \
    {#field, hf, type_##type, fallback, offsetof(struct hparams, field)},
    HPARAM_LIST(X)
#undef X
};

/* Of "a|b" the name that the family's folders use. */
static void put_name(const struct family *family, const char *names, char out[96]) {
    const char *second = strchr(names, '|');
    if (second && family->hf_spelling) names = second + 1;
    size_t len = strcspn(names, "|");
    memcpy(out, names, len);
    out[len] = 0;
}

/* Keys of which other programs have another default than we. */
static bool is_always_said(const struct family *family, const struct hparams *hp,
                           const char *field) {
    static const char *const of_groups[] = {"n_group", "n_group_used", "routed_scale",
                                            "n_dense_layer"};
    if (!strcmp(field, "rope_theta")) return true;
    if (!strcmp(field, "n_mtp")) return family->mtp;
    for (size_t i = 0; i < sizeof of_groups / sizeof of_groups[0]; i++)
        if (!strcmp(field, of_groups[i])) return family->hf_spelling && hp->n_expert;
    return false;
}

static void put_row(struct keys *k, const struct hparam_key *row, const struct hparams *hp) {
    const void *field = (const char *)hp + row->offset;
    char name[96];
    double number = row->type == type_double ? *(const double *)field
                    : row->type == type_int  ? *(const int *)field
                                             : (int)*(const enum tristate *)field;
    if (!row->hf || (number == row->fallback && !is_always_said(k->family, hp, row->field))) return;
    put_name(k->family, row->hf, name);
    switch (row->type) {
    case type_int: put(k, k->config, name, json_integer((json_int_t)number)); break;
    case type_double: put(k, k->config, name, json_real(number)); break;
    case type_tristate: put(k, k->config, name, json_boolean(number == YES)); break;
    }
}

/* ---- rotary scaling ---- */

static double yarn_magnitude(double factor, double mscale) {
    return factor <= 1 ? 1 : 0.1 * mscale * fmath_log64(factor) + 1;
}

/* The mscale_all_dim that gives a magnitude, to the bit: what a GGUF file says is ten times a
 * float, other files say short decimals. 0: none was found. */
static double find_mscale(double factor, double magnitude) {
    double near = (magnitude - 1) / (0.1 * fmath_log64(factor));
    const double tries[] = {near, 10 * (double)(float)(near / 10),
                            (double)(int64_t)(near * 1e6 + 0.5) / 1e6};
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++)
        if (yarn_magnitude(factor, tries[i]) == magnitude) return tries[i];
    return 0;
}

static enum jl_status put_yarn(struct keys *k, json_t *object, const struct rope_hparams *rope) {
    put(k, object, "original_max_position_embeddings", json_integer((json_int_t)rope->n_ctx_orig));
    put(k, object, "beta_fast", json_real(rope->beta_fast));
    put(k, object, "beta_slow", json_real(rope->beta_slow));
    if (!rope->truncate) put(k, object, "truncate", json_false());
    double usual = yarn_magnitude(rope->factor, 1);
    if (rope->attn_magnitude != 1) {
        double mscale = find_mscale(rope->factor, rope->attn_magnitude);
        if (mscale == 0) return cannot(k, "scores have a scale of their own");
        put(k, object, "mscale_all_dim", json_real(mscale));
        if (rope->magnitude == 1) put(k, object, "mscale", json_real(mscale));
        usual = rope->magnitude == 1 ? 1 : usual;
    }
    if (rope->magnitude != usual) put(k, object, "attention_factor", json_real(rope->magnitude));
    return JL_OK;
}

static enum jl_status put_rope(struct keys *k, const struct rope_hparams *rope) {
    if (rope->scaling == ROPE_PLAIN) return JL_OK;
    json_t *object = json_object();
    put(k, k->config, "rope_scaling", object);
    if (!k->ok) return JL_OK;
    put(k, object, "rope_type", json_string(hparams_rope_name(rope->scaling)));
    put(k, object, "factor", json_real(rope->factor));
    if (rope->scaling == ROPE_YARN) return put_yarn(k, object, rope);
    if (rope->scaling != ROPE_LLAMA3) return JL_OK;
    put(k, object, "original_max_position_embeddings", json_integer((json_int_t)rope->n_ctx_orig));
    put(k, object, "low_freq_factor", json_real(rope->low_freq_factor));
    put(k, object, "high_freq_factor", json_real(rope->high_freq_factor));
    return JL_OK;
}

/* ---- layers ---- */

/* The dense layers that the counts do not tell of. */
static enum jl_status put_dense_layers(struct keys *k, const struct hparams *hp) {
    struct hparams counted = *hp;
    if (!hp->n_expert) return JL_OK;
    counted.moe = (struct layer_set){{0}};
    hparams_moe_layers(k->family, &counted.moe, &counted);
    json_t *list = json_array();
    for (int i = 0; i < hparams_n_block(hp); i++) {
        bool is_moe = layer_set_has(&hp->moe, i), by_count = layer_set_has(&counted.moe, i);
        if (is_moe && !by_count) {
            json_decref(list);
            return cannot(k, "its mixtures of experts follow no rule");
        }
        if (by_count && !is_moe && json_array_append_new(list, json_integer(i)) != 0) k->ok = false;
    }
    if (!k->family->hf_spelling || json_array_size(list))
        put(k, k->config, "mlp_only_layers", list);
    else
        json_decref(list);
    return JL_OK;
}

/* Every interval-th layer attends, or each is named. */
static void put_recurrent(struct keys *k, const struct hparams *hp) {
    for (int n = 1; n <= hp->n_layer + 1 && n <= HPARAM_MAX_LAYERS; n++) {
        bool fits = true;
        for (int i = 0; i < hp->n_layer && fits; i++)
            fits = layer_set_has(&hp->recurrent, i) == ((i + 1) % n != 0);
        if (!fits) continue;
        put(k, k->config, "full_attention_interval", json_integer(n));
        return;
    }
    json_t *list = json_array();
    for (int i = 0; i < hp->n_layer; i++) {
        const char *name = layer_set_has(&hp->recurrent, i) ? "linear_attention" : "full_attention";
        if (json_array_append_new(list, json_string(name)) != 0) k->ok = false;
    }
    put(k, k->config, "layer_types", list);
}

/* ---- derived values, back to what the keys say ---- */

static enum jl_status as_keys(struct keys *k, const struct hparams *from, struct hparams *out) {
    struct hparams *hp = out;
    double usual = 1 / sqrt((double)from->head_dim_k);
    *hp = *from;
    hp->attention_interval = 0; // put_recurrent
    if (family_is_latent(k->family)) {
        hp->n_head_kv = hp->n_head;
        hp->nope_dim = hp->head_dim_k - hp->n_rot;
        hp->rope_dim = hp->n_rot;
        hp->mla_dim_v = hp->head_dim_v;
        hp->head_dim_k = 0; // by its parts
        hp->rotary_share = 0;
    } else {
        if (hp->head_dim_v != hp->head_dim_k)
            return cannot(k, "values have heads of another size than keys");
        if (hp->attn_scale != usual) return cannot(k, "scores have a scale of their own");
        hp->rotary_share = (double)hp->n_rot / hp->head_dim_k;
        if ((int)(hp->head_dim_k * hp->rotary_share) != hp->n_rot)
            return cannot(k, "no share of a head is the part that is turned");
        if (hp->rotary_share == 1 && !(k->family->rotary_share > 0)) hp->rotary_share = 0;
    }
    if (!k->family->hf_spelling) {
        hp->n_dense_layer = 0; // a list
        hp->n_expert_shared = UNSAID;
    } else {
        if (hp->n_expert_shared > 0 && hp->n_ff_shexp != hp->n_expert_shared * hp->n_ff_exp)
            return cannot(k, "its shared experts are no whole number of experts");
        hp->n_ff_shexp = 0;
    }
    return JL_OK;
}

static void put_head(struct keys *k) {
    char type[64];
    size_t len = strcspn(k->family->hf_model_type, "|");
    memcpy(type, k->family->hf_model_type, len);
    type[len] = 0;
    json_t *list = json_array();
    if (json_array_append_new(list, json_string(k->family->hf)) != 0) k->ok = false;
    put(k, k->config, "architectures", list);
    put(k, k->config, "model_type", json_string(type));
    put(k, k->config, "hidden_act", json_string("silu"));
}

static enum jl_status put_all(struct keys *k, const struct hparams *hp) {
    struct hparams said;
    JL_TRY(as_keys(k, hp, &said));
    put_head(k);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        put_row(k, &rows[i], &said);
    JL_TRY(put_rope(k, &hp->rope));
    if (hp->rope.half) put(k, k->config, "rope_interleave", json_false());
    if (k->family->mixer[MIXER_RECURRENT]) put_recurrent(k, hp);
    if (!k->family->ffn[FFN_MOE] || !hp->n_expert) return JL_OK;
    JL_TRY(put_dense_layers(k, &said));
    if (!k->family->hf_spelling) return JL_OK;
    put(k, k->config, "scoring_func", json_string(hparams_scoring_name(k->family)));
    put(k, k->config, "topk_method", json_string(hparams_method_name(k->family, hp)));
    return JL_OK;
}

enum jl_status export_hf_hparams(const struct family *family, const struct hparams *hp,
                                 const char *path, json_t **out, struct jl_error *err) {
    struct keys k = {
        .config = json_object(), .family = family, .path = path, .ok = true, .err = err};
    enum jl_status status = k.config ? put_all(&k, hp) : JL_OK;
    *out = NULL;
    if (status == JL_OK && (!k.config || !k.ok))
        status = report_no_memory(err, path, "its configuration");
    if (status == JL_OK)
        *out = k.config;
    else
        json_decref(k.config);
    return status;
}
