/* A second reading of JSON Schema, for the subset that grammars are made of: it shares nothing with
 * them, so that what a grammar makes can be held against it. */
#ifndef TEST_GRAMMAR_VALIDATE_H
#define TEST_GRAMMAR_VALIDATE_H

#include <jansson.h>
#include <stdbool.h>

/* `root` is where $ref starts. Formats are not looked at. */
bool validate(const json_t *root, const json_t *schema, const json_t *value);

#endif
