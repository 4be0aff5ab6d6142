/* What a reader hands over: the tensors of one file, and the checks all readers share. */
#ifndef JL_FORMAT_TENSOR_LIST_H
#define JL_FORMAT_TENSOR_LIST_H

#include "format/model_file.h"

struct tensor_list {
    struct tensor_info *items;
    size_t count;
};

/* By name; a name that occurs twice is an error that names both files. */
enum jl_status tensor_list_sort(struct tensor_list *list, struct jl_error *err);
void tensor_list_sort_by_data(struct tensor_list *list);

/* Fills info->bytes from dtype and dims: a whole number of blocks in a row, every product checked.
 */
enum jl_status tensor_list_measure(struct tensor_info *info, struct jl_error *err);

#endif
