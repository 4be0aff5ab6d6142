/* The Pingshui rhyme book: the tones of a character and the groups that it rhymes in.
 * From rhyme/pingshui.tsv of the data folder. Never written once it is read. */
#ifndef JL_SKILL_RHYME_H
#define JL_SKILL_RHYME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

#define RHYME_MOST_GROUPS 128 // of the book
#define RHYME_MOST_OF_ONE 6   // of a character

struct rhyme_char {
    uint32_t code;
    bool level, oblique; // 平, 仄; both where readings differ
    uint8_t group[RHYME_MOST_OF_ONE];
    int n_group;
};

struct rhyme_book {
    struct rhyme_char *chars; // (n_char), by code
    int n_char;
    const char *group[RHYME_MOST_GROUPS]; // names, such as 上平一东
    bool level[RHYME_MOST_GROUPS];        // a group of the level tone
    int n_group;
};

enum jl_status rhyme_read(const char *folder, struct arena *arena, struct rhyme_book *out,
                          struct jl_error *err);
const struct rhyme_char *rhyme_find(const struct rhyme_book *book, uint32_t code); // NULL: unknown

/* Whether the book lets a character be of that tone; an unknown one may be of either. */
bool rhyme_allows(const struct rhyme_book *book, uint32_t code, bool level);

/* A group of the level tone that all n characters stand in, the first one's first; -1: none. */
int rhyme_shared(const struct rhyme_book *book, const uint32_t *codes, int n);

#endif
