/* The embedding backwards: rows of a token are added in the order of the batch, whoever adds them.
 */
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/tape.h"

struct embed_call {
    struct backend_tape *tape;
    const struct step *step;
    float *dw;
    const uint64_t *order; // (n): token, then row
    int n, n_item;
};

static int by_token(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t token_at(const struct embed_call *call, int i) {
    return (uint32_t)(call->order[i] >> 32);
}

/* Items begin and end between tokens. */
static int begin_of(const struct embed_call *call, int item) {
    int i = (int)((int64_t)call->n * item / call->n_item);
    while (i > 0 && i < call->n && token_at(call, i) == token_at(call, i - 1))
        i++;
    return i;
}

static void embed_item(void *ctx, int item, int thread) {
    const struct embed_call *call = ctx;
    size_t width = (size_t)call->step->width;
    (void)thread;
    for (int i = begin_of(call, item); i < begin_of(call, item + 1); i++)
        call->tape->backend->kernels.add(
            tape_grad(call->tape, call->step->out, (int)(uint32_t)call->order[i]),
            call->dw + token_at(call, i) * width, call->step->width);
}

static void vectors_out(struct backend_tape *tape, const struct step *step) {
    size_t width = (size_t)step->width;
    for (int row = 0; row < tape->batch->n_row; row++) {
        float *to = tape->ends->dvector + (size_t)row * width;
        if (tape->batch->rows[row].vector)
            memcpy(to, tape_grad(tape, step->out, row), width * sizeof *to);
        else
            memset(to, 0, width * sizeof *to);
    }
}

/* Of rows with tokens, onto the tokens' rows of the weight. */
static void scatter(struct backend_tape *tape, const struct step *step) {
    struct weight_grad *grad = &tape->grads[step->w.id];
    struct embed_call call = {.tape = tape, .step = step, .dw = grad->data};
    uint64_t *order = (uint64_t *)(void *)tape->temp[TEMP_SUMS];
    if (!grad->data) return;
    if (grad->fresh)
        memset(grad->data, 0, (size_t)step->w.n_out * (size_t)step->w.n_in * sizeof(float));
    grad->fresh = false;
    for (int row = 0; row < tape->batch->n_row; row++)
        if (!tape->batch->rows[row].vector)
            order[call.n++] =
                (uint64_t)(uint32_t)tape->batch->rows[row].token << 32 | (uint32_t)row;
    qsort(order, (size_t)call.n, sizeof *order, by_token);
    call.order = order;
    call.n_item = 4 * backend_threads(tape->backend);
    pool_run(tape->backend->pool, call.n_item, embed_item, &call);
}

enum jl_status cpu_grad_embed(struct backend_tape *tape, const struct step *step,
                              struct jl_error *err) {
    (void)err;
    if (tape->ends->dvector) vectors_out(tape, step);
    scatter(tape, step);
    return JL_OK;
}

enum jl_status cpu_grad_lookup(struct backend_tape *tape, const struct step *step,
                               struct jl_error *err) {
    (void)err;
    scatter(tape, step);
    return JL_OK;
}
