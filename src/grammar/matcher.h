/* Which tokens may come next: a grammar at work over a vocabulary.
 *
 *     grammar_matcher_new(grammar, vocab, NULL, &m, err);
 *     struct grammar_state at = grammar_start(m);
 *     for each token:
 *         grammar_allowed(m, at, mask, err);       // sample among these; the tokens that end a
 *         if (grammar_is_complete(m, at)) ...      // text are allowed exactly here
 *         grammar_accept(m, &at, id, err);
 *
 * A token is allowed if and only if its bytes, behind those accepted so far, begin some text of
 * the grammar: they may begin and end anywhere in it. A text that is begun can always be
 * completed, if the vocabulary has the bytes for it; where it has not, grammar_allowed says so.
 *
 * A matcher has one owner and serves any number of texts of its grammar. What it learns (states,
 * masks) it keeps: the first masks take milliseconds, later ones microseconds. A state is a number,
 * to be copied and kept as one likes: going back is using an older copy. Two texts at which
 * the same may follow in the same way have equal states. Grammar and vocabulary must outlive it. */
#ifndef JL_GRAMMAR_MATCHER_H
#define JL_GRAMMAR_MATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct grammar;
struct grammar_vocab;
struct grammar_matcher;

struct grammar_state {
    uint32_t id;
};

struct grammar_matcher_options {
    size_t state_bytes; // of states, above which grammar_keep drops some; 0: 16 MiB
    size_t mask_bytes;  // of masks, which are made anew when needed; 0: 32 MiB
};
/* `options` may be NULL. */
enum jl_status grammar_matcher_new(const struct grammar *grammar, const struct grammar_vocab *vocab,
                                   const struct grammar_matcher_options *options,
                                   struct grammar_matcher **out, struct jl_error *err);
void grammar_matcher_free(struct grammar_matcher *m); // NULL is fine

struct grammar_state grammar_start(const struct grammar_matcher *m);

/* May the text end here? */
bool grammar_is_complete(const struct grammar_matcher *m, struct grammar_state state);

/* mask: (grammar_vocab_words), bit id % 64 of word id / 64; all of it is written. No token at all
 * is right where the text is complete, and JL_ERR_UNSUPPORTED elsewhere. JL_ERR_LIMIT: the grammar
 * is so ambiguous that following it takes too much. */
enum jl_status grammar_allowed(struct grammar_matcher *m, struct grammar_state state,
                               uint64_t *mask, struct jl_error *err);

/* On failure *state is as before. JL_ERR_USAGE: the token, or a byte, is not allowed. */
enum jl_status grammar_accept(struct grammar_matcher *m, struct grammar_state *state, int32_t id,
                              struct jl_error *err);
enum jl_status grammar_accept_bytes(struct grammar_matcher *m, struct grammar_state *state,
                                    const char *bytes, size_t len, struct jl_error *err);

/* The bytes that must come next, as many as are certain and fit: *len of `cap`. None where the
 * text may end, where a special token may come, or where there is a choice. */
enum jl_status grammar_forced(struct grammar_matcher *m, struct grammar_state state, char *bytes,
                              size_t cap, size_t *len, struct jl_error *err);

/* To be called now and then (before each pass) with all states that are still wanted: where the
 * others take more than options.state_bytes they are dropped, and these get new numbers. Without,
 * states beyond 8 times that are JL_ERR_LIMIT. */
enum jl_status grammar_keep(struct grammar_matcher *m, struct grammar_state **states, size_t n,
                            struct jl_error *err);

size_t grammar_matcher_bytes(const struct grammar_matcher *m); // held now

#endif
