/* Commands that read standard input: whole, or a JSON value a line. */
#ifndef JL_CLI_LINES_H
#define JL_CLI_LINES_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* All of standard input, any bytes. Caller frees. */
enum jl_status lines_read_all(char **text, size_t *len, struct jl_error *err);

/* Calls `each` with every line of standard input that is not blank; its number counts from 1.
 * Duplicate keys are refused. */
enum jl_status lines_for_each(enum jl_status (*each)(void *ctx, const json_t *value, size_t number,
                                                     struct jl_error *err),
                              void *ctx, struct jl_error *err);

enum jl_status lines_bad(size_t number, const char *what, struct jl_error *err);

/* `text`, well-formed UTF-8, as a JSON string on standard output, as json.dumps of Python writes it
 * with ensure_ascii=False. */
void lines_print_string(const char *text, size_t len);

/* A JSON list of ids and a newline on standard output. */
void lines_print_ids(const int32_t *ids, size_t n);

#endif
