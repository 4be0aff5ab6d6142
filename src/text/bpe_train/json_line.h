/* The texts of one line of a JSONL file: {"text": "..."} or {"messages": [{"content": "..."}]}. */
#ifndef JL_TEXT_BPE_TRAIN_JSON_LINE_H
#define JL_TEXT_BPE_TRAIN_JSON_LINE_H

#include "base/status.h"

typedef enum jl_status bpe_json_line_fn(void *ctx, const char *text, size_t len,
                                        struct jl_error *err);

/* Calls fn for each text, in order; for a blank line not at all. Other keys are not looked at. The
 * content of a message may be null, or a list of parts {"type": "text", "text": "..."}; parts of
 * other types are passed over. */
enum jl_status bpe_json_line(const char *line, size_t len, bpe_json_line_fn *fn, void *ctx,
                             struct jl_error *err);

#endif
