/* Text files and JSONL files as a trainer's sources: FILE or FILE@WEIGHT. */
#ifndef JL_CLI_TRAIN_INPUTS_H
#define JL_CLI_TRAIN_INPUTS_H

#include "base/file.h"
#include "text/bpe_train.h"

#define TRAIN_INPUTS_MAX 256

struct train_inputs {
    struct file_map maps[TRAIN_INPUTS_MAX];
    struct bpe_train_source sources[TRAIN_INPUTS_MAX];
    int n;
};

/* Adds a file; names that end with .jsonl or .ndjson hold a JSON object a line. limit: bytes of the
 * file that count, cut back to a whole line of JSONL, a whole character of a text; 0: all. */
enum jl_status train_inputs_add(struct train_inputs *inputs, const char *name, size_t limit,
                                struct jl_error *err);
void train_inputs_free(struct train_inputs *inputs); // zeroed is fine

#endif
