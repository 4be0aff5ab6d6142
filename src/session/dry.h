/* DRY: what would go on with a sequence that stood before becomes less likely, the more so the
 * longer the repeat (p-e-w, "DRY: a modern repetition penalty", text-generation-webui #5677).
 *
 * Sequences end at breakers, which are looked for in the text: a breaker may lie inside a token or
 * across several. One owner; the tokens themselves are the caller's. */
#ifndef JL_SESSION_DRY_H
#define JL_SESSION_DRY_H

#include "session/sample_params.h"
#include "text/tokenizer.h"

struct dry;

/* For at most n_max tokens. Without breakers the tokenizer may be NULL. */
enum jl_status dry_create(const struct sample_params *params, const struct tokenizer *tokenizer,
                          int n_max, struct dry **out, struct jl_error *err);
enum jl_status dry_copy(const struct dry *from, struct dry **out, struct jl_error *err);
void dry_free(struct dry *dry); // NULL is fine

void dry_start(struct dry *dry);                                              // an empty text
enum jl_status dry_accept(struct dry *dry, int32_t id, struct jl_error *err); // the next token

/* Lowers logits (n_vocab) after the accepted tokens ids (n). marks: (n_vocab) zeros, and so again
 * afterwards. Logits of -infinity stay. */
enum jl_status dry_apply(struct dry *dry, const int32_t *ids, int n, float *logits, int32_t *marks,
                         struct jl_error *err);

#endif
