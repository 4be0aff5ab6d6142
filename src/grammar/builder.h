/* Grammars from parts: expressions over bytes, rules that may refer to each other, and the three
 * languages that requests bring (JSON Schema, regular expressions, GBNF), all of them composable.
 *
 * An expression is a number of its builder and may be used in several places. A function that fails
 * gives 0 and the builder keeps the first error; 0 as a part gives 0 again, so that only
 * grammar_compile needs to be looked at. A builder has one owner. docs/grammar.md says what the
 * languages are. */
#ifndef JL_GRAMMAR_BUILDER_H
#define JL_GRAMMAR_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "grammar/limits.h"

struct grammar;         // compiled; const, shared by all threads
struct grammar_builder; // one owner
typedef uint32_t grammar_expr;
typedef uint32_t grammar_rule;

struct grammar_builder *grammar_builder_new(void);    // NULL: out of memory
void grammar_builder_free(struct grammar_builder *b); // NULL is fine

/* ---- parts ---- */

grammar_expr grammar_empty(struct grammar_builder *b);
grammar_expr grammar_never(struct grammar_builder *b); // matches nothing, not even the empty text
grammar_expr grammar_literal(struct grammar_builder *b, const char *bytes, size_t len);
grammar_expr grammar_text(struct grammar_builder *b, const char *literal);        // up to its NUL
grammar_expr grammar_bytes(struct grammar_builder *b, uint8_t low, uint8_t high); // one of these
/* One character of n ranges of code points, each (first, last), in UTF-8; surrogates are left
 * out. Copied. */
grammar_expr grammar_chars(struct grammar_builder *b, const uint32_t (*ranges)[2], size_t n);
grammar_expr grammar_seq(struct grammar_builder *b, const grammar_expr *parts, size_t n);
grammar_expr grammar_alt(struct grammar_builder *b, const grammar_expr *parts, size_t n);
/* low to high times; high may be GRAMMAR_UNBOUNDED. Large counts cost nothing. */
grammar_expr grammar_repeat(struct grammar_builder *b, grammar_expr part, uint32_t low,
                            uint32_t high);
grammar_expr grammar_optional(struct grammar_builder *b, grammar_expr part);

/* A token by its id, as a whole: the only way for a special token to be allowed. */
grammar_expr grammar_token(struct grammar_builder *b, int32_t id);

/* Any UTF-8 text without NUL in which `mark` does not occur (1 to GRAMMAR_MAX_NAME bytes), and the
 * same with the mark behind it. A mark may also be a token, `id`, then that ends the text too; -1:
 * it is none. */
grammar_expr grammar_text_without(struct grammar_builder *b, const char *mark, size_t len);
grammar_expr grammar_text_until(struct grammar_builder *b, const char *mark, size_t len,
                                int32_t id);

/* Some of n items in their order, with `separator` between those that are there. */
struct grammar_item {
    grammar_expr expr;
    int required; // else it may be left out
    int many;     // it may come any number of times
};
grammar_expr grammar_list(struct grammar_builder *b, const struct grammar_item *items, size_t n,
                          grammar_expr separator);

/* A rule: declare it, use grammar_ref, define it once. The name (for messages) is copied. Left
 * recursion is refused when the grammar is compiled. */
grammar_rule grammar_declare(struct grammar_builder *b, const char *name, size_t len);
void grammar_define(struct grammar_builder *b, grammar_rule rule, grammar_expr expr);
grammar_expr grammar_ref(struct grammar_builder *b, grammar_rule rule);

/* ---- languages ---- */

/* White space between the tokens of JSON: never unbounded. */
enum grammar_space {
    GRAMMAR_SPACE_ONE,     // nothing or one space behind ',' and ':'
    GRAMMAR_SPACE_COMPACT, // nothing
    GRAMMAR_SPACE_LINES,   // as ONE, or a newline and up to 40 spaces inside brackets
};
struct grammar_json_options {
    enum grammar_space space;
    int open_objects; // "properties" without "additionalProperties" lets others follow
};

/* A value that is valid under the schema. `options` may be NULL. JL_ERR_FORMAT: no JSON, or no
 * schema; JL_ERR_UNSUPPORTED: a keyword outside the subset, named with its JSON pointer. */
grammar_expr grammar_json_schema(struct grammar_builder *b, const char *schema, size_t len,
                                 const struct grammar_json_options *options);
/* The arguments of a tool call in a format that writes each between marks (docs/dialects.md):
 * key_open NAME key_end value_open pad VALUE pad value_end, in the order of "properties". A string
 * stands bare, other values are JSON. value_end begins with '<'. Texts may be "".
 * JL_ERR_UNSUPPORTED also where a value cannot be written so that it is read back. */
struct grammar_marks {
    const char *key_open, *key_end, *value_open, *value_end, *value_pad;
    int typed; // key_end is followed by true"> for a string and by false"> for JSON
};
grammar_expr grammar_json_members(struct grammar_builder *b, const char *schema, size_t len,
                                  const struct grammar_json_options *options,
                                  const struct grammar_marks *marks);
grammar_expr grammar_json_object(struct grammar_builder *b,
                                 const struct grammar_json_options *options); // any
grammar_expr grammar_json_value(struct grammar_builder *b,
                                const struct grammar_json_options *options); // any

/* The whole text matches (as if between ^ and $). */
grammar_expr grammar_regex(struct grammar_builder *b, const char *pattern, size_t len);

/* The rule `root`. */
grammar_expr grammar_gbnf(struct grammar_builder *b, const char *text, size_t len);

/* ---- the result ---- */

/* On success *out, which does not need the builder any more. JL_ERR_UNSUPPORTED: left recursion, no
 * text at all matches; JL_ERR_LIMIT: too large. */
enum jl_status grammar_compile(struct grammar_builder *b, grammar_expr root, struct grammar **out,
                               struct jl_error *err);
void grammar_free(struct grammar *grammar);              // NULL is fine
size_t grammar_positions(const struct grammar *grammar); // how large it is

#endif
