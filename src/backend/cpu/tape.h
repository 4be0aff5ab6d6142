/* Inside the CPU backend: what the bodies of the backward pass share. */
#ifndef JL_BACKEND_CPU_TAPE_H
#define JL_BACKEND_CPU_TAPE_H

#include "backend/cpu/cpu.h"
#include "backend/tape.h"
#include "tensor/xrow.h"

/* Work space that lives for one step of the way back. */
enum tape_temp {
    TEMP_X_TURNED,  // a saved input, transposed
    TEMP_DY_TURNED, // the gradient that comes in, transposed
    TEMP_DY,        // the same, rounded
    TEMP_DX,        // a product that is added to what is there
    TEMP_DW,        // the same of a weight
    TEMP_THREAD,    // of each thread
    TEMP_SUMS,      // partial sums of vectors
    TEMP_COUNT
};

/* The output of a step. */
struct tape_value {
    size_t at;     // in the tape's memory, where `kept`
    size_t stride; // bytes between vectors
    int slots;     // vectors of a row
    bool kept;     // has memory of its own
    bool again;    // its step runs again before its segment is walked back
};

struct backend_tape {
    struct backend *backend;
    struct backend_frame *frame; // the way forward
    struct step_list plan;
    const struct backend_turned *turned;
    int max_rows;
    struct tape_value *values;     // (n_step)
    uint8_t *memory;               // values, gradients, temporaries
    size_t bytes;                  // of memory
    uint8_t *reg_home[REG_COUNT];  // where values without memory stand: the frame's registers
    float *grad[REG_COUNT];        // gradient of the value that a register holds
    bool has[REG_COUNT];           // whether anything has come to it yet
    size_t grad_stride[REG_COUNT]; // bytes between vectors
    float *dkeys, *dvalues;        // gradients of the cache: (rows, heads * width)
    bool has_cache;
    uint8_t *temp[TEMP_COUNT];
    size_t temp_bytes[TEMP_COUNT]; // TEMP_THREAD: of one thread
    int turned_made;               // TEMP_X_TURNED holds the output of this step; -1: of none
    int pick, head;                // steps: the choice of rows; the matrix that makes logits
    int chunk_rows;                // whose logits are there at a time
    size_t logits_at;
    int32_t *picked; // (max_rows): rows that want logits
    int n_picked;
    int32_t *loads; // (n_load_layer, n_expert)
    int n_expert, n_load_layer;

    /* of the pass that runs now */
    struct weight_grad *grads;
    const struct tape_ends *ends;
    const struct batch *batch;
};

/* ---- products ---- */

/* y = w x for n_rows vectors, as the linear rules say. */
struct cpu_product {
    const uint8_t *w;
    size_t w_stride;
    enum dtype dtype;
    int n_out, n_in;
    const uint8_t *x;
    size_t x_stride;
    enum xfmt xfmt;
    int n_rows;
    float *y;
    size_t y_stride; // floats
};
/* Some independent ones, in one region. Thread scratch: cpu_product_scratch() of each. */
void cpu_products(struct backend_tape *tape, const struct cpu_product *products, int n);
size_t cpu_product_scratch(const struct backend *backend, enum dtype dtype, enum xfmt xfmt,
                           int n_in);
/* The same on the calling thread, with its scratch. */
void cpu_product_here(const struct backend *backend, const struct cpu_product *product,
                      uint8_t *scratch);

/* Transposed copies of f32 or bf16, over the threads or on the calling one. */
void cpu_turn(const struct backend *backend, const struct transpose_args *args, enum xfmt form);
void cpu_turn_here(const struct backend *backend, const struct transpose_args *args,
                   enum xfmt form);

/* Squares of f32 on the calling thread: whole cache lines a row; y = x w', (n_rows, n_out) of
 * (n_rows, n_in) and (n_out, n_in); the transposed copy. Lines and strides in floats. */
static inline size_t cpu_f32_line(int n) { return ((size_t)n + 15) / 16 * 16; }
struct f32_rows {
    const float *at;
    size_t line;
    int n; // rows
};
void cpu_f32_product(const struct backend *backend, struct f32_rows w, int n_in, struct f32_rows x,
                     float *y, size_t y_line, uint8_t *scratch);
void cpu_f32_turn(const struct backend *backend, struct f32_rows x, int n_col, float *y,
                  size_t y_line);

/* ---- turned weights ---- */

struct turned_view {
    const uint8_t *data; // (n_in, n_out) in dtype; NULL: there is none
    size_t stride;       // bytes
    enum dtype dtype;    // F32 or BF16
};
struct turned_view cpu_turned(const struct backend_turned *turned, const struct weight *w,
                              int expert);

/* ---- values and gradients ---- */

static inline uint8_t *tape_value(const struct backend_tape *tape, int made, int vector) {
    const struct tape_value *value = &tape->values[made];
    return tape->memory + value->at + (size_t)vector * value->stride;
}

/* What the step read as input k (op_save's bits), of one vector. */
static inline const float *tape_read(const struct backend_tape *tape, const struct step *step,
                                     int k, int vector) {
    return (const float *)(const void *)tape_value(tape, step->from[k], vector);
}

/* The register whose gradient an input's is: of a rounded copy, that of what was rounded. */
enum reg_id tape_grad_reg(const struct backend_tape *tape, const struct step *step, int k);

static inline float *tape_grad(const struct backend_tape *tape, enum reg_id reg, int vector) {
    return (float *)(void *)((uint8_t *)tape->grad[reg] + (size_t)vector * tape->grad_stride[reg]);
}

/* A head of a row, where rows hold heads of `width` numbers or have a vector for each: which
 * vector, and where in it. */
static inline int tape_head_vector(int slots, int row, int head) {
    return slots > 1 ? row * slots + head : row;
}
static inline size_t tape_head_at(int slots, int head, int width) {
    return slots > 1 ? 0 : (size_t)head * (size_t)width;
}
static inline float *tape_grad_head(const struct backend_tape *tape, enum reg_id reg, int slots,
                                    int row, int head, int width) {
    return tape_grad(tape, reg, tape_head_vector(slots, row, head)) +
           tape_head_at(slots, head, width);
}
/* The saved input of a step, of one head, as numbers. */
void tape_read_head(const struct backend_tape *tape, const struct step *step, int row, int head,
                    int width, float *out);

/* Puts n floats into a gradient, or adds them where something is there. */
static inline void tape_put(const struct backend_tape *tape, bool add, const float *from, float *to,
                            int n) {
    if (add)
        tape->backend->kernels.add(from, to, n);
    else
        for (int i = 0; i < n; i++)
            to[i] = from[i];
}

static inline float *tape_thread_temp(const struct backend_tape *tape, int thread) {
    return (float *)(void *)(tape->temp[TEMP_THREAD] +
                             (size_t)thread * tape->temp_bytes[TEMP_THREAD]);
}

/* Rows of the batch that the step saw. */
int tape_rows(const struct backend_tape *tape, const struct step *step);

/* ---- sums over rows ---- */

/* Gradients of vector weights are sums over rows: of TAPE_BLOCK vectors each a chain, then over the
 * blocks. A body is called with its block's sums (n floats, zeros at first; NULL: not wanted) and
 * may use the thread's temporary. */
#define TAPE_BLOCK 64
typedef void tape_block_fn(struct backend_tape *tape, const struct step *step, int first, int end,
                           float *sums, int thread);
/* fn for all blocks of so many vectors; then, with n_sum > 0, the sums into the gradient of the
 * step's weight. */
void tape_blocks(struct backend_tape *tape, const struct step *step, int n_vector, int n_sum,
                 tape_block_fn *fn);
/* n_block rows of n floats in TEMP_SUMS, one after the other, into a gradient. */
void tape_add_sums(struct backend_tape *tape, const struct weight *w, int n_block, int n);
/* The gradient of input k to zeros unless something is there, so that parts can be added. */
void tape_clear_input(struct backend_tape *tape, const struct step *step, int k);

/* ---- bodies: from the gradient of a step's output to those of its inputs and weight ---- */

typedef enum jl_status cpu_grad_fn(struct backend_tape *tape, const struct step *step,
                                   struct jl_error *err);
#define X(id, name, ...) cpu_grad_fn cpu_grad_##name;
OP_LIST(X)
#undef X

/* ---- matrices ---- */

/* Rows of inputs x and of output gradients dy of y = W x: what becomes of dx and dW. */
struct linear_grad {
    const struct weight *w;
    int expert;       // of w; -1: w is one matrix
    const uint8_t *x; // (n_rows, n_in) in xfmt; NULL without dw
    size_t x_stride;  // bytes
    enum xfmt xfmt;   // F32 or BF16: the form of the products, too
    const float *dy;  // (n_rows, n_out)
    size_t dy_stride; // floats
    int n_rows;
    float *dx; // (n_rows, n_in), overwritten; NULL: not wanted
    size_t dx_stride;
    float *dw; // (n_out, n_in), overwritten; NULL: not wanted
};
/* Over the threads, in the tape's temporaries. same_x: TEMP_X_TURNED holds x already. */
void cpu_linear_grad(struct backend_tape *tape, const struct linear_grad *grad, bool same_x);
/* On the calling thread, in cpu_linear_grad_here_bytes() of memory. */
void cpu_linear_grad_here(const struct backend_tape *tape, const struct linear_grad *grad,
                          uint8_t *memory);
size_t cpu_linear_grad_here_bytes(const struct backend *backend, const struct step *step,
                                  int n_rows);
void cpu_linear_grad_room(const struct backend *backend, const struct step *step, int n_rows,
                          bool wanted, size_t bytes[TEMP_COUNT]);
/* A linear step's, from and to where its caller says; into the weight's gradient if it is wanted.
 * x as it was saved, NULL where it was not. */
struct linear_step_rows {
    const uint8_t *x;
    const float *dy;
    size_t dy_stride; // floats
    float *dx;
    size_t dx_stride;
    int n;
    bool add_dx, same_x;
};
void cpu_linear_step_grad(struct backend_tape *tape, const struct step *step,
                          const struct linear_step_rows *rows);

/* to += from, row by row, over the threads. */
void cpu_add_rows(struct backend_tape *tape, const float *from, size_t from_stride, float *to,
                  size_t to_stride, int n_row, int n);
/* dw into a gradient that holds something. */
void cpu_add_weight_grad(struct backend_tape *tape, const struct weight *w, const float *dw);

/* Of one thread, for experts that n_rows rows have chosen. */
size_t cpu_expert_grad_bytes(const struct backend *backend, const struct step *step, int n_rows);
size_t cpu_heads_grad_bytes(const struct backend *backend, const struct step *step, int n_rows);
/* Floats of what a matrix that all heads share gets from each of them; 0: they have their own. */
size_t cpu_heads_grad_sums(const struct step *step);
size_t cpu_attn_grad_bytes(const struct backend *backend, const struct step *step, int n_rows);
size_t cpu_delta_grad_bytes(const struct step *step, int n_rows);

/* Experts' order as the layer's forward pass had it, from the ids that were kept. */
enum jl_status cpu_experts_again(struct backend_tape *tape, const struct step *step, int made,
                                 struct jl_error *err);

#endif
