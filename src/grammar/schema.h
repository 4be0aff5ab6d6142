/* A JSON Schema on its way to a grammar. */
#ifndef JL_GRAMMAR_SCHEMA_H
#define JL_GRAMMAR_SCHEMA_H

#include <stdbool.h>

#include "grammar/expr.h"
#include "grammar/json_parts.h"
#include "text/buffer.h"

#define SCHEMA_MAX_COUNT 20000       // schemas, those made by merging counted
#define SCHEMA_MAX_MERGED (16 << 20) // bytes of merged schemas as text
#define SCHEMA_MAX_BRANCHES 64       // of anyOf times anyOf

struct schema {
    struct grammar_builder *b;
    struct json_parts parts;
    const json_t *root;
    json_t *rules;  // text of a reference or of a merged schema: its rule
    json_t *merged; // array that owns merged schemas
    bool open_objects;
    int depth, n_schema;
    size_t n_merged;         // bytes
    struct byte_buffer path; // where we are: "#/properties/a"
};

/* ---- schema.c ---- */

/* The value of a schema at the end of the path. */
grammar_expr schema_compile(struct schema *s, const json_t *schema);
/* With one or two more steps of the path; a step with its length -1 is a text. */
grammar_expr schema_compile_at(struct schema *s, const json_t *schema, const char *step,
                               const char *name);
grammar_expr schema_fail(struct schema *s, enum jl_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool schema_failed(const struct schema *s);
void schema_no_memory(struct schema *s);
/* A count such as minItems: a number that is a natural one. false: absent, or an error. */
bool schema_count(struct schema *s, const json_t *schema, const char *key, uint32_t *out);
/* A rule of its own for an expression that is used several times. */
grammar_expr schema_rule(struct schema *s, grammar_expr expr);

enum schema_type {
    SCHEMA_NULL = 1,
    SCHEMA_BOOLEAN = 2,
    SCHEMA_INTEGER = 4,
    SCHEMA_NUMBER = 8, // with the integers
    SCHEMA_STRING = 16,
    SCHEMA_ARRAY = 32,
    SCHEMA_OBJECT = 64,
    SCHEMA_ALL = 127 - SCHEMA_INTEGER,
};
/* The types that "type" names; without it all that other keywords are about, or any. */
int schema_types(struct schema *s, const json_t *schema);
int schema_type_of(const json_t *value); // of a value: one bit
bool schema_has_type(int types, const json_t *value);

/* ---- schema_merge.c ---- */

bool schema_only_notes(const json_t *schema, const char *but); // nothing but annotations and `but`
bool schema_known(const char *keyword);
const json_t *schema_resolve(struct schema *s, const json_t *reference);
/* Without $ref and allOf: what they say is merged in. Owned by the schema `s`; NULL: an error. */
const json_t *schema_flat(struct schema *s, const json_t *schema);
/* Valid under both. */
const json_t *schema_both(struct schema *s, const json_t *x, const json_t *y);

/* ---- schema_exclusive.c ---- */

/* Is it certain that what is made for `x` is not valid under `y`? Both flat. */
bool schema_excludes(struct schema *s, const json_t *x, const json_t *y);

/* ---- one type each ---- */

grammar_expr schema_object(struct schema *s, const json_t *schema);
grammar_expr schema_array(struct schema *s, const json_t *schema);
grammar_expr schema_string(struct schema *s, const json_t *schema);
grammar_expr schema_number(struct schema *s, const json_t *schema, bool integer);

#endif
