/* What a family file may say: names, rules and programs, as data. See families/llama.c. */
#ifndef JL_MODEL_SPEC_H
#define JL_MODEL_SPEC_H

#include <stdbool.h>

#include "backend/ops.h"
#include "model/hparams.h"
#include "model/roles.h"

/* ---- programs ---- */

/* One line of a program: out = op(in, in2; weight). A step whose optional weight is absent vanishes
 * when the plan is built. */
struct prog_step {
    enum op_id op;
    enum reg_id out, in, in2;
    enum role_id w;
};

struct prog {
    const char *name;
    const struct prog_step *steps;
    int n_step;
};

/* The programs there are (programs.c). */
extern const struct prog prog_embed;  // tokens -> h
extern const struct prog prog_gqa;    // grouped-query attention with its own q, k, v
extern const struct prog prog_swiglu; // dense gated feed-forward
extern const struct prog prog_head;   // h -> logits

/* ---- families ---- */

enum rope_pairs { ROPE_HALF, ROPE_INTERLEAVED };

/* Is a role's tensor there? By default a role that no rule names is REQUIRED when a program of the
 * family uses it. OPTIONAL: present in every layer or in none. BY_*: a config key decides, and
 * where the file has no such key it is OPTIONAL. */
enum role_need { REQUIRED, OPTIONAL, ABSENT, BY_ATTENTION_BIAS, BY_MLP_BIAS, BY_UNTIED };

struct role_rule {
    enum role_id role;
    enum role_need need;
};

struct layer_rule {
    const struct prog *mixer, *ffn;
};

#define FAMILY_MAX_RULES 24
#define FAMILY_MAX_IGNORED 4

struct family {
    const char *name;
    const char *gguf;          // general.architecture
    const char *hf;            // architectures[0]
    const char *hf_model_type; // model_type, when there is no architectures list
    enum rope_pairs rope_gguf; // some families' GGUF rows are permuted for the other pairing
    enum rope_pairs rope_hf;
    struct layer_rule layers;
    struct role_rule rules[FAMILY_MAX_RULES]; // ends at role ROLE_NONE
    const char *ignored[FAMILY_MAX_IGNORED];  // tensor name suffixes that carry nothing to compute
};

extern const struct family family_llama, family_qwen2, family_qwen3;

#endif
