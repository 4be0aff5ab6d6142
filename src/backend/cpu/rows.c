/* Runs of steps that work on one row at a time (group.c finds them): one parallel region, in which
 * an item takes a few rows through all steps, each row while it is in the first cache. */
#include "backend/cpu/cpu.h"

/* Less than this of all vectors' elements, counted in each step, and waking the threads costs more
 * than the work. */
#define MIN_PARALLEL 16384
#define ROUTE_WORK 16 // elements' worth of each score: an exponential and a place among the best
/* Rows an item: few enough that there are several a thread, and a delayed one leaves little behind.
 */
#define ITEM_MOST 16
#define ITEMS_PER_THREAD 4

static cpu_row_fn *const row_bodies[] = {
#define BODY_APART(name) cpu_row_##name
#define BODY_GATHERED(name) cpu_row_##name
#define BODY_TOGETHER(name) NULL
#define X(id, name, n_in, out, weight, save, cost, rows) BODY_##rows(name),
    OP_LIST(X)
#undef X
};

struct rows_call {
    struct backend_frame *frame;
    const struct step_group *run;
    int slots; // items are made of parts of a row: its vectors, where all steps have as many
    int n_part, per_item;
};

/* Vectors of a row that the step goes through. Experts' inputs that stay in place are rows. */
static int slots_of(const struct backend_frame *frame, const struct step *step) {
    return cpu_in_place(frame, step) ? 1 : step->slots;
}

static void run_item(void *ctx, int item, int thread) {
    const struct rows_call *call = ctx;
    int first = item * call->per_item, end = first + call->per_item;
    (void)thread;
    for (int part = first; part < end && part < call->n_part; part++)
        for (int m = 0; m < call->run->n; m++) {
            const struct step *step = call->run->member[m];
            int n = slots_of(call->frame, step) / call->slots;
            for (int vector = part * n; vector < (part + 1) * n; vector++)
                row_bodies[step->op](call->frame, step, vector);
        }
}

/* KSLOT_ROW_COUNT: none. */
static enum kernel_slot kernel_of(const struct step *step) {
    switch (step->op) {
    case OP_NORM:
    case OP_HEAD_NORM: return KSLOT_rms_norm;
    case OP_ROPE: return KSLOT_rope;
    case OP_CONVERT:
        return step->xfmt == XFMT_BF16    ? KSLOT_to_bf16
               : step->xfmt == XFMT_Q8_32 ? KSLOT_to_q8_32
                                          : KSLOT_to_q8_256;
    case OP_BIAS:
    case OP_ADD: return KSLOT_add;
    case OP_SILU_MUL: return KSLOT_silu_mul;
    case OP_SIGMOID_MUL: return KSLOT_sigmoid_mul;
    case OP_SIGMOID: return KSLOT_sigmoid;
    case OP_DECAY: return KSLOT_decay;
    case OP_L2_NORM: return KSLOT_l2_norm;
    case OP_ROUTE: return KSLOT_route;
    case OP_COMBINE: return KSLOT_add_scaled;
    case OP_CHECK: return KSLOT_all_finite;
    default: return KSLOT_ROW_COUNT;
    }
}

enum jl_status cpu_run_rows(struct backend_frame *frame, const struct step *lead,
                            struct jl_error *err) {
    const struct step_group *run = cpu_group(frame, lead);
    struct rows_call call = {.frame = frame, .run = run, .slots = slots_of(frame, lead)};
    int64_t work = 0;
    for (int m = 0; m < run->n; m++) {
        const struct step *step = run->member[m];
        int slots = slots_of(frame, step);
        enum kernel_slot kernel = kernel_of(step);
        if (kernel < KSLOT_ROW_COUNT) frame->ran.row[kernel] = true;
        if (slots != call.slots) call.slots = 1;
        int64_t each = step->op == OP_ROUTE ? ROUTE_WORK : 1;
        work += each * frame->n_row * slots * step->width;
    }
    call.n_part = call.per_item = frame->n_row * call.slots;
    if (work >= MIN_PARALLEL) {
        int share = call.n_part / (backend_threads(frame->backend) * ITEMS_PER_THREAD);
        call.per_item = share < 1 ? 1 : share < ITEM_MOST ? share : ITEM_MOST;
    }
    int n_item = (call.n_part + call.per_item - 1) / call.per_item;
    pool_run(frame->backend->pool, n_item, run_item, &call);
    return cpu_fault(frame, err);
}
