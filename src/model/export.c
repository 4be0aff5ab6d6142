#include "model/export.h"

#include <stdlib.h>
#include <string.h>

#include "format/report.h"
#include "model/export_bound.h"

/* ---- rows ---- */

/* Which row of the source a head's row i is. The i-th pair of a rotation is rows (i, i + n_rot/2)
 * or (2i, 2i + 1); rows behind n_rot are not rotated. */
static int64_t paired(const struct export_tensor *t, int64_t i) {
    int64_t half = t->n_rot / 2;
    if (i >= t->n_rot) return i;
    return t->interleave ? i % 2 * half + i / 2 : i % half * 2 + i / half;
}

int64_t export_source_row(const struct export_tensor *t, int64_t row) {
    if (!t->head_dim) return row;
    return row - row % t->head_dim + paired(t, row % t->head_dim);
}

const uint8_t *export_row(const struct export_tensor *t, int64_t row) {
    int64_t from = export_source_row(t, row);
    return t->pieces[from / t->piece_rows] + (size_t)(from % t->piece_rows) * t->stride;
}

void export_values(const struct export_tensor *t, int64_t row, float *x) {
    int64_t from = export_source_row(t, row), n = t->dim[t->n_dim - 1];
    dtype_dequantize(t->dtype, export_row(t, row), x, n);
    if (!t->scales) return;
    int64_t down = from % t->piece_rows / F8_SCALE_BLOCK;
    const float *scale = t->scales[from / t->piece_rows] + (size_t)down * t->scale_stride;
    for (int64_t k = 0; k < n; k++)
        x[k] *= scale[k / F8_SCALE_BLOCK];
}

int64_t export_rows(const struct export_tensor *t) {
    int64_t rows = 1;
    for (int i = 0; i + 1 < t->n_dim; i++)
        rows *= t->dim[i];
    return rows;
}

static enum jl_status no_memory(const struct model *model, struct jl_error *err) {
    return report_no_memory(err, model->file->path, "the list of tensors");
}

bool export_pieces(struct export_tensor *t, int64_t n, int64_t rows, struct arena *arena) {
    t->pieces = arena_calloc(arena, (size_t)n, sizeof *t->pieces);
    t->n_piece = n;
    t->piece_rows = rows;
    return t->pieces != NULL;
}

/* ---- from a GGUF file ---- */

/* In the order in which the file, or the set of files, holds them. */
struct place {
    const struct tensor_info *tensor;
    size_t map;
};

static int by_place(const void *a, const void *b) {
    const struct place *x = a, *y = b;
    if (x->map != y->map) return x->map < y->map ? -1 : 1;
    return x->tensor->data < y->tensor->data ? -1 : x->tensor->data > y->tensor->data;
}

static size_t map_of(const struct model_file *file, const struct tensor_info *t) {
    size_t i = 0;
    while (i + 1 < file->n_map &&
           !(t->data >= file->maps[i].data && t->data < file->maps[i].data + file->maps[i].size))
        i++;
    return i;
}

static enum jl_status from_gguf(const struct model *model, struct arena *arena,
                                struct export_list *out, struct jl_error *err) {
    const struct model_file *file = model->file;
    struct place *places = arena_calloc(arena, file->n_tensor + 1, sizeof *places);
    out->items = arena_calloc(arena, file->n_tensor + 1, sizeof *out->items);
    if (!places || !out->items) return no_memory(model, err);
    for (size_t i = 0; i < file->n_tensor; i++)
        places[i] = (struct place){&file->tensors[i], map_of(file, &file->tensors[i])};
    qsort(places, file->n_tensor, sizeof *places, by_place);
    for (; out->n < file->n_tensor; out->n++) {
        const struct tensor_info *t = places[out->n].tensor;
        struct export_tensor *to = &out->items[out->n];
        *to = (struct export_tensor){.name = t->name, .dtype = t->dtype, .n_dim = t->n_dim};
        memcpy(to->dim, t->dim, sizeof to->dim);
        if (!export_pieces(to, 1, export_rows(to), arena)) return no_memory(model, err);
        to->pieces[0] = t->data;
        if (!dtype_row_bytes(t->dtype, t->dim[t->n_dim - 1], &to->stride))
            return report_fail(err, JL_ERR_LIMIT, t->file, "a row of %s overflows",
                               report_quote_str(t->name).text);
    }
    return JL_OK;
}

/* ---- all ---- */

enum jl_status export_tensors(const struct model *model, struct arena *arena,
                              struct export_list *out, struct jl_error *err) {
    struct export_bound bound = {
        .model = model, .kind = MODEL_FILE_GGUF, .arena = arena, .out = out, .err = err};
    *out = (struct export_list){0};
    return model->file->kind == MODEL_FILE_GGUF ? from_gguf(model, arena, out, err)
                                                : export_bound(&bound);
}
