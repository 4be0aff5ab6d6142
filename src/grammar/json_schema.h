/* A JSON Schema on its way to a grammar. */
#ifndef JL_GRAMMAR_JSON_SCHEMA_H
#define JL_GRAMMAR_JSON_SCHEMA_H

#include <stdbool.h>

#include "grammar/expr.h"
#include "grammar/json_parts.h"
#include "text/buffer.h"

#define JSON_SCHEMA_MAX_COUNT 20000       // schemas, those made by merging counted
#define JSON_SCHEMA_MAX_MERGED (16 << 20) // bytes of merged schemas as text
#define JSON_SCHEMA_MAX_BRANCHES 64       // of anyOf times anyOf

struct json_schema {
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

/* ---- json_schema.c ---- */

/* Reads the text and calls `make` with the schema that it is. */
grammar_expr json_schema_read(struct grammar_builder *b, const char *text, size_t len,
                              const struct grammar_json_options *options,
                              grammar_expr (*make)(struct json_schema *s, const json_t *root,
                                                   const void *ctx),
                              const void *ctx);

/* The value of a schema at the end of the path. */
grammar_expr json_schema_compile(struct json_schema *s, const json_t *schema);
/* With one or two more steps of the path; a step with its length -1 is a text. */
void json_schema_step(struct json_schema *s, const char *step); // adds one to the path
grammar_expr json_schema_compile_at(struct json_schema *s, const json_t *schema, const char *step,
                                    const char *name);
grammar_expr json_schema_fail(struct json_schema *s, enum jl_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool json_schema_failed(const struct json_schema *s);
void json_schema_no_memory(struct json_schema *s);
/* A count such as minItems: a number that is a natural one. false: absent, or an error. */
bool json_schema_count(struct json_schema *s, const json_t *schema, const char *key, uint32_t *out);
/* A rule of its own for an expression that is used several times. */
grammar_expr json_schema_rule(struct json_schema *s, grammar_expr expr);

enum json_schema_type {
    JSON_SCHEMA_NULL = 1,
    JSON_SCHEMA_BOOLEAN = 2,
    JSON_SCHEMA_INTEGER = 4,
    JSON_SCHEMA_NUMBER = 8, // with the integers
    JSON_SCHEMA_STRING = 16,
    JSON_SCHEMA_ARRAY = 32,
    JSON_SCHEMA_OBJECT = 64,
    JSON_SCHEMA_ALL = 127 - JSON_SCHEMA_INTEGER,
};
/* The types that "type" names; without it all that other keywords are about, or any. */
int json_schema_types(struct json_schema *s, const json_t *schema);
int json_schema_type_of(const json_t *value); // of a value: one bit
bool json_schema_has_type(int types, const json_t *value);

/* ---- json_schema_merge.c ---- */

bool json_schema_only_notes(const json_t *schema,
                            const char *but); // nothing but annotations and `but`
bool json_schema_known(const char *keyword);
const json_t *json_schema_resolve(struct json_schema *s, const json_t *reference);
/* Without $ref and allOf: what they say is merged in. Owned by the schema `s`; NULL: an error. */
const json_t *json_schema_flat(struct json_schema *s, const json_t *schema);
/* Valid under both. */
const json_t *json_schema_both(struct json_schema *s, const json_t *x, const json_t *y);

/* ---- json_schema_exclusive.c ---- */

/* Is it certain that what is made for `x` is not valid under `y`? Both flat. */
bool json_schema_excludes(struct json_schema *s, const json_t *x, const json_t *y);

/* ---- one type each ---- */

/* How a member is written where it is not JSON's way; the path is at its schema. */
typedef grammar_expr json_schema_member(const void *ctx, const char *name, const json_t *schema);
/* The members of an object, without brackets, and nothing between them. */
grammar_expr json_schema_members(struct json_schema *s, const json_t *schema,
                                 json_schema_member *write, const void *ctx);
grammar_expr json_schema_object(struct json_schema *s, const json_t *schema);
grammar_expr json_schema_array(struct json_schema *s, const json_t *schema);
grammar_expr json_schema_string(struct json_schema *s, const json_t *schema);
/* What is between the quotes of a string, in the form; as it stands in text without quotes, too. */
grammar_expr json_schema_text(struct json_schema *s, const json_t *schema, enum pattern_form form);
bool json_schema_any_text(const json_t *schema); // are all strings valid?
grammar_expr json_schema_number(struct json_schema *s, const json_t *schema, bool integer);

#endif
