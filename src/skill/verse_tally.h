/* Many answers to requests for verse, judged and counted: how many keep each rule, how many are
 * unlike each other, and how many lines stand in the poems that were learnt from. */
#ifndef JL_SKILL_VERSE_TALLY_H
#define JL_SKILL_VERSE_TALLY_H

#include "skill/poems.h"
#include "skill/verse_check.h"
#include "text/u64map.h"

/* Lines of poems, by hash. */
struct verse_known {
    uint64_t *hash; // (n), ascending
    size_t n;
};
enum jl_status verse_known_lines(const struct poems *poems, struct arena *arena,
                                 struct verse_known *out, struct jl_error *err);
bool verse_is_known(const struct verse_known *known, const uint32_t *line, int n_char);

/* Zeroed before its first use. Rhyme and tone are counted where the form is one that has them. */
struct verse_tally {
    int64_t n_answer, n_form, n_right, n_varied;
    int64_t n_ruled, n_rhyme, n_tone, n_both; // of answers to forms with rules
    int64_t n_theme, has_theme, n_heads, has_heads, n_first, has_first; // asked for, and there
    int64_t n_line, n_known;                                            // lines of all answers
    struct u64map lines, answers;                                       // different ones
};
/* False: out of memory. */
bool verse_tally_add(struct verse_tally *tally, const struct rhyme_book *book,
                     const struct verse_known *known, const struct verse_wanted *wanted,
                     const char *answer, size_t len);
void verse_tally_free(struct verse_tally *tally);

#endif
