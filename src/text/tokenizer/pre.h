/* Pre-tokenizers that files only name: tokenizer.ggml.pre of GGUF, and --pre for rank files. One
 * row a pattern list; an unknown name is refused, never taken for another. */
#ifndef JL_TEXT_PRE_NAMES_H
#define JL_TEXT_PRE_NAMES_H

#include "text/tokenizer/pretok.h"

#define PRE_MAX_PATTERNS 6

enum pre_flags {
    PRE_IGNORE_MERGES = 1, // a word that is a token stays whole
    PRE_ADD_BOS = 2,       // when the file does not say
};

struct pre_row {
    const char *names; // separated by spaces; the first one is what a new GGUF file says
    unsigned flags;
    const char *patterns[PRE_MAX_PATTERNS]; // one split after the other, matches isolated
};

const struct pre_row *pre_find(const char *name, size_t len); // NULL when unknown
const struct pre_row *pre_at(int i);                          // NULL past the last
/* Whether the steps split as the row does: the same patterns, however their characters are spelt.
 * False: out of memory, too. */
bool pre_same(const struct pre_row *row, const struct pretok *pretok);

/* Split steps for a pattern: matches isolated. Knows the two patterns that PCRE2 would need
 * quadratic time for. `where` and `file` are for messages. */
enum jl_status pre_add_split(struct pretok *pretok, const char *pattern, size_t len,
                             enum regex_flavour flavour, struct jl_error *err);
enum jl_status pre_add_row(struct pretok *pretok, const struct pre_row *row, struct jl_error *err);
enum jl_status pre_unknown(const char *name, size_t len, struct jl_error *err);

/* Special tokens of a rank file. They count only for a file of exactly n_rank ranks: another
 * vocabulary may share the pattern but not these ids. */
struct pre_special {
    const char *text; // NULL behind the last
    int32_t id;
};
const struct pre_special *pre_specials(const char *pre, int n_rank); // never NULL

#define PRE_GPT2                                                                                   \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define PRE_ENDING "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define PRE_CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define PRE_QWEN2                                                                                  \
    PRE_CONTRACTIONS                                                                               \
    "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" PRE_ENDING

#endif
