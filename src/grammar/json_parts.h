/* The pieces of JSON texts, with the white space that the options allow. */
#ifndef JL_GRAMMAR_JSON_PARTS_H
#define JL_GRAMMAR_JSON_PARTS_H

#include <jansson.h>

#include "grammar/builder.h"
#include "grammar/pattern.h"

struct json_parts {
    struct grammar_builder *b;
    enum grammar_space space;
    bool no_angle; // '<' inside strings is escaped
};

enum pattern_form json_parts_form(const struct json_parts *p); // of strings and names

grammar_expr json_parts_comma(const struct json_parts *p);
grammar_expr json_parts_colon(const struct json_parts *p);
/* `inside` between two brackets, with the space that may stand there. */
grammar_expr json_parts_enclosed(const struct json_parts *p, char open, grammar_expr inside,
                                 char close);
grammar_expr json_parts_quoted(const struct json_parts *p, grammar_expr inside);
/* "name": and a value */
grammar_expr json_parts_member(const struct json_parts *p, grammar_expr key, grammar_expr value);
grammar_expr json_parts_key(const struct json_parts *p, const char *name, size_t len);

grammar_expr json_parts_char(const struct json_parts *p); // of a string, however it is escaped
grammar_expr json_parts_string(const struct json_parts *p);
grammar_expr json_parts_number(const struct json_parts *p);
grammar_expr json_parts_object(const struct json_parts *p); // any
grammar_expr json_parts_value(const struct json_parts *p);  // any
/* Exactly this value, in one spelling but for space. */
grammar_expr json_parts_constant(const struct json_parts *p, const json_t *value);

/* ---- json_number.c ---- */

#define JSON_NUMBER_DIGITS 18   // of the whole part of a number without bounds: fits int64
#define JSON_NUMBER_FRACTION 40 // of a bound

/* A bound of a number: digits before and behind the point, without needless zeros. */
struct json_bound {
    bool given, negative, exclusive;
    char whole[JSON_NUMBER_DIGITS + 1]; // "0" for none
    char fraction[JSON_NUMBER_FRACTION + 1];
};
struct json_range {
    struct json_bound low, high;
};
grammar_expr json_number_any(struct grammar_builder *b);
grammar_expr json_number_integer(struct grammar_builder *b, const struct json_range *range);
grammar_expr json_number_real(struct grammar_builder *b, const struct json_range *range);
/* Integers that are multiples of n. */
grammar_expr json_number_multiple(struct grammar_builder *b, const struct json_range *range,
                                  uint64_t n);
/* What a schema says as a bound. False: beyond 10^18, or too many digits. */
bool json_number_bound(const json_t *value, struct json_bound *out);

#endif
