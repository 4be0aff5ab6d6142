/* The ops: one row each, from which come the executor's dispatch, operand checks, `inspect` and,
 * for the trainer, what an op saves for its backward pass. docs/numerics.md says what each
 * computes.
 *
 * A plan is a list of steps over a few named registers; a register holds one vector a row of the
 * batch, or several: one a head, one a chosen expert. What a backward pass needs beyond the saved
 * inputs (weights, the cache, the batch itself) is still there when it runs. */
#ifndef JL_BACKEND_OPS_H
#define JL_BACKEND_OPS_H

/* id, name, inputs, output, weight, input saved for backward, cost of computing it again, whose
 * rows a row is made of */
/* clang-format off */
#define OP_LIST(X)                                                                                                                                                 \
    X(OP_EMBED,       embed,       0, OUT_WRITES,  WEIGHT_MATRIX,  SAVE_NONE,   CHEAP,  APART)       /* out = row of w; or the given vector */                     \
    X(OP_LOOKUP,      lookup,      0, OUT_WRITES,  WEIGHT_MATRIX,  SAVE_NONE,   CHEAP,  APART)       /* out = row of w; zeros where a vector is given */            \
    X(OP_ROPE_TABLE,  rope_table,  0, OUT_WRITES,  WEIGHT_NONE,    SAVE_NONE,   CHEAP,  APART)       /* out = cos, sin of the position */                          \
    X(OP_NORM,        norm,        1, OUT_WRITES,  WEIGHT_VECTOR,  SAVE_IN,     CHEAP,  APART)       /* out = rms_norm(in) * w */                                  \
    X(OP_HEAD_NORM,   head_norm,   1, OUT_WRITES,  WEIGHT_VECTOR,  SAVE_IN,     CHEAP,  APART)       /* the same, head by head */                                  \
    X(OP_CONVERT,     convert,     1, OUT_WRITES,  WEIGHT_NONE,    SAVE_NONE,   CHEAP,  APART)       /* out = in in another xfmt */                                \
    X(OP_LINEAR,      linear,      1, OUT_WRITES,  WEIGHT_MATRIX,  SAVE_IN,     COSTLY, TOGETHER)    /* out = w in */                                              \
    X(OP_LINEAR_ADD,  linear_add,  1, OUT_UPDATES, WEIGHT_MATRIX,  SAVE_IN,     COSTLY, TOGETHER)    /* out += w in, which never stands whole by itself */         \
    X(OP_BIAS,        bias,        0, OUT_UPDATES, WEIGHT_VECTOR,  SAVE_NONE,   CHEAP,  APART)       /* out += w */                                                \
    X(OP_ROPE,        rope,        1, OUT_UPDATES, WEIGHT_NONE,    SAVE_IN,     CHEAP,  APART)       /* heads of out turned by in */                               \
    X(OP_KV_PUT,      kv_put,      2, OUT_NONE,    WEIGHT_NONE,    SAVE_NONE,   CHEAP,  TOGETHER)    /* in, in2 -> cache, rounded */                               \
    X(OP_ATTN,        attn,        1, OUT_WRITES,  WEIGHT_NONE,    SAVE_IN,     COSTLY, TOGETHER)    /* softmax(in K') V from the cache */                         \
    X(OP_ABSORB,      absorb,      2, OUT_WRITES,  WEIGHT_MATRIX,  SAVE_IN,     COSTLY, TOGETHER)    /* heads of out = w' in of the head, then the end of in2's */ \
    X(OP_HEADS,       heads,       1, OUT_WRITES,  WEIGHT_MATRIX,  SAVE_IN,     COSTLY, TOGETHER)    /* heads of out = w in of the head, or w' in */               \
    X(OP_SILU_MUL,    silu_mul,    2, OUT_WRITES,  WEIGHT_NONE,    SAVE_BOTH,   CHEAP,  APART)       /* out = silu(in) * in2 */                                    \
    X(OP_SIGMOID_MUL, sigmoid_mul, 1, OUT_UPDATES, WEIGHT_NONE,    SAVE_IN_OLD, CHEAP,  APART)       /* out *= sigmoid(in) */                                      \
    X(OP_ADD,         add,         1, OUT_UPDATES, WEIGHT_NONE,    SAVE_NONE,   CHEAP,  APART)       /* out += in */                                               \
    X(OP_TAKE,        take,        1, OUT_WRITES,  WEIGHT_NONE,    SAVE_NONE,   CHEAP,  APART)       /* out = a part of in */                                      \
    X(OP_SIGMOID,     sigmoid,     1, OUT_WRITES,  WEIGHT_NONE,    SAVE_IN,     CHEAP,  APART)       /* out = sigmoid(in) */                                       \
    X(OP_DECAY,       decay,       1, OUT_WRITES,  WEIGHT_VECTOR,  SAVE_IN,     CHEAP,  APART)       /* out = exp(w * softplus(in)) */                             \
    X(OP_CONV,        conv,        1, OUT_WRITES,  WEIGHT_VECTOR,  SAVE_IN,     CHEAP,  TOGETHER)    /* out = silu of in along the sequence * w */                 \
    X(OP_L2_NORM,     l2_norm,     0, OUT_UPDATES, WEIGHT_NONE,    SAVE_OLD,    CHEAP,  APART)       /* q and k heads of out to length 1 */                        \
    X(OP_DELTA,       delta,       3, OUT_WRITES,  WEIGHT_NONE,    SAVE_ALL,    COSTLY, TOGETHER)    /* out = state after in3 let it decay and                     \
                                                                                                        in, weighted by in2, went in; asked by q */                \
    X(OP_ROUTE,       route,       1, OUT_WRITES,  WEIGHT_MAYBE,   SAVE_IN,     CHEAP,  APART)       /* out = experts chosen by in + w */                          \
    X(OP_DISPATCH,    dispatch,    2, OUT_WRITES,  WEIGHT_NONE,    SAVE_IN2,    CHEAP,  TOGETHER)    /* out = in, in the order of in2's experts */                 \
    X(OP_EXPERTS,     experts,     1, OUT_WRITES,  WEIGHT_EXPERTS, SAVE_IN,     COSTLY, TOGETHER)    /* out = w of the vector's expert in */                       \
    X(OP_COMBINE,     combine,     2, OUT_WRITES,  WEIGHT_NONE,    SAVE_BOTH,   CHEAP,  GATHERED)    /* out = sum of in weighted by in2 */                         \
    X(OP_JOIN,        join,        2, OUT_WRITES,  WEIGHT_NONE,    SAVE_NONE,   CHEAP,  APART)       /* out = in, then in2 */                                      \
    X(OP_HIDDEN,      hidden,      0, OUT_WRITES,  WEIGHT_NONE,    SAVE_NONE,   CHEAP,  APART)       /* out = the row's given hidden state */                      \
    X(OP_GIVE,        give,        1, OUT_NONE,    WEIGHT_VECTOR,  SAVE_IN,     CHEAP,  APART)       /* the caller's = rms_norm(in) * w */                         \
    X(OP_CHECK,       check,       1, OUT_NONE,    WEIGHT_NONE,    SAVE_NONE,   CHEAP,  APART)       /* in must be finite */                                       \
    X(OP_PICK,        pick,        1, OUT_WRITES,  WEIGHT_NONE,    SAVE_NONE,   CHEAP,  TOGETHER)    /* only rows that want logits */
/* clang-format on */

enum op_id {
#define X(id, ...) id,
    OP_LIST(X)
#undef X
        OP_COUNT
};

enum op_out { OUT_NONE, OUT_WRITES, OUT_UPDATES }; // UPDATES reads the old value of out too
/* MAYBE: a vector, or none and the step stays. EXPERTS: one matrix an expert. */
enum op_weight { WEIGHT_NONE, WEIGHT_VECTOR, WEIGHT_MAYBE, WEIGHT_MATRIX, WEIGHT_EXPERTS };
/* Bits: in, in2, the old value of out, in3. */
enum op_save {
    SAVE_NONE = 0,
    SAVE_IN = 1,
    SAVE_IN2 = 2,
    SAVE_BOTH = 3,
    SAVE_OLD = 4,
    SAVE_IN_OLD = 5,
    SAVE_ALL = 11
};
enum op_cost { CHEAP, COSTLY }; // CHEAP: a pass over rows, no matrix
/* APART: a row's vectors are made of that row's and of what the batch gives it: it may go through
 * several such steps while other rows wait. GATHERED: made of vectors of any row, so that it waits
 * for all of the step before, but nobody waits for it. TOGETHER: the op has all rows at once. */
enum op_rows { APART, GATHERED, TOGETHER };

struct op_row {
    const char *name;
    int n_in;
    enum op_out out;
    enum op_weight weight;
    enum op_save save;
    enum op_cost cost;
    enum op_rows rows;
};
const struct op_row *op_row(enum op_id id);

/* id, name, what it holds */
#define REG_LIST(X)                                                                                \
    X(REG_NONE, "-", "nothing")                                                                    \
    X(REG_H, "h", "residual stream, f32")                                                          \
    X(REG_X, "x", "normed input, f32")                                                             \
    X(REG_Q, "q", "queries, f32")                                                                  \
    X(REG_K, "k", "keys, f32")                                                                     \
    X(REG_V, "v", "values, f32")                                                                   \
    X(REG_A, "a", "attention output, f32")                                                         \
    X(REG_G, "g", "gate and gated product, f32")                                                   \
    X(REG_U, "u", "up projection, f32")                                                            \
    X(REG_QA, "qa", "queries before their second projection, f32")                                 \
    X(REG_QN, "qn", "queries without their rotary part, a head each, f32")                         \
    X(REG_QJ, "qj", "queries of latent keys, a head each, f32")                                    \
    X(REG_O, "o", "attention output as values of the heads, f32")                                  \
    X(REG_Y, "y", "branch output, f32")                                                            \
    X(REG_R, "r", "router logits, f32")                                                            \
    X(REG_S, "s", "chosen experts: their ids, then their weights")                                 \
    X(REG_XE, "xe", "inputs of the chosen experts, f32")                                           \
    X(REG_GE, "ge", "gates of the chosen experts, f32")                                            \
    X(REG_UE, "ue", "up projections of the chosen experts, f32")                                   \
    X(REG_YE, "ye", "outputs of the chosen experts, f32")                                          \
    X(REG_W, "w", "several projections side by side, f32")                                         \
    X(REG_QKV, "qkv", "queries, keys and values of a recurrent layer, f32")                        \
    X(REG_BETA, "beta", "how much each head learns, f32")                                          \
    X(REG_DECAY, "decay", "how much each head remembers, f32")                                     \
    X(REG_Z, "z", "shared expert's output, f32")                                                   \
    X(REG_T, "t", "gate of a branch, f32")                                                         \
    X(REG_LA, "la", "input of an adapter's second matrix, f32")                                    \
    X(REG_LB, "lb", "what an adapter adds, f32")                                                   \
    X(REG_CS, "cs", "rotary cos and sin, f32")                                                     \
    X(REG_C_BF16, "c.bf16", "some register rounded to bf16")                                       \
    X(REG_C_Q8_32, "c.q8_32", "some register in int8 blocks of 32")                                \
    X(REG_C_Q8_256, "c.q8_256", "some register in int8 blocks of 256")                             \
    X(REG_LOGITS, "logits", "the caller's logits, f32")

enum reg_id {
#define X(id, ...) id,
    REG_LIST(X)
#undef X
        REG_COUNT
};
const char *reg_name(enum reg_id id);
const char *reg_about(enum reg_id id);

#endif
