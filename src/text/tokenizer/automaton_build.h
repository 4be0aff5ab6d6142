/* The parts of building an automaton: pattern -> program (automaton_parse.c), sets of characters ->
 * classes (automaton_classes.c), program and classes -> table (automaton_build.c). */
#ifndef JL_TEXT_AUTOMATON_BUILD_H
#define JL_TEXT_AUTOMATON_BUILD_H

#include "text/tokenizer/automaton.h"

#define AUTOMATON_MAX_SETS 64
#define AUTOMATON_MAX_NODES 2048
#define AUTOMATON_MAX_CLASSES 250 // fits a byte, with the end of the text as one more
#define AUTOMATON_NO_SET AUTOMATON_MAX_SETS

/* A set of characters: a piece of a pattern that matches one character. */
struct automaton_set {
    const char *text;
    size_t len;
    bool caseless;
};

enum automaton_node_kind {
    NODE_CHAR,   // takes a character of `set`
    NODE_SPLIT,  // `next` is preferred to `other`
    NODE_AHEAD,  // the next character is in `set` as `wanted` says; at the end of the text: at_edge
    NODE_BEHIND, // the same for the character before and the start of the text
    NODE_MATCH,
};

struct automaton_node {
    uint8_t kind, set;
    bool wanted, at_edge;
    uint16_t next, other;
};

struct automaton_program {
    struct automaton_set sets[AUTOMATON_MAX_SETS];
    struct automaton_node nodes[AUTOMATON_MAX_NODES];
    int n_set, n_node;
    uint16_t start;
    bool looks_back; // some node asks for the character before
};

/* False: the pattern has something that no node stands for, or too much of it. */
bool automaton_parse(const char *pattern, size_t len, bool multiline,
                     struct automaton_program *program);

/* Characters of the basic plane that no set tells apart are one class. A code's class is
 * blocks[pages[code / 64]][code % 64]; surrogates have any. */
#define AUTOMATON_BLOCK 64
#define AUTOMATON_PAGES (65536 / AUTOMATON_BLOCK)
struct automaton_classes {
    int n;                                // 0: more than AUTOMATON_MAX_CLASSES
    uint64_t sets[AUTOMATON_MAX_CLASSES]; // one bit a set that holds the class
    uint16_t pages[AUTOMATON_PAGES];
    int n_block;
    uint8_t blocks[AUTOMATON_PAGES][AUTOMATON_BLOCK];
};

bool automaton_classify(const struct automaton_program *program,
                        struct automaton_classes *classes); // false: out of memory

/* The finished table. A cell is the row of the next state, as an offset into `next`, with
 * AUTOMATON_ENDS when a match ends before the character; row 0 is the state without a way on. */
#define AUTOMATON_ENDS 0x8000u
#define AUTOMATON_MAX_CELLS 0x8000u
struct automaton {
    uint8_t ascii[128];
    uint8_t begins[256];       // 0 for bytes of ASCII that no match begins with, else 1
    uint8_t class_begins[256]; // the same by class; 1 for what is no class
    uint16_t pages[AUTOMATON_PAGES];
    uint8_t (*blocks)[AUTOMATON_BLOCK];
    uint16_t *next;   // rows; the cell behind the classes is for the end of the text
    uint16_t *starts; // row to begin with, by the class before; the last at the start of the text
    unsigned n_class;
    bool looks_back; // else all starts are the same
};

#endif
