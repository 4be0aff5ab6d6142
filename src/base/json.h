/* JSON texts, whole or not at all: jansson (2.14) drops a character of a long string or number when
 * the heap refuses it, and goes on. */
#ifndef JL_BASE_JSON_H
#define JL_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "base/status.h"

/* json_loadb of one value of any kind (as JSON_DECODE_ANY). JL_ERR_FORMAT: *error, which may be
 * NULL, says what is wrong; JL_ERR_MEMORY. On failure *out is NULL. The caller json_decref's it. No
 * other file may call jansson's loaders. */
enum jl_status jl_json_load(const char *text, size_t len, size_t flags, json_t **out,
                            json_error_t *error);

/* What a JSON pointer ("" or "/a/0", as it stands behind the # of a URI) leads to in `root`; NULL:
 * there is no such place. JL_ERR_MEMORY. */
enum jl_status jl_json_pointer(const json_t *root, const char *pointer, const json_t **out);

#endif
