/* The programs: what a block computes, as steps over registers. */
#include "model/spec.h"

#define PROG(id, label)                                                                            \
    const struct prog id = {label, id##_steps, sizeof id##_steps / sizeof id##_steps[0]}

static const struct prog_step prog_embed_steps[] = {
    {OP_EMBED, .out = REG_H, .w = ROLE_TOK_EMBD},
    {OP_ROPE_TABLE, .out = REG_CS},
};
PROG(prog_embed, "embed");

static const struct prog_step prog_gqa_steps[] = {
    {OP_NORM, .out = REG_X, .in = REG_H, .w = ROLE_ATTN_NORM},
    {OP_LINEAR, .out = REG_Q, .in = REG_X, .w = ROLE_ATTN_Q},
    {OP_BIAS, .out = REG_Q, .w = ROLE_ATTN_Q_B},
    {OP_LINEAR, .out = REG_K, .in = REG_X, .w = ROLE_ATTN_K},
    {OP_BIAS, .out = REG_K, .w = ROLE_ATTN_K_B},
    {OP_LINEAR, .out = REG_V, .in = REG_X, .w = ROLE_ATTN_V},
    {OP_BIAS, .out = REG_V, .w = ROLE_ATTN_V_B},
    {OP_HEAD_NORM, .out = REG_Q, .in = REG_Q, .w = ROLE_ATTN_Q_NORM},
    {OP_HEAD_NORM, .out = REG_K, .in = REG_K, .w = ROLE_ATTN_K_NORM},
    {OP_ROPE, .out = REG_Q, .in = REG_CS},
    {OP_ROPE, .out = REG_K, .in = REG_CS},
    {OP_KV_PUT, .in = REG_K, .in2 = REG_V},
    {OP_ATTN, .out = REG_A, .in = REG_Q},
    {OP_LINEAR, .out = REG_Y, .in = REG_A, .w = ROLE_ATTN_O},
    {OP_BIAS, .out = REG_Y, .w = ROLE_ATTN_O_B},
    {OP_NORM, .out = REG_Y, .in = REG_Y, .w = ROLE_ATTN_POST_NORM},
    {OP_ADD, .out = REG_H, .in = REG_Y},
};
PROG(prog_gqa, "gqa");

/* DeepSeek-V2 (arXiv 2405.04434), always with the keys' projection absorbed into the queries. The
 * norms of the two compressed vectors have an epsilon of their own in the published code. */
#define MLA_EPS 1e-6f
static const struct prog_step prog_mla_steps[] = {
    {OP_NORM, .out = REG_X, .in = REG_H, .w = ROLE_ATTN_NORM},
    {OP_LINEAR, .out = REG_Q, .in = REG_X, .w = ROLE_ATTN_Q},
    {OP_LINEAR, .out = REG_QA, .in = REG_X, .w = ROLE_ATTN_Q_A},
    {OP_BIAS, .out = REG_QA, .w = ROLE_ATTN_Q_A_B},
    {OP_NORM, .out = REG_QA, .in = REG_QA, .w = ROLE_ATTN_Q_A_NORM, .eps = MLA_EPS},
    {OP_LINEAR, .out = REG_Q, .in = REG_QA, .w = ROLE_ATTN_Q_UP},
    {OP_LINEAR, .out = REG_K, .in = REG_X, .w = ROLE_ATTN_KV_A},
    {OP_BIAS, .out = REG_K, .w = ROLE_ATTN_KV_A_B},
    {OP_HEAD_NORM, .out = REG_K, .in = REG_K, .w = ROLE_ATTN_KV_A_NORM, .eps = MLA_EPS},
    {OP_ROPE, .out = REG_Q, .in = REG_CS},
    {OP_ROPE, .out = REG_K, .in = REG_CS},
    {OP_KV_PUT, .in = REG_K, .in2 = REG_K},
    {OP_TAKE, .out = REG_QN, .in = REG_Q, .take = TAKE_NOPE},
    {OP_ABSORB, .out = REG_QJ, .in = REG_QN, .in2 = REG_Q, .w = ROLE_ATTN_KV_UP},
    {OP_ABSORB, .out = REG_QJ, .in = REG_QN, .in2 = REG_Q, .w = ROLE_ATTN_K_UP},
    {OP_ATTN, .out = REG_A, .in = REG_QJ},
    {OP_HEADS, .out = REG_O, .in = REG_A, .w = ROLE_ATTN_KV_UP},
    {OP_HEADS, .out = REG_O, .in = REG_A, .w = ROLE_ATTN_V_UP},
    {OP_LINEAR, .out = REG_Y, .in = REG_O, .w = ROLE_ATTN_O},
    {OP_BIAS, .out = REG_Y, .w = ROLE_ATTN_O_B},
    {OP_ADD, .out = REG_H, .in = REG_Y},
};
PROG(prog_mla, "mla");

static const struct prog_step prog_swiglu_steps[] = {
    {OP_NORM, .out = REG_X, .in = REG_H, .w = ROLE_FFN_NORM},
    {OP_LINEAR, .out = REG_G, .in = REG_X, .w = ROLE_FFN_GATE},
    {OP_BIAS, .out = REG_G, .w = ROLE_FFN_GATE_B},
    {OP_LINEAR, .out = REG_U, .in = REG_X, .w = ROLE_FFN_UP},
    {OP_BIAS, .out = REG_U, .w = ROLE_FFN_UP_B},
    {OP_SILU_MUL, .out = REG_G, .in = REG_G, .in2 = REG_U},
    {OP_LINEAR, .out = REG_Y, .in = REG_G, .w = ROLE_FFN_DOWN},
    {OP_BIAS, .out = REG_Y, .w = ROLE_FFN_DOWN_B},
    {OP_NORM, .out = REG_Y, .in = REG_Y, .w = ROLE_FFN_POST_NORM},
    {OP_ADD, .out = REG_H, .in = REG_Y},
};
PROG(prog_swiglu, "swiglu");

static const struct prog_step prog_moe_steps[] = {
    {OP_NORM, .out = REG_X, .in = REG_H, .w = ROLE_FFN_NORM},
    {OP_LINEAR, .out = REG_R, .in = REG_X, .w = ROLE_ROUTER},
    {OP_CHECK, .in = REG_R}, // an expert with NaN would never be chosen
    {OP_ROUTE, .out = REG_S, .in = REG_R, .w = ROLE_ROUTER_B},
    {OP_DISPATCH, .out = REG_XE, .in = REG_X, .in2 = REG_S},
    {OP_EXPERTS, .out = REG_GE, .in = REG_XE, .w = ROLE_EXP_GATE, .part = EXPERT_GATE},
    {OP_EXPERTS, .out = REG_UE, .in = REG_XE, .w = ROLE_EXP_UP, .part = EXPERT_UP},
    {OP_SILU_MUL, .out = REG_GE, .in = REG_GE, .in2 = REG_UE},
    {OP_EXPERTS, .out = REG_YE, .in = REG_GE, .w = ROLE_EXP_DOWN, .part = EXPERT_DOWN},
    {OP_COMBINE, .out = REG_Y, .in = REG_YE, .in2 = REG_S},
    {OP_LINEAR, .out = REG_G, .in = REG_X, .w = ROLE_SHEXP_GATE},
    {OP_LINEAR, .out = REG_U, .in = REG_X, .w = ROLE_SHEXP_UP},
    {OP_SILU_MUL, .out = REG_G, .in = REG_G, .in2 = REG_U},
    {OP_LINEAR, .out = REG_Z, .in = REG_G, .w = ROLE_SHEXP_DOWN},
    {OP_LINEAR, .out = REG_T, .in = REG_X, .w = ROLE_SHEXP_SWITCH},
    {OP_CHECK, .in = REG_T}, // a sigmoid makes 0 or 1 of what overflows
    {OP_SIGMOID_MUL, .out = REG_Z, .in = REG_T},
    {OP_ADD, .out = REG_Y, .in = REG_Z},
    {OP_ADD, .out = REG_H, .in = REG_Y},
};
PROG(prog_moe, "moe");

static const struct prog_step prog_head_steps[] = {
    {OP_GIVE, .in = REG_H, .w = ROLE_OUTPUT_NORM},
    {OP_PICK, .out = REG_X, .in = REG_H},
    {OP_NORM, .out = REG_X, .in = REG_X, .w = ROLE_OUTPUT_NORM},
    {OP_LINEAR, .out = REG_LOGITS, .in = REG_X, .w = ROLE_OUTPUT},
    {OP_BIAS, .out = REG_LOGITS, .w = ROLE_OUTPUT_B},
    {OP_CHECK, .in = REG_LOGITS},
};
PROG(prog_head, "head");

/* Multi-token prediction, DeepSeek-V3 (arXiv 2412.19437): the row of position t takes the token of
 * t + 1 and the hidden state of t after the output norm, goes through one more layer and predicts
 * the token of t + 2. */
static const struct prog_step prog_mtp_steps[] = {
    {OP_EMBED, .out = REG_Y, .w = ROLE_MTP_EMBD},
    {OP_ROPE_TABLE, .out = REG_CS},
    {OP_NORM, .out = REG_Y, .in = REG_Y, .w = ROLE_MTP_ENORM},
    {OP_HIDDEN, .out = REG_X},
    {OP_NORM, .out = REG_X, .in = REG_X, .w = ROLE_MTP_HNORM},
    {OP_JOIN, .out = REG_G, .in = REG_Y, .in2 = REG_X},
    {OP_LINEAR, .out = REG_H, .in = REG_G, .w = ROLE_MTP_PROJ},
};
PROG(prog_mtp, "mtp");

static const struct prog_step prog_mtp_head_steps[] = {
    {OP_GIVE, .in = REG_H, .w = ROLE_MTP_NORM},
    {OP_PICK, .out = REG_X, .in = REG_H},
    {OP_NORM, .out = REG_X, .in = REG_X, .w = ROLE_MTP_NORM},
    {OP_LINEAR, .out = REG_LOGITS, .in = REG_X, .w = ROLE_MTP_OUTPUT},
    {OP_CHECK, .in = REG_LOGITS},
};
PROG(prog_mtp_head, "mtp_head");
