/* A compiled grammar: positions joined by edges, as a nondeterministic automaton that can call.
 *
 * A text belongs to the grammar if it is what the byte edges on some way from the start of rule 0
 * to its end say, where a call edge stands for any way through the rule it calls. A rule's end is
 * one position without edges; every position has a way to its rule's end. One counter belongs to
 * each call of a rule: loops that lie within each other are in different rules. */
#ifndef JL_GRAMMAR_PROGRAM_H
#define JL_GRAMMAR_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum edge_kind {
    EDGE_FREE,  // no byte; `op` on the counter
    EDGE_BYTE,  // a byte in [low, high]
    EDGE_CALL,  // rule `arg`
    EDGE_TOKEN, // token `arg`
};

enum edge_op { // of loop `arg`
    OP_NONE,
    OP_ENTER, // counter = 1
    OP_AGAIN, // only below the greatest count: one more
    OP_LEAVE, // only from the least count on: counter = 0
    OP_COUNT, // while compiling: one more character of a counted expression
    OP_CHAR,  // one more character, if the fewest that must follow, low + 256 high, still fit
};

struct edge {
    uint32_t target, arg;
    uint8_t kind, op, low, high;
};

struct program_loop {
    uint32_t low, high;  // high may be GRAMMAR_UNBOUNDED; the counter then stays at `low`
    uint32_t body, back; // where a turn begins and ends
    uint32_t stop;       // positions [body, stop) are in the loop
    bool of_chars;       // OP_CHAR edges count, not turns
    uint32_t slack;      // the most characters that an OP_CHAR edge looks ahead
};

struct program_rule {
    const char *name; // owned; NULL: made by the compiler
    uint32_t start, end;
    uint32_t rank; // a rule that another calls before any byte has a greater one
    bool empty;    // matches the empty text
};

enum {                    // flags of a position
    POSITION_LIVE = 1,    // has a way to its rule's end
    POSITION_MAY_END = 2, // the end can be reached without a byte, if counters allow
    POSITION_WAITS = 4,   // a byte, token or call can be reached without a byte
};

struct grammar {
    uint32_t *first; // (n_position + 1): edges of position p are edges[first[p], first[p + 1])
    struct edge *edges;
    uint8_t *flags;    // (n_position)
    uint32_t *loop_of; // (n_position) the loop a position is in, UINT32_MAX: none
    struct program_rule *rules;
    struct program_loop *loops;
    uint32_t n_position, n_edge, n_rule, n_loop;
};

/* An edge and where it comes from, before they are sorted. */
struct program_link {
    uint32_t from;
    struct edge edge;
};

/* Sorts the edges in, removes what leads nowhere, and finds what the fields above say. `grammar`
 * has everything but first, edges, flags and loop_of. */
enum jl_status program_finish(struct grammar *grammar, const struct program_link *links,
                              size_t n_link, struct jl_error *err);

#endif
