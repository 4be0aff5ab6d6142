#include "model/quant_preset.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- parts of a model, by the stem of a tensor's name: "ffn_down" of "blk.3.ffn_down.weight" ----
 */

enum part { PART_OTHER, PART_HEAD, PART_EMBED, PART_V, PART_K, PART_O, PART_DOWN, PART_KEEP };

static const struct {
    const char *stem;
    enum part part;
} parts[] = {
    {"output", PART_HEAD},
    {"token_embd", PART_EMBED},
    {"attn_v", PART_V},
    {"attn_qkv", PART_V},
    {"attn_kv_b", PART_V},
    {"attn_k", PART_K},
    {"attn_output", PART_O},
    {"ffn_down", PART_DOWN},
    {"ffn_down_exps", PART_DOWN},
    {"ffn_down_shexp", PART_DOWN},
    {"ffn_gate_inp", PART_KEEP},       // routers
    {"ffn_gate_inp_shexp", PART_KEEP}, // the switch of a shared expert
    {"ssm_conv1d", PART_KEEP},         // a few taps a channel
    {"ssm_conv1d_q", PART_KEEP},
    {"ssm_conv1d_k", PART_KEEP},
    {"ssm_conv1d_v", PART_KEEP},
};

/* ---- rules ---- */

enum when {
    ALWAYS,
    MORE_BITS,    // the first and the last eighth of the layers, and every third between
    FIRST_8TH,    // of the layers
    FIRST_8TH_NO, // the same, without an importance matrix
    FIRST_8TH_IM, // the same, with one
    FIRST_16TH,
    FIRST_2, // layers
    FIRST_4,
    GQA_4,     // at least four query heads a key/value head
    GQA_8_80,  // eight of them in 80 layers: the 70B models, whose attn_v is small
    EXPERTS_8, // exactly eight: the attention is small beside them
};

struct rule {
    enum part part;
    enum when when;
    enum dtype dtype;
};

#define MAX_RULES 11

/* The first rule that fits decides; without one the matrix gets `dtype`. Rules end at a part that
 * none is for, PART_OTHER. */
struct quant_preset {
    const char *name;
    uint32_t file_type; // llama.cpp's number
    enum dtype dtype;
    struct rule rules[MAX_RULES];
};

#define HEAD_Q6                                                                                    \
    { PART_HEAD, ALWAYS, DTYPE_Q6_K }
#define ATTENTION_8                                                                                \
    {PART_V, EXPERTS_8, DTYPE_Q8_0}, { PART_K, EXPERTS_8, DTYPE_Q8_0 }

static const struct quant_preset presets[] = {
    {"F32", 0, DTYPE_F32, {{0}}},
    {"F16", 1, DTYPE_F16, {{0}}},
    {"BF16", 32, DTYPE_BF16, {{0}}},
    {"Q8_0", 7, DTYPE_Q8_0, {{0}}},
    {"Q6_K", 18, DTYPE_Q6_K, {ATTENTION_8}},
    {"Q5_K_M",
     17,
     DTYPE_Q5_K,
     {HEAD_Q6, ATTENTION_8, {PART_V, MORE_BITS, DTYPE_Q6_K}, {PART_DOWN, MORE_BITS, DTYPE_Q6_K}}},
    {"Q5_K_S", 16, DTYPE_Q5_K, {HEAD_Q6, ATTENTION_8}},
    {"Q4_K_M",
     15,
     DTYPE_Q4_K,
     {HEAD_Q6,
      ATTENTION_8,
      {PART_O, EXPERTS_8, DTYPE_Q5_K},
      {PART_V, MORE_BITS, DTYPE_Q6_K},
      {PART_V, GQA_8_80, DTYPE_Q5_K},
      {PART_DOWN, MORE_BITS, DTYPE_Q6_K}}},
    {"Q4_K_S",
     14,
     DTYPE_Q4_K,
     {HEAD_Q6,
      ATTENTION_8,
      {PART_O, EXPERTS_8, DTYPE_Q5_K},
      {PART_V, FIRST_4, DTYPE_Q5_K},
      {PART_V, GQA_8_80, DTYPE_Q5_K},
      {PART_DOWN, FIRST_8TH, DTYPE_Q5_K}}},
    {"Q4_0", 2, DTYPE_Q4_0, {HEAD_Q6, ATTENTION_8, {PART_DOWN, FIRST_8TH_IM, DTYPE_Q4_1}}},
    {"IQ4_XS",
     30,
     DTYPE_IQ4_XS,
     {HEAD_Q6,
      ATTENTION_8,
      {PART_O, EXPERTS_8, DTYPE_Q5_K},
      {PART_V, GQA_4, DTYPE_Q5_K},
      {PART_DOWN, FIRST_8TH_NO, DTYPE_Q5_K}}},
    {"IQ4_NL",
     25,
     DTYPE_IQ4_NL,
     {HEAD_Q6,
      ATTENTION_8,
      {PART_O, EXPERTS_8, DTYPE_Q5_K},
      {PART_V, GQA_4, DTYPE_Q5_K},
      {PART_DOWN, FIRST_8TH_NO, DTYPE_Q5_K}}},
    {"Q3_K_M",
     12,
     DTYPE_Q3_K,
     {HEAD_Q6,
      ATTENTION_8,
      {PART_O, EXPERTS_8, DTYPE_Q5_K},
      {PART_O, ALWAYS, DTYPE_Q4_K},
      {PART_V, FIRST_2, DTYPE_Q5_K},
      {PART_V, GQA_8_80, DTYPE_Q5_K},
      {PART_V, ALWAYS, DTYPE_Q4_K},
      {PART_DOWN, FIRST_16TH, DTYPE_Q5_K},
      {PART_DOWN, ALWAYS, DTYPE_Q4_K}}},
    {"Q2_K",
     10,
     DTYPE_Q2_K,
     {HEAD_Q6,
      ATTENTION_8,
      {PART_O, EXPERTS_8, DTYPE_Q5_K},
      {PART_O, ALWAYS, DTYPE_Q3_K},
      {PART_V, GQA_8_80, DTYPE_Q5_K},
      {PART_V, GQA_4, DTYPE_Q4_K},
      {PART_V, ALWAYS, DTYPE_Q3_K},
      {PART_DOWN, ALWAYS, DTYPE_Q3_K}}},
};
#define N_PRESET ((int)(sizeof presets / sizeof presets[0]))

/* In place of a type whose blocks do not divide a row: one with blocks of 32, no worse. */
static enum dtype of_small_blocks(enum dtype dtype) {
    switch (dtype) {
    case DTYPE_Q2_K:
    case DTYPE_Q3_K:
    case DTYPE_IQ4_XS: return DTYPE_IQ4_NL;
    case DTYPE_Q4_K: return DTYPE_Q5_0;
    case DTYPE_Q5_K: return DTYPE_Q5_1;
    default: return DTYPE_Q8_0;
    }
}

const struct quant_preset *quant_preset_at(int i) { return i < N_PRESET ? &presets[i] : NULL; }

const struct quant_preset *quant_preset_find(const char *name) {
    for (int i = 0; i < N_PRESET; i++)
        if (!strcasecmp(presets[i].name, name)) return &presets[i];
    return NULL;
}

const char *quant_preset_name(const struct quant_preset *preset) { return preset->name; }

uint32_t quant_preset_file_type(const struct quant_preset *preset) { return preset->file_type; }

bool quant_preset_is_float(const struct quant_preset *preset) {
    return dtype_row(preset->dtype)->block == 1;
}

/* ---- choosing ---- */

#define WEIGHT ".weight"

/* Layer of "blk.3.ffn_down.weight", -1 when it has none, and the stem. False for another ending. */
static bool split_name(const char *name, int *layer, const char **stem, size_t *len) {
    int used = 0;
    *layer = -1;
    if (sscanf(name, "blk.%d.%n", layer, &used) == 1 && used > 0) name += used;
    size_t all = strlen(name), tail = strlen(WEIGHT);
    *stem = name;
    *len = all > tail ? all - tail : 0;
    return all > tail && !strcmp(name + all - tail, WEIGHT);
}

static enum part find_part(const char *stem, size_t len) {
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strlen(parts[i].stem) == len && !memcmp(parts[i].stem, stem, len)) return parts[i].part;
    return PART_OTHER;
}

static bool fits(enum when when, const struct quant_model *model, int layer) {
    int n = model->n_layer;
    switch (when) {
    case ALWAYS: return true;
    case MORE_BITS: return layer < n / 8 || layer >= 7 * n / 8 || (layer - n / 8) % 3 == 2;
    case FIRST_8TH: return layer < n / 8;
    case FIRST_8TH_NO: return layer < n / 8 && !model->imatrix;
    case FIRST_8TH_IM: return layer < n / 8 && model->imatrix;
    case FIRST_16TH: return layer < n / 16;
    case FIRST_2: return layer < 2;
    case FIRST_4: return layer < 4;
    case GQA_4: return model->n_head >= 4 * model->n_head_kv;
    case GQA_8_80: return n == 80 && model->n_head >= 8 * model->n_head_kv;
    case EXPERTS_8: return model->n_expert == 8;
    }
    return false;
}

static enum dtype by_rules(const struct quant_preset *preset, const struct quant_model *model,
                           enum part part, int layer) {
    for (int i = 0; i < MAX_RULES && preset->rules[i].part != PART_OTHER; i++) {
        const struct rule *rule = &preset->rules[i];
        if (rule->part == part && fits(rule->when, model, layer)) return rule->dtype;
    }
    return preset->dtype;
}

static bool is_float(enum dtype dtype) {
    return dtype == DTYPE_F32 || dtype == DTYPE_F16 || dtype == DTYPE_BF16 ||
           dtype == DTYPE_F8_E4M3;
}

static bool is_number(enum dtype dtype) { return dtype_row(dtype)->x_f32 != XFMT_NONE; }

struct quant_choice quant_preset_choose(const struct quant_preset *preset,
                                        const struct quant_model *model,
                                        const struct quant_tensor *tensor) {
    int layer;
    const char *stem;
    size_t len;
    struct quant_choice choice = {tensor->dtype, tensor->dtype, false};
    if (!is_number(tensor->dtype)) return choice;
    bool weight = split_name(tensor->name, &layer, &stem, &len);
    enum part part = find_part(stem, len);
    bool norm = len >= 5 && !memcmp(stem + len - 5, "_norm", 5);
    if (!weight || tensor->n_dim < 2 || norm || part == PART_KEEP) {
        if (is_float(tensor->dtype)) choice.dtype = choice.wanted = DTYPE_F32;
        return choice;
    }
    if (part == PART_EMBED && model->tied) part = PART_HEAD;
    choice.is_matrix = true;
    choice.dtype = choice.wanted = by_rules(preset, model, part, layer);
    if (tensor->n_in % dtype_row(choice.dtype)->block) choice.dtype = of_small_blocks(choice.dtype);
    if (tensor->n_in % dtype_row(choice.dtype)->block) choice.dtype = DTYPE_F16;
    return choice;
}
