#include "session/quantize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/report.h"
#include "model/export.h"
#include "session/open_tokenizer.h"
#include "session/sample_model.h"
#include "tensor/quant.h"

#define QUANTIZATION_VERSION 2 // of the block layouts, general.quantization_version

/* ---- the plan ---- */

static bool is_block_type(enum dtype dtype) { return dtype_row(dtype)->block > 1; }

static enum jl_status check_requantize(struct quantize_plan *plan, const struct quantize_tensor *t,
                                       struct jl_error *err) {
    enum dtype from = t->source->dtype;
    if (t->copied || !is_block_type(from)) return JL_OK;
    if (from != DTYPE_Q8_0 && !plan->options.allow_requantize)
        return report_fail(err, JL_ERR_USAGE, plan->model->file->path,
                           "tensor '%s' is %s already: made into %s it would lose twice. Start "
                           "from the model it was made from, or say --allow-requantize",
                           t->source->name, dtype_name(from), dtype_name(t->choice.dtype));
    plan->n_requantized++;
    return JL_OK;
}

/* Experts count as matrices: dimensions before the last two. */
static int64_t n_matrix(const struct export_tensor *t) {
    int64_t n = 1;
    for (int i = 0; i + 2 < t->n_dim; i++)
        n *= t->dim[i];
    return n;
}

static enum jl_status find_importance(struct quantize_plan *plan, struct quantize_tensor *t,
                                      struct jl_error *err) {
    const struct export_tensor *source = t->source;
    if (!plan->options.imatrix || t->copied || !is_block_type(t->choice.dtype)) return JL_OK;
    t->importance = imatrix_find(plan->options.imatrix, source->name);
    if (!t->importance) {
        plan->n_unimportant++;
        return JL_OK;
    }
    int64_t n_in = source->dim[source->n_dim - 1];
    if (imatrix_fits(t->importance, n_in, n_matrix(source))) return JL_OK;
    return report_fail(err, JL_ERR_USAGE, plan->options.imatrix_path,
                       "'%s' has %zu values and %zu counts, which do not go with %lld columns of "
                       "%lld matrices: it was made with another model",
                       source->name, t->importance->n_value, t->importance->n_count,
                       (long long)n_in, (long long)n_matrix(source));
}

static enum jl_status plan_tensor(struct quantize_plan *plan, const struct quant_model *facts,
                                  struct quantize_tensor *t, struct jl_error *err) {
    const struct export_tensor *source = t->source;
    size_t row_bytes;
    struct quant_tensor about = {source->name, source->dtype, source->n_dim,
                                 source->dim[source->n_dim - 1]};
    t->choice = quant_preset_choose(plan->options.preset, facts, &about);
    JL_TRY(quant_override_apply(&plan->options.types, &about, &t->choice, err));
    t->copied = t->choice.dtype == source->dtype;
    plan->n_fallback += t->choice.dtype != t->choice.wanted;
    JL_TRY(check_requantize(plan, t, err));
    JL_TRY(find_importance(plan, t, err));
    if (!dtype_row_bytes(t->choice.dtype, about.n_in, &row_bytes) ||
        !size_mul(row_bytes, (size_t)export_rows(source), &t->bytes) ||
        !size_add(plan->bytes, t->bytes, &plan->bytes))
        return report_fail(err, JL_ERR_LIMIT, plan->model->file->path, "tensor '%s' overflows",
                           source->name);
    return JL_OK;
}

static enum jl_status plan_tokenizer(struct quantize_plan *plan, struct jl_error *err) {
    struct model_file *file = plan->model->file;
    plan->has_tokenizer = open_tokenizer_exists(file);
    if (file->kind == MODEL_FILE_GGUF) return JL_OK; // its keys are copied
    if (plan->options.no_tokenizer) plan->has_tokenizer = false;
    if (!plan->has_tokenizer) return JL_OK;
    return export_tokenizer_read(file, plan->model->hp.n_vocab, &plan->tokenizer, err);
}

static enum jl_status make_plan(struct quantize_plan *plan, struct jl_error *err) {
    const struct model *model = plan->model;
    struct export_list list;
    struct quant_model facts = {
        .n_layer = model->hp.n_layer,
        .n_head = model->hp.n_head,
        .n_head_kv = model->hp.n_head_kv,
        .n_expert = model->hp.n_expert,
        .tied = model->tied,
        .imatrix = plan->options.imatrix != NULL,
    };
    JL_TRY(export_tensors(model, &plan->arena, &list, err));
    plan->tensors = arena_calloc(&plan->arena, list.n + 1, sizeof *plan->tensors);
    if (!plan->tensors) return report_no_memory(err, model->file->path, "the list of tensors");
    for (; plan->n < list.n; plan->n++) {
        plan->tensors[plan->n].source = &list.items[plan->n];
        JL_TRY(plan_tensor(plan, &facts, &plan->tensors[plan->n], err));
    }
    JL_TRY(quant_override_check(&plan->options.types, err));
    return plan_tokenizer(plan, err);
}

enum jl_status quantize_plan(const struct model *model, const struct quantize_options *options,
                             struct quantize_plan *out, struct jl_error *err) {
    *out = (struct quantize_plan){.model = model, .options = *options};
    enum jl_status status = make_plan(out, err);
    if (status != JL_OK) quantize_plan_free(out);
    return status;
}

void quantize_plan_free(struct quantize_plan *plan) {
    export_tokenizer_free(&plan->tokenizer);
    arena_free(&plan->arena);
    *plan = (struct quantize_plan){0};
}

/* ---- metadata ---- */

static void put_imatrix(const struct quantize_options *options, struct gguf_writer *writer) {
    const struct imatrix *imatrix = options->imatrix;
    if (!imatrix) return;
    int32_t entries = (int32_t)imatrix->n, chunks = (int32_t)imatrix->n_chunk;
    gguf_put_text(writer, "quantize.imatrix.file", options->imatrix_path);
    if (imatrix->dataset[0]) gguf_put_text(writer, "quantize.imatrix.dataset", imatrix->dataset);
    gguf_put(writer, "quantize.imatrix.entries_count", GGUF_INT32, &entries);
    if (chunks) gguf_put(writer, "quantize.imatrix.chunks_count", GGUF_INT32, &chunks);
}

static enum jl_status put_metadata(const struct quantize_plan *plan, struct gguf_writer *writer,
                                   struct jl_error *err) {
    const struct model_file *file = plan->model->file;
    JL_TRY(export_metadata(plan->model, writer, err));
    gguf_put_u32(writer, "general.file_type", quant_preset_file_type(plan->options.preset));
    gguf_put_u32(writer, "general.quantization_version", QUANTIZATION_VERSION);
    put_imatrix(&plan->options, writer);
    if (file->kind == MODEL_FILE_HF) JL_TRY(sample_model_write(plan->model->file, writer, err));
    if (file->kind == MODEL_FILE_HF && plan->has_tokenizer)
        return export_tokenizer_put(&plan->tokenizer, writer, err);
    if (file->kind == MODEL_FILE_HF) export_tokenizer_put_none(writer);
    return JL_OK;
}

/* ---- data ---- */

struct row_result {
    double square, error_square;
    bool bad_in, bad_out; // not finite as read, or as written
};

struct tensor_call {
    const struct quantize_tensor *t;
    int64_t row0, n_in, rows_a_matrix;
    size_t row_bytes;
    const float *importance;    // (matrices, n_in), or NULL
    uint8_t *out;               // (rows at once, row_bytes)
    float *scratch;             // (threads, 2, n_in)
    struct row_result *results; // (rows at once)
};

static bool all_finite(const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!__builtin_isfinite(x[i])) return false;
    return true;
}

static void write_row(void *ctx, int item, int thread) {
    const struct tensor_call *call = ctx;
    const struct export_tensor *source = call->t->source;
    int64_t row = call->row0 + item, n = call->n_in;
    uint8_t *to = call->out + (size_t)item * call->row_bytes;
    struct row_result *result = &call->results[item];
    *result = (struct row_result){0};
    if (call->t->copied) {
        memcpy(to, export_row(source, row), call->row_bytes);
        return;
    }
    float *x = call->scratch + (size_t)thread * 2 * (size_t)n, *back = x + n;
    export_values(source, row, x);
    result->bad_in = !all_finite(x, n);
    if (result->bad_in) return;
    const float *importance =
        call->importance ? call->importance + row / call->rows_a_matrix * n : NULL;
    dtype_quantize(call->t->choice.dtype, x, importance, to, n);
    dtype_dequantize(call->t->choice.dtype, to, back, n);
    result->bad_out = !all_finite(back, n);
    for (int64_t i = 0; i < n; i++) {
        double was = (double)x[i], error = (double)back[i] - was;
        result->square += was * was;
        result->error_square += error * error;
    }
}

static enum jl_status check_rows(const struct quantize_plan *plan, const struct tensor_call *call,
                                 int64_t n, struct quantize_error *error, struct jl_error *err) {
    for (int64_t i = 0; i < n; i++) {
        const struct row_result *result = &call->results[i];
        if (result->bad_in)
            return report_fail(err, JL_ERR_NONFINITE, plan->model->file->path,
                               "row %lld of tensor '%s' holds a value that is not finite",
                               (long long)(call->row0 + i), call->t->source->name);
        if (result->bad_out)
            return report_fail(err, JL_ERR_NONFINITE, plan->model->file->path,
                               "row %lld of tensor '%s' has values too large for %s; take BF16",
                               (long long)(call->row0 + i), call->t->source->name,
                               dtype_name(call->t->choice.dtype));
        error->square += result->square;
        error->error_square += result->error_square;
    }
    return JL_OK;
}

#define BYTES_AT_ONCE ((size_t)8 << 20)
#define ROWS_AT_ONCE 4096

static enum jl_status take_importance(struct tensor_call *call, float **out, struct jl_error *err) {
    int64_t matrices = n_matrix(call->t->source);
    *out = NULL;
    if (!call->t->importance) return JL_OK;
    *out = calloc((size_t)(matrices * call->n_in), sizeof **out);
    if (!*out) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the importance of columns");
    for (int64_t i = 0; i < matrices; i++)
        imatrix_means(call->t->importance, call->n_in, i, *out + i * call->n_in);
    call->importance = *out;
    return JL_OK;
}

static enum jl_status write_tensor(const struct quantize_plan *plan,
                                   const struct quantize_tensor *t, struct gguf_writer *writer,
                                   struct pool *pool, struct quantize_error *error,
                                   struct jl_error *err) {
    int64_t rows = export_rows(t->source), n_in = t->source->dim[t->source->n_dim - 1];
    struct tensor_call call = {.t = t, .n_in = n_in, .row_bytes = t->bytes / (size_t)rows};
    call.rows_a_matrix = rows / n_matrix(t->source);
    size_t at_once = BYTES_AT_ONCE / call.row_bytes + 1;
    if (at_once > ROWS_AT_ONCE) at_once = ROWS_AT_ONCE;
    if (at_once > (size_t)rows) at_once = (size_t)rows;
    float *importance = NULL;
    call.out = malloc(at_once * call.row_bytes);
    call.scratch = calloc((size_t)pool_threads(pool) * 2, (size_t)n_in * sizeof *call.scratch);
    call.results = calloc(at_once, sizeof *call.results);
    enum jl_status status = take_importance(&call, &importance, err);
    if (status == JL_OK && (!call.out || !call.scratch || !call.results))
        status = jl_fail(err, JL_ERR_MEMORY, "out of memory for tensor '%s'", t->source->name);
    for (; status == JL_OK && call.row0 < rows; call.row0 += (int64_t)at_once) {
        int64_t n = rows - call.row0 < (int64_t)at_once ? rows - call.row0 : (int64_t)at_once;
        pool_run(pool, (int)n, write_row, &call);
        status = check_rows(plan, &call, n, error, err);
        if (status == JL_OK)
            status = gguf_write_data(writer, call.out, (size_t)n * call.row_bytes, err);
    }
    free(importance);
    free(call.out);
    free(call.scratch);
    free(call.results);
    return status;
}

struct progress {
    void (*call)(void *ctx, int64_t done, int64_t total);
    void *ctx;
};

static enum jl_status write_all(const struct quantize_plan *plan, struct gguf_writer *writer,
                                struct pool *pool, const struct progress *progress,
                                struct quantize_error *error, struct jl_error *err) {
    JL_TRY(put_metadata(plan, writer, err));
    for (size_t i = 0; i < plan->n; i++) {
        const struct quantize_tensor *t = &plan->tensors[i];
        gguf_add_tensor(writer, t->source->name, t->choice.dtype, t->source->n_dim, t->source->dim);
    }
    for (size_t i = 0; i < plan->n; i++) {
        JL_TRY(write_tensor(plan, &plan->tensors[i], writer, pool, error, err));
        if (progress->call) progress->call(progress->ctx, (int64_t)i + 1, (int64_t)plan->n);
    }
    return gguf_writer_commit(writer, err);
}

enum jl_status quantize_write(const struct quantize_plan *plan, const char *path, struct pool *pool,
                              void (*progress)(void *ctx, int64_t done, int64_t total), void *ctx,
                              struct quantize_error *error, struct jl_error *err) {
    struct gguf_writer *writer;
    struct progress reported = {progress, ctx};
    *error = (struct quantize_error){0};
    JL_TRY(gguf_writer_create(path, 0, &writer, err));
    enum jl_status status = write_all(plan, writer, pool, &reported, error, err);
    gguf_writer_free(writer);
    return status;
}
