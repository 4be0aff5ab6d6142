/* What the skills of verse draw from: poems, rhymes, themes and tunes, from the data folder.
 * Variants of characters are mended (variants.h), and poems with characters that are not in the
 * table of readings, or seldom in the poems, are left out. */
#ifndef JL_SKILL_VERSE_TABLES_H
#define JL_SKILL_VERSE_TABLES_H

#include "skill/hanzi.h"
#include "skill/poems.h"
#include "skill/rhyme.h"
#include "skill/themes.h"

#define VERSE_RARE 40 // a character that the poems have fewer times is one: its poems are left out
#define VERSE_MOST_SHAPES 8

/* A tune (词牌) and the shapes that its poems have more than once or twice: lengths of lines, as
 * text, a character each ('0' + length). */
struct verse_tune {
    const char *name;
    int *train, *held; // poems
    int n_train, n_held;
    const char *shapes[VERSE_MOST_SHAPES];
    int n_shape;
};

struct verse_pool {
    struct poems poems;
    bool *fit;                     // (poems.n) regular and strict, of common characters
    bool *common;                  // (poems.n) of characters that are neither rare nor unusual
    int *of_form[VERSE_N_REGULAR]; // numbers of the fit ones
    int n_of_form[VERSE_N_REGULAR];
};

struct verse_tables {
    bool plan; // answers have a thought
    struct rhyme_book rhymes;
    struct hanzi hanzi;
    struct verse_pool train, held;
    struct themes themes;
    struct verse_tune *tunes;
    int n_tune;
    int32_t *seen;   // (HAN_CODE_END) how often the poems of `train` have a character
    uint64_t *asked; // (n_asked), ascending: verse_key of what the held-out poems can be asked by
    int n_asked;
};

enum jl_status verse_tables_read(const char *folder, struct arena *arena, struct verse_tables *out,
                                 struct jl_error *err);

/* What a poem can be asked by: a title, heads, a line. Held out where a held-out poem has it. */
uint64_t verse_key(const char *kind, const char *text);
bool verse_is_held(const struct verse_tables *tables, uint64_t key);

/* The first characters of a poem's lines. */
#define VERSE_HEADS_BYTES (16 * 4 + 1)
void verse_heads(const struct poem *poem, char out[VERSE_HEADS_BYTES]);
/* Whether a title is one that somebody might ask for: short, without names of friends and numbers.
 */
bool verse_title_fits(const char *title);
/* Lengths of the lines of a poem. */
#define VERSE_SHAPE_BYTES 64
bool verse_shape(const struct poem *poem, char out[VERSE_SHAPE_BYTES]); // false: too many lines

#endif
