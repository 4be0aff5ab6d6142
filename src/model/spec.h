/* What a family file may say: names, rules and programs, as data. See families/llama.c. */
#ifndef JL_MODEL_SPEC_H
#define JL_MODEL_SPEC_H

#include <stdbool.h>

#include "backend/backend.h"
#include "backend/ops.h"
#include "model/hparams.h"
#include "model/roles.h"

/* ---- programs ---- */

/* What OP_TAKE takes (plan_take.c): heads without their rotary part, a vector each; the halves of
 * heads that hold a query and its gate; the parts of a recurrent layer's projections. */
enum take_id {
    TAKE_NONE,
    TAKE_NOPE,
    TAKE_QUERY,
    TAKE_GATE,
    TAKE_QKV,
    TAKE_Z,
    TAKE_BETA,
    TAKE_ALPHA
};

/* One line of a program: out = op(in, in2; weight). When the plan is built, a step whose optional
 * weight is absent vanishes, and so does one that reads what no step before it in the program has
 * written. */
struct prog_step {
    enum op_id op;
    enum reg_id out, in, in2, in3;
    enum role_id w;
    enum expert_part part; // OP_EXPERTS
    float eps;             // of a norm, where it is not the configuration's
    enum take_id take;     // OP_TAKE
};

struct prog {
    const char *name;
    const struct prog_step *steps;
    int n_step;
};

/* The programs there are (programs.c). */
extern const struct prog prog_embed;  // tokens -> h
extern const struct prog prog_gqa;    // grouped-query attention with its own q, k, v
extern const struct prog prog_mla;    // attention over one latent key a position
extern const struct prog prog_gated;  // the same, each head's output gated
extern const struct prog prog_delta;  // recurrent: the gated delta rule behind a convolution
extern const struct prog prog_swiglu; // dense gated feed-forward
extern const struct prog prog_moe;    // routed experts and, where there is one, a shared expert
extern const struct prog prog_head;   // h -> logits
extern const struct prog prog_mtp;    // the next token and the last hidden state -> h
extern const struct prog prog_mtp_head;

/* ---- families ---- */

enum rope_pairs { ROPE_HALF, ROPE_INTERLEAVED };

struct role_rule {
    enum role_id role;
    enum role_need need;
};

enum role_transform { AS_STORED, ADD_ONE, NEG_EXP }; // w, w + 1, -exp(w)

/* A role's tensor under another name than the role table's, or as a part of another: the tensor
 * then holds `parts` of the role's size one after the other, and the role is part `part` of them. A
 * family may name several; the first that the file has is taken. */
struct role_source {
    enum role_id role;
    const char *gguf, *hf; // NULL: not in such files
    int part, parts;       // parts 0: the whole tensor
    enum role_transform hf_transform;
    bool read_only; // GGUF files may have it so; those written here have it otherwise
};

enum mixer_kind { MIXER_ATTENTION, MIXER_RECURRENT, MIXER_COUNT };
enum ffn_kind { FFN_DENSE, FFN_MOE, FFN_COUNT };

#define FAMILY_MAX_RULES 24
#define FAMILY_MAX_SOURCES 16
#define FAMILY_MAX_IGNORED 4

struct family {
    const char *name;
    const char *gguf; // general.architecture
    int gguf_gating;  // expert_gating_func (1 softmax, 2 sigmoid), where families share one
    const char *hf;   // architectures[0]
    const char *hf_model_type; // "a|b": model_type, when there is no architectures list
    int hf_spelling;           // which of a configuration key's names "a|b" its folders use
    enum rope_pairs rope_gguf; // some families' GGUF rows are permuted for the other pairing
    enum rope_pairs rope_hf;
    const struct prog *mixer[MIXER_COUNT]; // NULL: no such layers
    const struct prog *ffn[FFN_COUNT];     // NULL: no such layers
    bool mtp; // files may hold a layer that predicts further tokens (prog_mtp)
    struct role_rule rules[FAMILY_MAX_RULES];       // ends at role ROLE_NONE
    struct role_source sources[FAMILY_MAX_SOURCES]; // ends at role ROLE_NONE
    const char *ignored[FAMILY_MAX_IGNORED]; // ends of names of tensors that carry nothing to
                                             // compute; "mtp.*": beginning of those of a part

    double rotary_share;    // of a head, where a folder does not say; 0: all of it
    int attention_interval; // the same: layer i is recurrent unless (i + 1) % this == 0

    /* Mixtures of experts. Layer i has one when (i + moe_phase) % moe_step == 0, from the dense
     * layers at the start on. */
    int moe_phase;
    enum route_scoring scoring;
    enum route_group group;
    enum tristate norm_topk_gguf, norm_topk_hf; // where the file does not say
    bool routing_said;  // folders must say groups and scale, whose defaults are one model's
    float norm_floor;   // added to the sum that weights are normalised by
    bool norm_unscaled; // normalised weights are not scaled, and one alone is not normalised
};

/* Does its cache hold one latent key a position? */
static inline bool family_is_latent(const struct family *family) {
    return family->mixer[MIXER_ATTENTION] == &prog_mla;
}

extern const struct family family_deepseek_v2, family_deepseek_v3, family_glm4, family_glm4_moe,
    family_llama, family_qwen2, family_qwen3, family_qwen3_moe, family_qwen3_next;

#endif
