/* What an answer may be: a schema, a regular expression, a grammar, calls of tools; behind a
 * thought where the model thinks.
 *
 * Compiled once for all requests that say the same, and kept, as what a matcher has learnt makes
 * its masks fast. Any thread makes a constraint; only the scheduler's thread follows it. */
#ifndef JL_SERVE_CONSTRAINT_H
#define JL_SERVE_CONSTRAINT_H

#include "grammar/matcher.h"
#include "grammar/tools.h"
#include "session/end_tokens.h"
#include "text/dialect.h"
#include "text/tokenizer.h"

struct constraints; // of one model
struct constraint;

enum jl_status constraints_create(const struct tokenizer *tokenizer, const struct dialect *dialect,
                                  const struct end_tokens *ends, struct constraints **out,
                                  struct jl_error *err);
void constraints_free(struct constraints *all); // after its last constraint; NULL is fine

enum constraint_kind {
    CONSTRAINT_TEXT, // any
    CONSTRAINT_JSON, // an object, any
    CONSTRAINT_SCHEMA,
    CONSTRAINT_REGEX,
    CONSTRAINT_GBNF
};
enum constraint_thought {
    CONSTRAINT_NO_THOUGHT,
    CONSTRAINT_MAY_THINK, // the answer may begin with a thought
    CONSTRAINT_IN_THOUGHT // the prompt has opened it
};
struct constraint_spec {
    enum constraint_kind kind;
    const char *source; // schema, expression or grammar
    size_t len;
    enum constraint_thought thought;
    const struct grammar_tool *tools; // (n_tool); 0: none
    size_t n_tool;
    bool must_call, one_call;
    bool one_line; // the JSON has no line breaks between its tokens
};

/* JL_ERR_UNSUPPORTED and JL_ERR_FORMAT say what of the source cannot be followed. */
enum jl_status constraint_open(struct constraints *all, const struct constraint_spec *spec,
                               struct constraint **out, struct jl_error *err);
/* Whether it could be opened; nothing is kept. */
enum jl_status constraint_check(struct constraints *all, const struct constraint_spec *spec,
                                struct jl_error *err);
void constraint_drop(struct constraint *constraint); // NULL is fine

/* ---- one answer; the scheduler's thread ---- */

struct constrained;

enum jl_status constrained_begin(struct constraint *constraint, struct constrained **out,
                                 struct jl_error *err);
void constrained_end(struct constrained *at); // NULL is fine; any thread once nobody follows it
/* The tokens that may come next, the model's end tokens where the answer may end. *mask is the
 * answer's until the next call. */
enum jl_status constrained_allowed(struct constrained *at, const uint64_t **mask,
                                   struct jl_error *err);
/* Whether it could take all of these, one after the other. */
bool constrained_could(const struct constrained *at, const int32_t *ids, size_t n);
enum jl_status constrained_take(struct constrained *at, int32_t id, struct jl_error *err);

#endif
