/* What a builder holds. An expression comes after its parts, so that passes over all of them need
 * no recursion. */
#ifndef JL_GRAMMAR_EXPR_H
#define JL_GRAMMAR_EXPR_H

#include <stdbool.h>

#include "base/arena.h"
#include "grammar/builder.h"

enum expr_kind {
    EXPR_FAILED, // number 0 alone
    EXPR_EMPTY,
    EXPR_NEVER,
    EXPR_BYTES,   // pool[at, n): one byte a word
    EXPR_RANGE,   // a byte in [low, high]
    EXPR_CHARS,   // pool[at, n): first and last code points, ascending, disjoint
    EXPR_SEQ,     // pool[at, n): parts
    EXPR_ALT,     // the same
    EXPR_REPEAT,  // part `at`, low to high times
    EXPR_RULE,    // rule `at`
    EXPR_TOKEN,   // id `at`
    EXPR_LIST,    // pool[at, n): separator, then (item, flags) pairs
    EXPR_UNIT,    // part `at` is one character for EXPR_COUNTED
    EXPR_COUNTED, // part `at` with low to high EXPR_UNITs
    EXPR_MARKED,  // pool[at, n): characters of a mark; low: 0 without, 1 until; high: id or
                  // UINT32_MAX
};

enum { EXPR_REQUIRED = 1, EXPR_MANY = 2 }; // flags of a list's item

struct expr {
    uint8_t kind;
    uint16_t depth; // parts in parts
    uint32_t at, n, low, high;
};

struct expr_rule {
    const char *name;
    grammar_expr expr; // 0: not yet defined
    bool shared;       // never copied to where it is used: what is learnt of it serves all uses
};

enum expr_json {
    EXPR_JSON_VALUE,
    EXPR_JSON_OBJECT,
    EXPR_JSON_STRING,
    EXPR_JSON_NUMBER,
    EXPR_JSON_SPACE,
    EXPR_JSON_ESCAPE, // of any character that needs one; PATTERN_JSON's spelling
    EXPR_JSON_REST,   // any characters, so spelled
    EXPR_JSON_COUNT
};

#define EXPR_NO_ANGLE 3 // JSON in which '<' inside strings is escaped

struct grammar_builder {
    struct jl_error error; // status JL_OK: none
    struct expr *exprs;
    uint32_t *pool;
    struct expr_rule *rules;
    size_t n_expr, cap_expr, n_pool, cap_pool, n_rule, cap_rule;
    struct arena arena; // names
    // By enum grammar_space, plus EXPR_NO_ANGLE; the rule plus 1, 0: not made yet.
    grammar_rule json[2 * EXPR_NO_ANGLE][EXPR_JSON_COUNT];
};

/* Keeps the first error; 0. */
grammar_expr expr_fail(struct grammar_builder *b, enum jl_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
grammar_expr expr_unit(struct grammar_builder *b, grammar_expr part);
/* `part` with low to high characters (grammar_unit); small bounds, as it is written out. */
grammar_expr expr_counted(struct grammar_builder *b, grammar_expr part, uint32_t low,
                          uint32_t high);
/* Space for n words at the end of the pool; false: out of memory, which is the builder's error. */
bool expr_pool(struct grammar_builder *b, size_t n, uint32_t *at);

grammar_expr expr_seq2(struct grammar_builder *b, grammar_expr x, grammar_expr y);
grammar_expr expr_seq3(struct grammar_builder *b, grammar_expr x, grammar_expr y, grammar_expr z);
grammar_expr expr_alt2(struct grammar_builder *b, grammar_expr x, grammar_expr y);

/* A growing list of parts on the heap. */
struct expr_list {
    grammar_expr *data;
    size_t n, cap;
};
void expr_push(struct grammar_builder *b, struct expr_list *list, grammar_expr part);
grammar_expr expr_alt_of(struct grammar_builder *b, struct expr_list *list); // and frees it
grammar_expr expr_seq_of(struct grammar_builder *b, struct expr_list *list); // and frees it

#endif
