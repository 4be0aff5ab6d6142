/* What a tape keeps, and where. The output of a step is a value. Values that the way back asks for
 * have memory of their own, either for the whole pass or only while their layer is walked; all
 * others stay in the frame's registers, as without a tape. */
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/tape.h"
#include "base/arena.h"

struct layout {
    struct backend_tape *tape;
    const struct tape_options *options;
    bool *needed; // (n_step): some op saves the value
    bool *across; // (n_step): steps of another segment read it
    int *owner;   // (n_step): the value in whose memory it stands
};

/* Steps are walked back segment by segment: a layer's, and those from the choice of rows on. */
static int segment_of(const struct backend_tape *tape, int i) {
    return tape->pick >= 0 && i >= tape->pick ? INT32_MAX : tape->plan.steps[i].layer;
}

static bool saves_for_weight_only(enum op_id op) {
    return op == OP_LINEAR || op == OP_LINEAR_ADD || op == OP_EXPERTS || op == OP_HEADS ||
           op == OP_ABSORB;
}

static void find_needed(struct layout *l) {
    const struct step_list *plan = &l->tape->plan;
    for (int i = 0; i < plan->n_step; i++) {
        const struct step *step = &plan->steps[i];
        enum op_save save = op_row(step->op)->save;
        bool frozen = saves_for_weight_only(step->op) && !l->options->grads[step->w.id].data;
        for (int k = 0; k < STEP_READS; k++) {
            int made = step->from[k];
            if (made < 0) continue;
            if (save >> k & 1 && !frozen) l->needed[made] = true;
            if (segment_of(l->tape, made) != segment_of(l->tape, i)) l->across[made] = true;
        }
    }
}

/* Is the step run again before its segment is walked back? */
static bool again(const struct layout *l, int i) {
    const struct step *step = &l->tape->plan.steps[i];
    bool last = segment_of(l->tape, i) == INT32_MAX;
    if (step->layer < 0 || last || l->across[i] || step->op == OP_CHECK) return false;
    if (l->options->keep == TAPE_KEEP_COSTLY) return step->fate == VALUE_RECOMPUTE;
    return l->options->keep == TAPE_KEEP_LAYERS;
}

static void choose_values(struct layout *l) {
    struct backend_tape *tape = l->tape;
    for (int i = 0; i < tape->plan.n_step; i++) {
        const struct step *step = &tape->plan.steps[i];
        struct tape_value *value = &tape->values[i];
        enum op_out out = op_row(step->op)->out;
        l->owner[i] = i;
        value->again = again(l, i);
        if (out == OUT_NONE) continue;
        const struct tape_value *old = out == OUT_UPDATES ? &tape->values[step->from[2]] : NULL;
        value->stride = old ? old->stride : cpu_out_stride(step);
        value->slots = step->out_slots;
        // What crosses segments is kept where anything runs again that may read it.
        value->kept = l->needed[i] || (l->options->keep != TAPE_KEEP_ALL && l->across[i]);
    }
    // An update happens in place, unless the value before it is asked for too.
    for (int i = tape->plan.n_step - 1; i >= 0; i--) {
        const struct step *step = &tape->plan.steps[i];
        int old = step->from[2];
        if (op_row(step->op)->out != OUT_UPDATES || old < 0 || tape->values[old].kept ||
            tape->values[old].again != tape->values[i].again)
            continue;
        l->owner[old] = l->owner[i];
        tape->values[old].kept = tape->values[i].kept;
    }
}

/* Bytes of values: those that last, then room for the largest segment's others. */
static bool place_values(struct layout *l, size_t *bytes) {
    struct backend_tape *tape = l->tape;
    size_t at = 0, most = 0, size;
    for (int round = 0; round < 2; round++) {
        size_t local = at;
        for (int i = 0; i < tape->plan.n_step; i++) {
            struct tape_value *value = &tape->values[i];
            size_t *next = round ? &local : &at;
            if (round && i > 0 && segment_of(tape, i) != segment_of(tape, i - 1)) local = at;
            if (!value->kept || l->owner[i] != i || value->again != (round == 1)) continue;
            value->at = *next;
            if (!size_mul(value->stride * (size_t)value->slots, (size_t)tape->max_rows, &size) ||
                !size_add(*next, size, next))
                return false;
            if (local > most) most = local;
        }
    }
    for (int i = tape->plan.n_step - 1; i >= 0; i--)
        if (tape->values[i].kept) tape->values[i].at = tape->values[l->owner[i]].at;
    *bytes = most > at ? most : at;
    return true;
}

/* ---- gradients and temporaries ---- */

static bool cut(size_t *at, size_t rows, size_t row_bytes, size_t *out) {
    size_t size;
    *out = *at;
    return size_mul(rows, row_bytes, &size) && size_add(*at, size, at) && size_add(*at, 63, at) &&
           ((*at &= ~(size_t)63), true);
}

static void step_room(struct backend_tape *tape, const struct step *step,
                      const struct weight_grad *grads) {
    const struct backend *backend = tape->backend;
    size_t rows = (size_t)tape->max_rows, thread = 0, sums = 0;
    size_t widest = xrow_layout(XFMT_F32, step->width + step->out_width).bytes;
    size_t vectors = rows * (size_t)step->slots;
    switch (step->op) {
    case OP_LINEAR:
    case OP_LINEAR_ADD:
        if (step->out == REG_LOGITS) vectors = (size_t)tape->chunk_rows;
        cpu_linear_grad_room(backend, step, (int)vectors, grads[step->w.id].data != NULL,
                             tape->temp_bytes);
        break;
    case OP_EXPERTS: thread = cpu_expert_grad_bytes(backend, step, tape->max_rows); break;
    case OP_HEADS:
    case OP_ABSORB:
        thread = cpu_heads_grad_bytes(backend, step, tape->max_rows);
        if (grads[step->w.id].data) sums = cpu_heads_grad_sums(step) * sizeof(float);
        break;
    case OP_ATTN: thread = cpu_attn_grad_bytes(backend, step, tape->max_rows); break;
    case OP_DELTA: thread = cpu_delta_grad_bytes(step, tape->max_rows); break;
    case OP_CONV: // every sequence has sums of its own, and may be one row
        thread = 64 * sizeof(float) * rows;
        sums = rows * (size_t)step->delta->n_tap * (size_t)step->width * sizeof(float);
        break;
    case OP_EMBED:
    case OP_LOOKUP: sums = rows * sizeof(uint64_t); break;
    default: sums = (vectors / TAPE_BLOCK + 1) * (size_t)step->width * sizeof(float); break;
    }
    thread = thread > 2 * widest ? thread : 2 * widest;
    if (thread > tape->temp_bytes[TEMP_THREAD]) tape->temp_bytes[TEMP_THREAD] = thread;
    if (sums > tape->temp_bytes[TEMP_SUMS]) tape->temp_bytes[TEMP_SUMS] = sums;
}

/* Places behind `at`: gradients of registers, of the cache, and the temporaries. */
static bool place_rest(struct backend_tape *tape, const struct weight_grad *grads, size_t at,
                       size_t grad_at[REG_COUNT], size_t cache_at[2], size_t temp_at[TEMP_COUNT]) {
    size_t most[REG_COUNT] = {0}, keys = 0, values = 0;
    for (int i = 0; i < tape->plan.n_step; i++) {
        const struct step *step = &tape->plan.steps[i];
        size_t vector = xrow_layout(XFMT_F32, step->out_width).bytes;
        step_room(tape, step, grads);
        if (step->out != REG_LOGITS && vector * (size_t)step->out_slots > most[step->out])
            most[step->out] = vector * (size_t)step->out_slots;
        if (step->op != OP_ATTN) continue;
        size_t heads = (size_t)step->attn->n_head_kv * sizeof(float);
        if (heads * (size_t)step->attn->d_k > keys) keys = heads * (size_t)step->attn->d_k;
        if (!step->attn->values_in_keys && heads * (size_t)step->attn->d_v > values)
            values = heads * (size_t)step->attn->d_v;
    }
    size_t rows = (size_t)tape->max_rows;
    for (int reg = REG_NONE + 1; reg < REG_COUNT; reg++)
        if (!cut(&at, rows, most[reg], &grad_at[reg])) return false;
    if (!cut(&at, rows, keys, &cache_at[0]) || !cut(&at, rows, values, &cache_at[1])) return false;
    tape->temp_bytes[TEMP_THREAD] = (tape->temp_bytes[TEMP_THREAD] + 63) & ~(size_t)63;
    for (int t = 0; t < TEMP_COUNT; t++) {
        size_t copies = t == TEMP_THREAD ? (size_t)backend_threads(tape->backend) : 1;
        if (!cut(&at, copies, tape->temp_bytes[t], &temp_at[t])) return false;
    }
    return cut(&at, (size_t)tape->chunk_rows, xrow_layout(XFMT_F32, tape->plan.n_logit).bytes,
               &tape->logits_at) &&
           (tape->bytes = at, true);
}

/* ---- the head ---- */

/* Outputs that are there at a time: 2^23 floats, or the rows of one block. */
#define HEAD_FLOATS (1 << 23)

static enum jl_status find_head(struct backend_tape *tape, struct jl_error *err) {
    tape->pick = tape->head = -1;
    for (int i = 0; i < tape->plan.n_step; i++) {
        const struct step *step = &tape->plan.steps[i];
        if (step->op == OP_PICK) tape->pick = i;
        if (step->op == OP_LINEAR && step->out == REG_LOGITS) tape->head = i;
    }
    if (tape->head < 0 || tape->pick < 0)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "the plan has no output layer to learn from");
    int rows = HEAD_FLOATS / tape->plan.n_logit / TAPE_BLOCK * TAPE_BLOCK;
    tape->chunk_rows = rows < TAPE_BLOCK ? TAPE_BLOCK : rows;
    if (tape->chunk_rows > tape->max_rows) tape->chunk_rows = tape->max_rows;
    return JL_OK;
}

static void count_experts(struct backend_tape *tape) {
    for (int i = 0; i < tape->plan.n_step; i++) {
        const struct step *step = &tape->plan.steps[i];
        if (step->op != OP_ROUTE) continue;
        if (step->moe->rule.n_expert > tape->n_expert) tape->n_expert = step->moe->rule.n_expert;
        if (step->layer + 1 > tape->n_load_layer) tape->n_load_layer = step->layer + 1;
    }
}

/* ---- create ---- */

static enum jl_status fill(struct backend_tape *tape, const struct tape_options *options,
                           struct layout *l, struct jl_error *err) {
    size_t n = (size_t)tape->plan.n_step, values, grad_at[REG_COUNT], cache_at[2];
    size_t temp_at[TEMP_COUNT];
    JL_TRY(backend_frame_create(tape->backend, &tape->plan, options->max_rows, &tape->frame, err));
    JL_TRY(find_head(tape, err));
    count_experts(tape);
    tape->values = calloc(n, sizeof *tape->values);
    tape->picked = calloc((size_t)options->max_rows, sizeof *tape->picked);
    tape->loads = calloc((size_t)(tape->n_expert * tape->n_load_layer) + 1, sizeof *tape->loads);
    l->needed = calloc(n, sizeof *l->needed);
    l->across = calloc(n, sizeof *l->across);
    l->owner = calloc(n, sizeof *l->owner);
    if (!tape->values || !tape->picked || !tape->loads || !l->needed || !l->across || !l->owner ||
        !cpu_frame_single(tape->frame))
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for a tape");
    find_needed(l);
    choose_values(l);
    if (!place_values(l, &values) ||
        !place_rest(tape, options->grads, values, grad_at, cache_at, temp_at))
        return jl_fail(err, JL_ERR_LIMIT, "a tape of %d rows overflows", options->max_rows);
    tape->memory = cpu_alloc_zeroed(tape->bytes);
    if (!tape->memory)
        return jl_fail(err, JL_ERR_MEMORY,
                       "out of memory: %d rows on the way back need %zu bytes; fewer rows a "
                       "micro-batch, or less kept, need less",
                       options->max_rows, tape->bytes);
    for (int reg = 0; reg < REG_COUNT; reg++)
        if (reg != REG_NONE) tape->grad[reg] = (float *)(void *)(tape->memory + grad_at[reg]);
    tape->dkeys = (float *)(void *)(tape->memory + cache_at[0]);
    tape->dvalues = (float *)(void *)(tape->memory + cache_at[1]);
    for (int t = 0; t < TEMP_COUNT; t++)
        tape->temp[t] = tape->memory + temp_at[t];
    for (int reg = 0; reg < REG_COUNT; reg++)
        tape->reg_home[reg] = tape->frame->reg[reg];
    return JL_OK;
}

enum jl_status backend_tape_create(struct backend *backend, const struct step_list *plan,
                                   const struct tape_options *options, struct backend_tape **out,
                                   struct jl_error *err) {
    struct backend_tape *tape = calloc(1, sizeof *tape);
    struct layout l = {.tape = tape, .options = options};
    *out = NULL;
    if (!tape) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a tape");
    *tape = (struct backend_tape){.backend = backend,
                                  .plan = *plan,
                                  .turned = options->turned,
                                  .max_rows = options->max_rows};
    enum jl_status status = fill(tape, options, &l, err);
    free(l.needed);
    free(l.across);
    free(l.owner);
    if (status != JL_OK) {
        backend_tape_free(tape);
        return status;
    }
    *out = tape;
    return JL_OK;
}

void backend_tape_free(struct backend_tape *tape) {
    if (!tape) return;
    backend_frame_free(tape->frame);
    free(tape->values);
    free(tape->picked);
    free(tape->loads);
    free(tape->memory);
    free(tape);
}

size_t backend_tape_bytes(const struct backend_tape *tape) {
    return tape->bytes + backend_frame_bytes(tape->frame);
}

const int32_t *backend_tape_load(const struct backend_tape *tape, int layer) {
    if (layer < 0 || layer >= tape->n_load_layer) return NULL;
    for (int i = 0; i < tape->plan.n_step; i++)
        if (tape->plan.steps[i].op == OP_ROUTE && tape->plan.steps[i].layer == layer)
            return tape->loads + (size_t)layer * (size_t)tape->n_expert;
    return NULL;
}
