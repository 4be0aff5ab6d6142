/* Prompt lookup: a sequence that ends as it did before may go on as it did then. Code that is
 * edited, texts that are quoted and tables that repeat their form are drafted so, for nothing. */
#ifndef JL_SESSION_LOOKUP_H
#define JL_SESSION_LOOKUP_H

#include <stdint.h>

#include "base/status.h"

struct lookup; // one sequence, which only grows

enum jl_status lookup_create(int n_max, struct lookup **out, struct jl_error *err); // tokens
void lookup_free(struct lookup *lookup);                                            // NULL is fine

/* The sequence's n tokens, those that are known already in front. Needs no heap. */
void lookup_add(struct lookup *lookup, const int32_t *ids, int n);

/* What may follow ids, which are those added: n_out tokens into `out`, after the longest end of the
 * sequence that was there before, the latest of several. *matched: its length. Returns n_out, or 0
 * where not even the last two tokens were. */
int lookup_find(const struct lookup *lookup, const int32_t *ids, int n, int32_t *out, int n_out,
                int *matched);

#endif
