/* A turn in which a model calls tools, as its dialect writes calls: the name is one of those
 * offered and the arguments are valid under that tool's schema. */
#ifndef JL_GRAMMAR_TOOLS_H
#define JL_GRAMMAR_TOOLS_H

#include <stdbool.h>

#include "grammar/builder.h"

struct dialect;
struct tokenizer;

struct grammar_tool {
    const char *name;
    const char *parameters; // a JSON Schema of an object; NULL: any object
};
struct grammar_tools {
    const struct grammar_tool *tools;
    size_t n;
    bool must;    // at least one call; else the turn may be text alone
    bool one;     // at most one
    bool no_text; // nothing before the first call
    struct grammar_json_options json;
};

/* Marks that are special tokens of the tokenizer (may be NULL) are those tokens. The turn is what
 * comes behind the thought. JL_ERR_UNSUPPORTED: the dialect has no calls; a name that it cannot
 * write; what grammar_json_schema and grammar_json_members refuse. */
grammar_expr grammar_tool_calls(struct grammar_builder *b, const struct dialect *dialect,
                                const struct tokenizer *tokenizer,
                                const struct grammar_tools *tools);

/* The text, its special tokens as tokens. */
grammar_expr grammar_markup(struct grammar_builder *b, const struct tokenizer *tokenizer,
                            const char *text);

#endif
