/* What a poem can be asked to be about: words of one or two characters that are nouns and stand in
 * many poems, and the poems that each stands in. */
#ifndef JL_SKILL_THEMES_H
#define JL_SKILL_THEMES_H

#include "skill/poems.h"
#include "skill/verse_check.h"

/* Numbers of poems that have a word, by form: those of form f are items[begin[f]] to
 * items[begin[f + 1] - 1]. */
struct theme_poems {
    int *items;
    int begin[VERSE_N_REGULAR + 1];
};

struct theme {
    const char *text;
    struct theme_poems train, held;
};

struct themes {
    struct theme *themes; // (n): n_single of one character, then those of two
    int n, n_single;
};

/* Words are chosen by the poems of `train`; both lists hold the poems for which `fit` is true,
 * (train->n) and (held->n). JL_ERR_MEMORY. */
enum jl_status themes_find(const struct poems *train, const bool *train_fit,
                           const struct poems *held, const bool *held_fit, struct arena *arena,
                           struct themes *out, struct jl_error *err);

#endif
