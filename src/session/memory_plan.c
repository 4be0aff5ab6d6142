#include "session/memory_plan.h"

#include "base/memory.h"

static size_t add(size_t a, size_t b) { return a > SIZE_MAX - b ? SIZE_MAX : a + b; }

static size_t multiply(size_t a, size_t b) {
    size_t product;
    return size_mul(a, b, &product) ? product : SIZE_MAX;
}

#define DRAFT 8 // tokens when nobody says otherwise

/* Of each session its logits, twice those of the pass, hidden states of both, ids. */
static size_t session_work(const struct model *model, const struct session_options *options,
                           int rows) {
    bool predicts = session_set_predicts(model, options);
    size_t n_scored = 1 + (size_t)session_set_n_draft(options, rows);
    size_t floats = 3 * (size_t)model->hp.n_vocab + (predicts ? 2 * (size_t)model->hp.n_embd : 0);
    size_t each = add(multiply(multiply(n_scored, floats), sizeof(float)),
                      multiply((size_t)options->n_ctx, sizeof(int32_t)));
    size_t pass = predicts ? add(multiply((size_t)rows, (size_t)model->hp.n_embd * sizeof(float)),
                                 (size_t)model->hp.n_vocab * sizeof(float))
                           : 0;
    return add(pass, multiply((size_t)options->n_seq, each));
}

/* But for the context and the pages, which are to be found. */
static struct session_options session_options_of(const struct memory_request *request) {
    return (struct session_options){.n_seq = request->n_seq ? request->n_seq : 1,
                                    .prefix_bytes = request->prefix_bytes,
                                    .draft = request->draft,
                                    .n_draft = request->n_draft ? request->n_draft : DRAFT};
}

static int pages_of(int n_ctx) { return (int)(((int64_t)n_ctx + KV_CHUNK - 1) / KV_CHUNK); }

/* Fills state, prefix and the sessions' options for a context of so many tokens. */
static enum jl_status measure(const struct model *model, const struct memory_request *request,
                              int n_ctx, struct memory_plan *out, struct jl_error *err) {
    struct session_options *sessions = &out->sessions;
    *sessions = session_options_of(request);
    sessions->n_ctx = n_ctx;
    int64_t own = (int64_t)sessions->n_seq * pages_of(n_ctx);
    int64_t kept = model->page_bytes ? (int64_t)(request->prefix_bytes / model->page_bytes) : 0;
    if (own + kept > INT32_MAX)
        return jl_fail(err, JL_ERR_LIMIT, "%d sequences of %d tokens are more than can be counted",
                       sessions->n_seq, n_ctx);
    struct page_counts counts = page_counts_for(model, sessions->n_seq, n_ctx);
    JL_TRY(page_counts_bytes(model, &counts, &out->state, err));
    sessions->n_page = (int)(own + kept);
    counts = session_set_counts(model, sessions);
    size_t both;
    JL_TRY(page_counts_bytes(model, &counts, &both, err));
    out->prefix = both - out->state;
    return JL_OK;
}

static void add_up(const struct model *model, const struct memory_request *request, size_t frame,
                   struct memory_plan *out) {
    out->work = add(frame, session_work(model, &out->sessions, request->n_batch));
    out->total = add(add(out->weights, out->work), add(out->state, out->prefix));
}

/* The most pages' worth of tokens with which everything fits, at least one page's. */
static enum jl_status fit_context(const struct model *model, const struct memory_request *request,
                                  size_t frame, struct memory_plan *out, struct jl_error *err) {
    int low = 1, high = pages_of(model->hp.n_ctx_train), n_ctx = model->hp.n_ctx_train;
    while (low < high) { // a page count in [low, high] is the answer; all below low fit
        int middle = low + (high - low + 1) / 2;
        int64_t tokens = (int64_t)middle * KV_CHUNK;
        bool counts =
            measure(model, request, tokens < n_ctx ? (int)tokens : n_ctx, out, NULL) == JL_OK;
        if (counts) add_up(model, request, frame, out);
        if (counts && out->total <= out->available)
            low = middle;
        else
            high = middle - 1;
    }
    int64_t tokens = (int64_t)low * KV_CHUNK;
    return measure(model, request, tokens < n_ctx ? (int)tokens : n_ctx, out, err);
}

/* Registers and scratch of the passes. */
static enum jl_status frame_bytes(const struct model *model, struct backend *backend,
                                  const struct memory_request *request, size_t *out,
                                  struct jl_error *err) {
    const struct session_options sessions = session_options_of(request);
    size_t layer = 0;
    if (request->draft == DRAFT_PREDICT && model->mtp.n_step == 0)
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "%s has no layer that predicts further tokens (num_nextn_predict_layers)",
                       model->file->path);
    JL_TRY(backend_frame_size(backend, &model->plan, request->n_batch, out, err));
    if (session_set_predicts(model, &sessions))
        JL_TRY(backend_frame_size(backend, &model->mtp, request->n_batch, &layer, err));
    *out = add(*out, layer);
    return JL_OK;
}

enum jl_status memory_plan_make(const struct model *model, struct backend *backend,
                                const struct memory_request *request, struct memory_plan *out,
                                struct jl_error *err) {
    int n_ctx = model->hp.n_ctx_train;
    size_t frame, mapped = model_file_bytes(model->file);
    *out = (struct memory_plan){.weights = model_weight_bytes(model)};
    out->available = request->limit ? request->limit : memory_available(mapped);
    if (request->n_ctx > n_ctx)
        return jl_fail(err, JL_ERR_LIMIT,
                       "a context of %d tokens is asked for; the model's holds %d", request->n_ctx,
                       n_ctx);
    JL_TRY(frame_bytes(model, backend, request, &frame, err));
    if (request->n_ctx)
        JL_TRY(measure(model, request, request->n_ctx, out, err));
    else
        JL_TRY(fit_context(model, request, frame, out, err));
    add_up(model, request, frame, out);
    if (out->total <= out->available) return JL_OK;
    return jl_fail(err, JL_ERR_LIMIT,
                   "%s needs %.1f MB of memory (weights %.1f, state of %d x %d tokens %.1f, work "
                   "%.1f) and %.1f MB are available; ask for a shorter context, fewer sequences or "
                   "smaller weights",
                   model->file->path, (double)out->total / 1e6, (double)out->weights / 1e6,
                   out->sessions.n_seq, out->sessions.n_ctx,
                   (double)(out->state + out->prefix) / 1e6, (double)out->work / 1e6,
                   (double)out->available / 1e6);
}
