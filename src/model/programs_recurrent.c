/* Programs of hybrid models: recurrent layers, and the attention between them. */
#include "model/spec.h"

#define PROG(id, label)                                                                            \
    const struct prog id = {label, id##_steps, sizeof id##_steps / sizeof id##_steps[0]}

/* Qwen3-Next: the query's projection also gives a gate for each element of the output. */
static const struct prog_step prog_gated_steps[] = {
    {OP_NORM, .out = REG_X, .in = REG_H, .w = ROLE_ATTN_NORM},
    {OP_LINEAR, .out = REG_W, .in = REG_X, .w = ROLE_ATTN_QG},
    {OP_BIAS, .out = REG_W, .w = ROLE_ATTN_QG_B},
    {OP_TAKE, .out = REG_Q, .in = REG_W, .take = TAKE_QUERY},
    {OP_TAKE, .out = REG_G, .in = REG_W, .take = TAKE_GATE},
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
    {OP_CHECK, .in = REG_G}, // a sigmoid makes 0 or 1 of what overflows
    {OP_SIGMOID_MUL, .out = REG_A, .in = REG_G},
    {OP_LINEAR, .out = REG_Y, .in = REG_A, .w = ROLE_ATTN_O},
    {OP_BIAS, .out = REG_Y, .w = ROLE_ATTN_O_B},
    {OP_ADD, .out = REG_H, .in = REG_Y},
};
PROG(prog_gated, "gated");

/* Gated delta networks (arXiv 2412.06464) as in Qwen3-Next. */
static const struct prog_step prog_delta_steps[] = {
    {OP_NORM, .out = REG_X, .in = REG_H, .w = ROLE_ATTN_NORM},
    {OP_LINEAR, .out = REG_W, .in = REG_X, .w = ROLE_DELTA_QKVZ},
    {OP_TAKE, .out = REG_QKV, .in = REG_W, .take = TAKE_QKV},
    {OP_TAKE, .out = REG_G, .in = REG_W, .take = TAKE_Z},
    {OP_LINEAR, .out = REG_QKV, .in = REG_X, .w = ROLE_DELTA_QKV},
    {OP_LINEAR, .out = REG_G, .in = REG_X, .w = ROLE_DELTA_Z},
    {OP_LINEAR, .out = REG_W, .in = REG_X, .w = ROLE_DELTA_BA},
    {OP_TAKE, .out = REG_BETA, .in = REG_W, .take = TAKE_BETA},
    {OP_TAKE, .out = REG_DECAY, .in = REG_W, .take = TAKE_ALPHA},
    {OP_CHECK, .in = REG_BETA},
    {OP_SIGMOID, .out = REG_BETA, .in = REG_BETA},
    {OP_BIAS, .out = REG_DECAY, .w = ROLE_DELTA_DT_B},
    {OP_CHECK, .in = REG_DECAY}, // and a decay of this, too
    {OP_DECAY, .out = REG_DECAY, .in = REG_DECAY, .w = ROLE_DELTA_A},
    {OP_CONV, .out = REG_QKV, .in = REG_QKV, .w = ROLE_DELTA_CONV},
    {OP_L2_NORM, .out = REG_QKV},
    {OP_DELTA, .out = REG_A, .in = REG_QKV, .in2 = REG_BETA, .in3 = REG_DECAY},
    {OP_HEAD_NORM, .out = REG_A, .in = REG_A, .w = ROLE_DELTA_NORM},
    {OP_SILU_MUL, .out = REG_A, .in = REG_G, .in2 = REG_A},
    {OP_LINEAR, .out = REG_Y, .in = REG_A, .w = ROLE_DELTA_OUT},
    {OP_ADD, .out = REG_H, .in = REG_Y},
};
PROG(prog_delta, "delta");
