/* JSON from outside: jansson with duplicate keys refused, and errors that name the key. */
#ifndef JL_FORMAT_JSON_TEXT_H
#define JL_FORMAT_JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>

#include "base/status.h"

/* The root must be an object. Integers beyond int64, numbers beyond double, NaN, Infinity, NUL in
 * strings, invalid UTF-8 and text after the object are errors. The caller json_decref's *out. */
enum jl_status json_text_parse(const char *text, size_t size, const char *file, json_t **out,
                               struct jl_error *err);

/* The same where integers beyond int64 may stand, as in a tokenizer_config.json that says
 * model_max_length 1000000000000000019884624838656 for "no limit": then all numbers are reals. */
enum json_text_big { JSON_TEXT_BIG_FAILS, JSON_TEXT_BIG_REAL };
enum jl_status json_text_parse_big(const char *text, size_t size, const char *file,
                                   enum json_text_big big, json_t **out, struct jl_error *err);

#endif
