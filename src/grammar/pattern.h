/* Regular expressions and single characters, as plain text or inside a JSON string. */
#ifndef JL_GRAMMAR_PATTERN_H
#define JL_GRAMMAR_PATTERN_H

#include <stdbool.h>

#include "grammar/builder.h"
#include "grammar/charset.h"

enum pattern_form { // bits
    PATTERN_TEXT = 0,
    PATTERN_JSON = 1,     // each character in one spelling: as it is, or as its short escape
    PATTERN_NO_ANGLE = 2, // no '<': left out of plain text (with NUL), \u003c in JSON
};

/* One character of the set, a unit of expr_counted. */
grammar_expr pattern_char(struct grammar_builder *b, const struct charset *set,
                          enum pattern_form form);
/* One UTF-8 text; ill-formed bytes are an error. */
grammar_expr pattern_literal(struct grammar_builder *b, const char *text, size_t len,
                             enum pattern_form form);
grammar_expr pattern_any(struct grammar_builder *b, enum pattern_form form); // one character

/* Any number of characters of a JSON string, as a rule that is shared; no units. */
grammar_expr pattern_any_text(struct grammar_builder *b, enum pattern_form form);

struct pattern_options {
    enum pattern_form form;
    bool search;      // the pattern may match anywhere in the text, unless anchored
    const char *what; // for messages: "the pattern", with where it stands
};
grammar_expr pattern_expr(struct grammar_builder *b, const char *pattern, size_t len,
                          const struct pattern_options *options);

#endif
