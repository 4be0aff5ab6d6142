/* Patterns as tables: the same leftmost match that PCRE2 finds, at one look-up a character.
 *
 * Covers what published pre-tokenizers are made of: sets of characters, groups, alternatives,
 * repetitions (greedy, lazy, of one set also possessive), assertions about one neighbouring
 * character, the ends of the text. Which characters a set holds is asked of PCRE2 itself when the
 * table is built, for the basic plane; a match that meets a character above is left to PCRE2. */
#ifndef JL_TEXT_AUTOMATON_H
#define JL_TEXT_AUTOMATON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/span.h"

struct automaton;

/* `pattern`: PCRE2's language as regex_translate writes it; multiline: `$` also ends a line. *out
 * is NULL for a pattern that needs more than an automaton can. False: out of memory. */
bool automaton_build(const char *pattern, size_t len, bool multiline, struct automaton **out);
void automaton_free(struct automaton *automaton); // NULL is fine

/* A search in one text, well-formed UTF-8. */
struct automaton_search {
    const char *text;
    size_t at, len;         // the search begins at `at`
    uint64_t steps, limit;  // bytes looked at, and how many may be
    struct text_span match; // found last
};

enum automaton_answer {
    AUTOMATON_NONE,   // no match
    AUTOMATON_MATCH,  // `match` is the leftmost one, as the pattern prefers it
    AUTOMATON_LEAVES, // none begins before match.start; PCRE2 must look from there
    AUTOMATON_SPENT,  // steps went over the limit
};
enum automaton_answer automaton_find(const struct automaton *automaton,
                                     struct automaton_search *search);

#endif
