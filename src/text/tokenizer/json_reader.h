/* Reading objects of tokenizer.json closed-world: a key or a value that is not known is refused,
 * never skipped. `where` is the object's path for messages, as in "model" or "decoder". */
#ifndef JL_TEXT_JSON_READER_H
#define JL_TEXT_JSON_READER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"

#define JSON_READER_FILE "tokenizer.json"

/* The JSON of a file. JL_ERR_FORMAT: it is none, and *error says why; JL_ERR_MEMORY. Integers
 * beyond int64 are read as reals: many a tokenizer_config.json says model_max_length
 * 1000000000000000019884624838656 for "no limit". */
enum jl_status json_reader_load(const char *text, size_t len, json_t **out, json_error_t *error);

/* `object` must be an object whose keys are all in `known`, which ends with NULL. */
enum jl_status json_reader_keys(const json_t *object, const char *where, const char *const *known,
                                struct jl_error *err);

/* The component's "type". */
enum jl_status json_reader_type(const json_t *object, const char *where, const char **type,
                                struct jl_error *err);

enum jl_status json_reader_string(const json_t *object, const char *where, const char *key,
                                  const char **text, size_t *len, struct jl_error *err);

/* An absent key and null are `fallback`. */
enum jl_status json_reader_bool(const json_t *object, const char *where, const char *key,
                                bool fallback, bool *out, struct jl_error *err);

/* An integer of 0 to `limit` - 1. */
enum jl_status json_reader_id(const json_t *value, const char *where, const char *what, int limit,
                              int *out, struct jl_error *err);

enum jl_status json_reader_array(const json_t *object, const char *where, const char *key,
                                 const json_t **array, struct jl_error *err);

/* A component of a type that this program does not have. */
enum jl_status json_reader_unknown(const char *where, const char *type, struct jl_error *err);

bool json_reader_absent(const json_t *value); // missing or null

#endif
