/* JSON as Python's json.dumps prints it: numbers as repr writes them (jansson prints 0.1 wrongly),
 * ", " and ": " between items, keys in their order. */
#ifndef JL_TEXT_JSON_PRINT_H
#define JL_TEXT_JSON_PRINT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"
#include "text/buffer.h"

struct json_print_options {
    bool ensure_ascii; // characters outside ASCII as \uXXXX
    bool sort_keys;    // by code point
    bool compact;      // "," and ":" instead of ", " and ": "
    int indent;        // spaces a level and one item a line; 0: all on one line
};

/* Appends; `options` may be NULL. JL_ERR_MEMORY; JL_ERR_LIMIT: nested more than 2048 deep, which
 * jansson does not read either. On failure the buffer is as before. */
enum jl_status json_print_value(const json_t *value, const struct json_print_options *options,
                                struct byte_buffer *out, struct jl_error *err);

#endif
