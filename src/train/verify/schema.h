/* JSON Schema (draft 2020-12): whether a value is valid. Any spelling of it will do; the room
 * grammar makes texts that are. docs/eval.md lists the keywords; all others are refused. */
#ifndef JL_TRAIN_VERIFY_SCHEMA_H
#define JL_TRAIN_VERIFY_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct schema; // const once made, shared by all threads

/* JL_ERR_FORMAT: no JSON, or no schema; JL_ERR_UNSUPPORTED: a keyword that is not known. Messages
 * name the place as a JSON pointer. */
enum jl_status schema_read(const char *text, size_t len, struct schema **out, struct jl_error *err);
void schema_free(struct schema *schema); // NULL is fine

/* `text` is one JSON value, and valid. JL_ERR_LIMIT: that takes too many steps. */
enum jl_status schema_check(const struct schema *schema, const char *text, size_t len, bool *valid,
                            struct jl_error *err);

#endif
