#include "format/tensor_list.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/report.h"

static int compare_names(const void *a, const void *b) {
    return strcmp(((const struct tensor_info *)a)->name, ((const struct tensor_info *)b)->name);
}

static int compare_data(const void *a, const void *b) {
    const uint8_t *x = ((const struct tensor_info *)a)->data;
    const uint8_t *y = ((const struct tensor_info *)b)->data;
    return x < y ? -1 : x > y;
}

enum jl_status tensor_list_sort(struct tensor_list *list, struct jl_error *err) {
    if (list->count > 1) qsort(list->items, list->count, sizeof *list->items, compare_names);
    for (size_t i = 1; i < list->count; i++) {
        const struct tensor_info *a = &list->items[i - 1], *b = &list->items[i];
        if (strcmp(a->name, b->name) != 0) continue;
        if (strcmp(a->file, b->file) == 0) {
            return report_fail(err, JL_ERR_FORMAT, a->file, "tensor %s occurs twice",
                               report_quote_str(a->name).text);
        }
        const char *other = strrchr(b->file, '/');
        return report_fail(err, JL_ERR_FORMAT, a->file, "tensor %s occurs also in %s",
                           report_quote_str(a->name).text,
                           report_quote_str(other ? other + 1 : b->file).text);
    }
    return JL_OK;
}

void tensor_list_sort_by_data(struct tensor_list *list) {
    if (list->count > 1) qsort(list->items, list->count, sizeof *list->items, compare_data);
}

enum jl_status tensor_list_measure(struct tensor_info *info, struct jl_error *err) {
    int64_t row = info->dim[info->n_dim - 1];
    int block = dtype_row(info->dtype)->block;
    if (row % block != 0) {
        return report_fail(err, JL_ERR_FORMAT, info->file,
                           "tensor %s has rows of %" PRId64 " elements; %s needs a multiple of %d",
                           report_quote_str(info->name).text, row, dtype_name(info->dtype), block);
    }
    size_t bytes;
    bool fits = dtype_row_bytes(info->dtype, row, &bytes);
    for (int i = 0; i < info->n_dim - 1 && fits; i++) {
        fits = size_mul(bytes, (size_t)info->dim[i], &bytes);
    }
    if (!fits || bytes > PTRDIFF_MAX) {
        return report_fail(err, JL_ERR_FORMAT, info->file,
                           "tensor %s: the product of its dimensions overflows",
                           report_quote_str(info->name).text);
    }
    info->bytes = bytes;
    return JL_OK;
}
