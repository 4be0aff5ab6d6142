/* Which JSON types a tool's schema allows for an argument: for formats that write arguments as bare
 * text. Only the kinds of JSON value are read out of the schema, nothing is validated. */
#ifndef JL_TEXT_SCHEMA_H
#define JL_TEXT_SCHEMA_H

#include <jansson.h>

#include "text/dialect.h"

struct schema_tool {
    char *name;
    json_t *parameters; // NULL: no schema
};
struct schema {
    struct schema_tool *tools;
    size_t n;
};

enum schema_types { // bits; none: the schema says nothing
    SCHEMA_STRING = 1,
    SCHEMA_NUMBER = 2,
    SCHEMA_BOOL = 4,
    SCHEMA_NULL = 8,
    SCHEMA_OBJECT = 16,
    SCHEMA_ARRAY = 32,
    SCHEMA_NOT_STRING = 62,
};

enum jl_status schema_open(const struct dialect_tool *tools, size_t n, struct schema *out,
                           struct jl_error *err); // on failure *out is to be closed all the same
void schema_close(struct schema *schema);

bool schema_has_tool(const struct schema *schema, const char *name);
unsigned schema_types(const struct schema *schema, const char *tool, const char *key);

/* The JSON text that stands for a bare text of one of `types`: *literal, or NULL: it is a string. A
 * text that is JSON of an allowed type, strings aside, stands for itself; so do Python's True,
 * False and None. */
const char *schema_literal(unsigned types, const char *text, size_t len, size_t *literal_len);

#endif
