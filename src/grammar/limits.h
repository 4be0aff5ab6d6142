/* The bounds of the room: what comes from a request cannot take more time, memory or stack than
 * these allow. Beyond one of them is an error that names it. */
#ifndef JL_GRAMMAR_LIMITS_H
#define JL_GRAMMAR_LIMITS_H

#include <stdint.h>

enum {
    /* Of what a grammar is made from. */
    GRAMMAR_MAX_SOURCE = 1 << 20, // bytes of a schema, a regular expression or a GBNF text
    GRAMMAR_MAX_DEPTH = 200,      // groups in groups, schemas in schemas
    GRAMMAR_MAX_EXPRS = 1 << 20,  // expressions of a builder
    GRAMMAR_MAX_RULES = 1 << 16,
    GRAMMAR_MAX_NAME = 128, // bytes of a rule's name, or of a mark

    GRAMMAR_MAX_RANGES = 8192,   // of one class of characters
    GRAMMAR_MAX_PAIRS = 1 << 22, // of values of two lists that are compared

    /* Of what it is compiled to. */
    GRAMMAR_MAX_POSITIONS = 1 << 19,
    GRAMMAR_MAX_EDGES = 1 << 20,
    GRAMMAR_MAX_REPEAT = 1 << 30, // counts above are no bound at all; as a least count, an error
    GRAMMAR_EXPAND_REPEAT = 256,  // positions up to which a repetition is written out
    GRAMMAR_COPY_COUNTED = 20000, // positions up to which a pattern with a length is
    GRAMMAR_INLINE_RULE = 64,     // positions up to which a rule is copied to where it is used
    GRAMMAR_EMPTY_REPEAT = 1000,  // times that what may be empty can be repeated, if not any number
    GRAMMAR_MAX_MULTIPLE = 1000,  // of multipleOf

    /* Of a matcher at work. */
    GRAMMAR_MAX_ITEMS = 16384,   // places in the grammar at which one text may be
    GRAMMAR_MAX_WORK = 10000000, // steps of one call
};

#define GRAMMAR_UNBOUNDED UINT32_MAX // the greatest count of a repetition that has none

#endif
