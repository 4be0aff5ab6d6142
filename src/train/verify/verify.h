/* Verifiers: whether an answer is right. One row a kind, so that evaluation and environments of
 * reinforcement learning use the same ones. docs/eval.md says what each does. */
#ifndef JL_TRAIN_VERIFY_VERIFY_H
#define JL_TRAIN_VERIFY_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "skill/tables.h"
#include "text/match.h"

/* What is expected of an answer. Zeroed, then text, len and, where the verifier takes one,
 * tolerance are set; verify_prepare fills in the rest. */
struct verify_expect {
    const char *text; // len bytes, the caller's
    size_t len;
    double tolerance;      // of numbers, absolute
    double number;         // what `text` says
    struct match *match;   // NULL unless `text` is a pattern
    struct schema *schema; // NULL unless it is a schema
    void *wanted;          // NULL unless `text` is a verse or a move
    // Parts that the verifier reads, to be set before it checks; the caller's.
    const struct skill_tables *tables;
};

struct verifier {
    const char *name;
    bool takes_tolerance;
    unsigned tables; // parts of skill/tables.h that it reads; 0: none
    // Whether such a thing can be expected at all; NULL: every text can.
    enum jl_status (*prepare)(struct verify_expect *expect, struct jl_error *err);
    // JL_ERR_LIMIT where it cannot be said, JL_ERR_USAGE without its tables.
    enum jl_status (*check)(const struct verify_expect *expect, const char *answer, size_t len,
                            bool *right, struct jl_error *err);
};

const struct verifier *verify_at(size_t index); // NULL: past the last row
const struct verifier *verify_find(const char *name);

/* JL_ERR_FORMAT: an empty text, or one that this verifier cannot look for. JL_ERR_UNSUPPORTED and
 * JL_ERR_LIMIT: a schema with keywords that are not checked, or nested too deeply. */
enum jl_status verify_prepare(const struct verifier *verifier, struct verify_expect *expect,
                              struct jl_error *err);
void verify_free(struct verify_expect *expect); // zeroed is fine

/* The last number written in a text; false: there is none. A number is digits, in groups of three
 * with commas or not, with a sign before, a fraction and an exponent behind or not. */
bool verify_last_number(const char *text, size_t len, double *out);

#endif
