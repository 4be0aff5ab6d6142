/* A prompt's ids that go on where a cached sequence stands.
 *
 * One text has many spellings in tokens, and a model need not write the one that encoding gives.
 * When its answer comes back as part of the next prompt, plain encoding would leave the cached ids
 * at the first token that is spelled otherwise, and all behind it would be read again. So the ids
 * that are known stay as far as they spell the prompt, and plain encoding goes on behind them.
 *
 * The result is known[0, i) and plain[j, ..), `plain` being what tokenizer_encode_marked gives:
 * - known[0, i) and plain[0, j) decode to the same bytes; or, between two marks that were found in
 *   the prompt, known ids decode to its bytes where plain ones do not (a tokenizer that puts a
 * space before each stretch of text cannot encode all that it can decode to);
 * - a mark (tokenizer_is_mark) that is known and a token without text stand for themselves only:
 *   nobody's words become a mark, and letters never stand in the place of one that was found;
 * - i is the largest such number. What a template trimmed or dropped, an edited message, a
 *   character that was cut off end it. */
#ifndef JL_SESSION_SPLICE_H
#define JL_SESSION_SPLICE_H

#include "text/tokenizer.h"

struct splice_known {
    const int32_t *ids; // of the same tokenizer
    size_t n;
    size_t max; // a result longer than this is not chosen: plain may be shorter
};

/* As tokenizer_encode_marked, with known ids in their place. JL_ERR_USAGE: a known id is not in the
 * vocabulary. */
enum jl_status splice_encode(const struct tokenizer *tokenizer, const struct tokenizer_text *text,
                             int flags, const struct splice_known *known, struct token_ids *ids,
                             struct jl_error *err);

#endif
