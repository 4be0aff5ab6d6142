/* Inside the CPU backend: what the op bodies share. */
#ifndef JL_BACKEND_CPU_CPU_H
#define JL_BACKEND_CPU_CPU_H

#include "backend/backend.h"
#include "base/pool.h"
#include "kernel/kernel.h"

struct backend_buffer {
    uint8_t *data;
    size_t bytes;
};

struct backend {
    struct kernel_table kernels;
    struct pool *pool;
};

/* Row blocks of attention: at most this many queries share one pass over a chunk. */
#define CPU_ATTN_QUERIES 64

struct row_block {
    int row, n_row; // rows of one sequence
};

/* A batch's chosen experts: row r's k-th choice is vector at[r*n_used + k] of the registers of
 * experts, where the vectors of one expert stand together. From OP_DISPATCH to OP_COMBINE. */
struct expert_order {
    int n_used, n_active;
    int32_t *at;               // (rows, n_used)
    int32_t *row;              // (rows * n_used): whose choice each vector is
    int32_t *ids;              // (n_active) ascending
    int32_t *first;            // (n_active + 1): where each one's vectors begin
    int32_t *count;            // (n_expert): work space
    struct expert_view *views; // (n_active)
};

/* Which kernel bodies a frame has run; written by the owner between regions. */
struct cpu_ran {
    bool linear[LINEAR_KIND_COUNT][DTYPE_COUNT][XFMT_COUNT];
    bool attn[ATTN_COUNT], row[KSLOT_ROW_COUNT];
};

/* What is done together with a step (group.c): matrices, whose `act` follows for each part of the
 * outputs, or a run of steps that work on one row at a time. */
#define GROUP_MOST 12
#define GROUP_DONE (-1) // with an earlier step
struct step_group {
    int n; // members, the step itself the first; 0: a step of another kind
    const struct step *member[GROUP_MOST];
    const struct step *act; // OP_SILU_MUL of the first and the second; NULL: none
    // Of OP_DISPATCH itself, of conversions and experts that read what it makes: that step, where
    // nothing is copied. Rows stay where they are, and experts find theirs by number.
    const struct step *in_place;
};
/* (n_step), heap; NULL: no memory. Single: every step by itself. */
struct step_group *cpu_find_groups(const struct step_list *plan);
struct step_group *cpu_single_groups(const struct step_list *plan);

struct backend_frame {
    struct backend *backend;
    struct step_list plan;
    struct step_group *groups; // (n_step)
    int max_rows, max_logit_rows;
    uint8_t *reg[REG_COUNT];  // vectors, stride apart; REG_LOGITS: the caller's
    size_t stride[REG_COUNT]; // bytes between vectors, of the value the register holds now
    int slots[REG_COUNT];     // vectors of a row
    uint8_t *memory;          // all registers, then one scratch a thread
    size_t bytes;
    uint8_t *scratch;
    size_t scratch_stride;    // bytes a thread
    struct row_block *blocks; // (max_rows)
    struct expert_order order;
    struct cpu_ran ran;
    const struct backend_observer *observer; // NULL: nobody

    /* of the call that runs now */
    const struct batch *batch;
    int n_row; // rows the next step sees; fewer once OP_PICK has run
    // The first value that an OP_CHECK has found not finite: its step, then its vector, 32 bits
    // each; CPU_NO_FAULT. Steps are not cut short by it, so it does not depend on the threads.
    _Atomic uint64_t fault;
};
#define CPU_NO_FAULT UINT64_MAX

/* Bytes between the vectors of what the step writes. */
size_t cpu_out_stride(const struct step *step);

/* Cuts the frame's rows into blocks of one sequence each, of at most `most` rows: frame->blocks.
 * Returns how many there are. */
int cpu_cut_blocks(struct backend_frame *frame, int most);

/* One step over the frame's rows, with what is grouped with it; and one over a vector, for ops that
 * leave rows apart. Dispatched from the op list. */
typedef enum jl_status cpu_op_fn(struct backend_frame *frame, const struct step *step,
                                 struct jl_error *err);
typedef void cpu_row_fn(struct backend_frame *frame, const struct step *step, int vector);
#define X(id, name, ...)                                                                           \
    cpu_op_fn cpu_op_##name;                                                                       \
    cpu_row_fn cpu_row_##name;
OP_LIST(X)
#undef X
/* One step, with what is grouped with it. The shape of its output has been noted. */
enum jl_status cpu_run_step(struct backend_frame *frame, const struct step *step,
                            struct jl_error *err);
/* From now on every step of the frame stands alone. False: no memory. */
bool cpu_frame_single(struct backend_frame *frame);
/* The run that `lead` leads, over the threads when that pays. */
enum jl_status cpu_run_rows(struct backend_frame *frame, const struct step *lead,
                            struct jl_error *err);
/* The error of the frame's fault; JL_OK where there is none. */
enum jl_status cpu_fault(const struct backend_frame *frame, struct jl_error *err);

/* The register's vector: a row where it has one a row, else row * slots + slot. */
static inline float *cpu_row_f32(const struct backend_frame *frame, enum reg_id reg, int vector) {
    return (float *)(void *)(frame->reg[reg] + (size_t)vector * frame->stride[reg]);
}

/* A head of a row: a vector of its own, or where the row has one vector, `width` elements of it. */
static inline float *cpu_head_f32(const struct backend_frame *frame, enum reg_id reg, int row,
                                  int head, int width) {
    int slots = frame->slots[reg];
    if (slots > 1) return cpu_row_f32(frame, reg, row * slots + head);
    return cpu_row_f32(frame, reg, row) + (size_t)head * (size_t)width;
}

static inline const struct step_group *cpu_group(const struct backend_frame *frame,
                                                 const struct step *step) {
    return &frame->groups[step - frame->plan.steps];
}

/* The dispatch whose vectors the step takes from the rows themselves; NULL: from where they were
 * copied, as an observer wants to see them. */
static inline const struct step *cpu_in_place(const struct backend_frame *frame,
                                              const struct step *step) {
    return frame->observer ? NULL : cpu_group(frame, step)->in_place;
}

/* The activation of outputs out0..out1-1 of n vectors from `first` on. */
void cpu_activate(const struct backend_frame *frame, const struct step *act, int first, int n,
                  int out0, int out1);
/* Outputs that parts of the group's matrices are multiples of, for so many rows. */
int cpu_group_tile(const struct backend_frame *frame, const struct step_group *group, int n_rows);
/* Outputs of a part that n_rows vectors go through, a multiple of `tile`: several parts a thread,
 * so that a delayed one leaves little behind, and none so long that it would be felt. */
int cpu_part_outputs(const struct backend *backend, int n_out, int tile, int n_in, int n_rows,
                     int n_part);
void cpu_note_linear(struct backend_frame *frame, const struct step *step, int n_rows);

static inline uint8_t *cpu_scratch(const struct backend_frame *frame, int thread) {
    return frame->scratch + (size_t)thread * frame->scratch_stride;
}

/* Order of experts for the plan's mixtures; all NULL where it has none. */
bool cpu_expert_order_create(const struct step_list *plan, int max_rows, struct expert_order *out);
void cpu_expert_order_free(struct expert_order *order);
/* Vectors of a step's chosen experts into their order, from rows of ids (and weights) `stride`
 * bytes apart; their weights are fetched. */
enum jl_status cpu_order_experts(struct backend_frame *frame, const struct step *step,
                                 const uint8_t *chosen, size_t stride, struct jl_error *err);

/* Show the step's input to the frame's observer; only to be called when there is one. */
void cpu_observe_linear(const struct backend_frame *frame, const struct step *step);
void cpu_observe_experts(const struct backend_frame *frame, const struct step *step);
void cpu_observe_heads(const struct backend_frame *frame, const struct step *step);

/* Zeroed, 64-byte aligned; NULL when it cannot be had. */
uint8_t *cpu_alloc_zeroed(size_t bytes);

/* Scratch bytes one thread needs for this step. */
size_t cpu_linear_scratch(const struct backend *backend, const struct step *step);
size_t cpu_linear_add_scratch(const struct backend *backend, const struct step *step);
size_t cpu_attn_scratch(const struct step *step);
size_t cpu_heads_scratch(const struct backend *backend, const struct step *step);

#endif
