/* A backend runs planned steps over batches of rows. Today there is one, the CPU.
 *
 * Memory is reached through opaque buffers; only backend/ and kernel/ dereference them. A backend
 * is shared by the frames made from it, and a frame (registers and scratch) has one owner. All
 * frames of a backend run through its one thread pool, one at a time. */
#ifndef JL_BACKEND_BACKEND_H
#define JL_BACKEND_BACKEND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/ops.h"
#include "base/status.h"
#include "kernel/route.h"
#include "tensor/dtype.h"

struct backend;
struct backend_buffer;
struct backend_frame;

struct backend_options {
    const char *level; // kernel level as JINLIN_CPU spells it; NULL: the best this CPU has
    int n_threads;     // 0: physical cores within the cgroup's quota
};

enum jl_status backend_cpu_create(const struct backend_options *options, struct backend **out,
                                  struct jl_error *err);
void backend_free(struct backend *backend);
int backend_threads(const struct backend *backend);
const char *backend_level(const struct backend *backend);
/* fn for every item in [0, n) on the backend's threads, as pool_run (base/pool.h). */
void backend_run(struct backend *backend, int n, void (*fn)(void *ctx, int item, int thread),
                 void *ctx);

/* Zeroed memory, 64-byte aligned. */
enum jl_status backend_alloc(struct backend *backend, size_t bytes, struct backend_buffer **out,
                             struct jl_error *err);
void backend_release(struct backend_buffer *buffer);                             // NULL is fine
void backend_copy(struct backend_buffer *to, const struct backend_buffer *from); // of one size
void backend_clear(struct backend_buffer *buffer);                               // to zeros
void backend_read(const struct backend_buffer *from, void *to);                  // all its bytes
void backend_write(struct backend_buffer *to, const void *from);

/* n buffers of one size, zeroed, in one range of addresses. What is never written takes no memory,
 * so the range may be as large as the most that will ever be wanted. */
struct backend_array;
enum jl_status backend_array_create(struct backend *backend, size_t bytes, int n,
                                    struct backend_array **out, struct jl_error *err);
void backend_array_free(struct backend_array *array); // and its buffers; NULL is fine
struct backend_buffer *backend_array_at(struct backend_array *array, int i);

/* ---- steps ---- */

/* A weight as the steps read it. Matrices are (n_out, n_in), rows `stride` bytes apart, in the
 * file's mapping; vectors are (n_in) f32. A matrix of F8_E4M3 has scales beside it: (n_out / 128,
 * n_in / 128) f32, both rounded up, in the model's memory; element (o, k) counts scale[o / 128][k /
 * 128] times. */
struct weight {
    const char *name;
    int id;              // which of the model's tensors: roles that share one have the same
    const uint8_t *data; // of experts: of the first one
    size_t stride;       // bytes
    enum dtype dtype;
    int n_out, n_in;
    const float *scale;                // of F8_E4M3, else NULL; of experts: of the first one
    size_t scale_stride;               // floats
    const uint8_t *const *experts;     // NULL, or the matrix of each expert
    const float *const *expert_scales; // NULL, or the scales of each
    int n_expert;
};

/* Rotary angles: angle(pos, i) = pos * freq[i], cos and sin times `magnitude`. */
struct rope_spec {
    const double *freq; // (n_rot/2)
    int n_rot;
    bool interleaved; // pairs (2i, 2i+1), else (i, i + n_rot/2)
    double magnitude;
};

/* Where a layer's keys and values stand in a page, and how attention reads them. */
struct attn_spec {
    int n_head, n_head_kv, d_k, d_v;
    enum dtype kv;
    bool act_bf16;
    float scale;
    size_t k_at, v_at;   // byte offsets of head 0's chunk in the page; heads follow one another
    bool values_in_keys; // a value is the first d_v elements of its key: v_at means nothing
};

/* A matrix that holds one for each of n heads, `rows` rows a head; 0: all heads have the same. A
 * step multiplies a head's vector by the rows from row0 on, `taken` of them, or from the other side
 * by their transpose. */
struct heads_spec {
    int n, rows, row0, taken;
    bool transposed;   // as kernel linear_t computes it
    int tail_at, tail; // OP_ABSORB: these elements of each head of in2 end each head of out
};

/* A recurrent layer by the gated delta rule (arXiv 2412.06464), and where its state stands in a
 * sequence's recurrent buffer: the convolution's past inputs, then a matrix for each value head. A
 * row of inputs is the heads of q, of k, of v; value heads share key heads in groups. */
struct delta_spec {
    int n_head_k, n_head_v, d_k, d_v;
    int n_tap;                 // of the convolution of each channel
    float q_scale, norm_eps;   // q and k are brought to length 1, q then scaled
    size_t conv_at, matrix_at; // byte offsets; matrices of the heads follow one another
};

/* ---- experts ---- */

/* APART: no part of what a store has, but the step's own weight, which is always in memory. */
enum expert_part { EXPERT_GATE, EXPERT_UP, EXPERT_DOWN, EXPERT_PARTS, EXPERT_APART = EXPERT_PARTS };

struct expert_view {
    const uint8_t *part[EXPERT_PARTS]; // matrices as the layer's weights describe them
    const float *scale[EXPERT_PARTS];  // of F8_E4M3, else NULL
};

/* Where experts' weights come from. Whoever keeps them elsewhere than in memory fetches them in
 * acquire; they stay readable until the release of the same ids. */
struct expert_store {
    enum jl_status (*acquire)(const struct expert_store *store, int layer, const int32_t *ids,
                              int n, struct expert_view *out, struct jl_error *err);
    void (*release)(const struct expert_store *store, int layer, const int32_t *ids, int n);
};

/* How a router's logits become experts and weights: kernel/route.h. */
struct moe_spec {
    struct route_rule rule;
    const struct expert_store *store;
};

/* A part of each of `n` groups of a row: `width` elements from in_at, groups in_step apart. They go
 * to out_at of groups out_step apart, or of one vector a group where out has n of them. n 0: no
 * part. */
#define TAKE_MORE 2 // further parts that one step may take
struct take_spec {
    int n, width;
    int in_step, in_at, out_step, out_at;
};

/* What becomes of a step's output when a backward pass follows: nobody asks for it again, it is
 * kept, or it is computed again from values that are kept. Inference looks at none of this. */
enum value_fate { VALUE_DROP, VALUE_KEEP, VALUE_RECOMPUTE };

/* What a step reads, as the bits of enum op_save: in, in2, the old value of an updated out, in3. */
#define STEP_READS 4

struct step {
    enum op_id op;
    enum reg_id in, in2, in3, out;
    int layer;      // -1 before the first and after the last layer
    int width;      // elements of a vector that the op handles (of `in`, or of `out` without one)
    int slots;      // vectors of a row that the op handles alike, one by one
    int out_width;  // what `out` holds after the step: elements of a vector
    int out_slots;  // and vectors of a row
    int head_dim;   // OP_HEAD_NORM, OP_ROPE: elements a head
    enum xfmt xfmt; // form of `in` (linear, attn) or of `out` (convert)
    float eps;      // norms
    struct weight w;
    const struct rope_spec *rope;
    const struct attn_spec *attn;
    const struct delta_spec *delta;
    const struct moe_spec *moe;
    enum expert_part part;            // OP_EXPERTS
    struct take_spec take;            // OP_TAKE
    struct take_spec more[TAKE_MORE]; // and further parts
    struct heads_spec heads;          // OP_ABSORB, OP_HEADS
    int rope_at;                      // OP_ROPE: elements of a head before the rotary ones
    int from[STEP_READS];             // steps that made what this one reads; -1: none
    enum value_fate fate;             // of out
    bool alias; // out may take the memory of a value the step reads: no kept one is lost
};

struct step_list {
    const struct step *steps;
    int n_step;
    int n_logit;       // width of REG_LOGITS
    size_t kept_bytes; // kept values of one row when a backward pass follows
};

/* ---- batches ---- */

/* One sequence's cache: pages of KV_CHUNK positions, page c holding positions c*128.., and what the
 * recurrent layers have made of all positions, NULL where the model has none. A pass writes all of
 * recur_next and leaves recur as it is. */
struct seq_view {
    struct backend_buffer *const *pages;
    int n_page;
    int n_pos; // positions already stored
    const struct backend_buffer *recur;
    struct backend_buffer *recur_next;
};

#define POS_PARTS 3
struct batch_row {
    int32_t token;          // used when vector is NULL
    const float *vector;    // (n_embd) or NULL
    int32_t pos[POS_PARTS]; // [0] is the place in the sequence; the others are for pictures
    int32_t seq;            // index into seqs
    const float *hidden;    // (n_embd): what OP_HIDDEN reads
    float *give;            // (n_embd): where OP_GIVE puts the row's hidden state, or NULL
    bool want_logits;
};

/* Rows of many sequences in one pass. Rows of one sequence stand together, positions ascending
 * without gaps from that sequence's n_pos. */
struct batch {
    const struct batch_row *rows;
    int n_row;
    const struct seq_view *seqs;
    int n_seq;
    const atomic_bool *cancel; // NULL, or checked between layers
};

/* Registers and scratch for batches of up to max_rows rows of this plan. */
enum jl_status backend_frame_create(struct backend *backend, const struct step_list *plan,
                                    int max_rows, struct backend_frame **out, struct jl_error *err);
void backend_frame_free(struct backend_frame *frame); // NULL is fine
/* What such a frame would take. */
enum jl_status backend_frame_size(struct backend *backend, const struct step_list *plan,
                                  int max_rows, size_t *bytes, struct jl_error *err);
size_t backend_frame_bytes(const struct backend_frame *frame);

/* Runs the plan. logits: (rows that want logits, n_logit), in row order; may be NULL
 * when no row wants any. The batch is taken as valid: model/exec.c checks it. */
enum jl_status backend_frame_run(struct backend_frame *frame, const struct batch *batch,
                                 float *logits, struct jl_error *err);

/* ---- observers ---- */

/* What a matrix is about to be multiplied with. */
struct linear_view {
    const struct step *step; // of the frame's plan
    int matrix;              // which of the step's: an expert's, a head's; 0 where it has one
    const float *x;          // (n, width of the matrix), before any rounding to the step's form
    size_t stride;           // floats between vectors
    int n;
};

/* Whether a step of heads has a matrix of its own for each, not rows of a joint one. */
static inline bool backend_heads_apart(const struct step *step) {
    return step->heads.rows == step->heads.taken;
}

/* Sees every product of the batches that a frame runs, between the steps, on the caller's thread.
 * It must change nothing: the bits are the same with and without it. */
struct backend_observer {
    void (*linear)(void *ctx, const struct linear_view *view);
    void *ctx;
};
void backend_frame_observe(struct backend_frame *frame,
                           const struct backend_observer *observer); // NULL: nobody; not copied

/* Calls `each` with the name of every kernel body the frame has run, sorted. */
void backend_frame_bodies(const struct backend_frame *frame,
                          void (*each)(void *ctx, const char *name), void *ctx);

#endif
