/* Idioms of four characters (成语), from idiom/chengyu.tsv of the data folder, and the game in
 * which each begins where the one before it ends (成语接龙). Never written once they are read. */
#ifndef JL_SKILL_IDIOMS_H
#define JL_SKILL_IDIOMS_H

#include "base/arena.h"
#include "base/status.h"
#include "skill/hanzi.h"

#define IDIOM_CHARS 4
#define IDIOM_BYTES (IDIOM_CHARS * 4 + 1)
#define IDIOM_MOST_USED 64
#define IDIOM_MOST_CHAIN 20

struct idiom {
    uint32_t code[IDIOM_CHARS];
    const char *text;
    int sound_first, sound_last; // hanzi_sound
};

struct idioms {
    struct idiom *idioms; // (n), the most frequent first
    int n;
    int *by_code, *by_char, *by_sound; // (n) each: by text; by first character, by its sound
};

enum jl_status idioms_read(const char *folder, const struct hanzi *hanzi, struct arena *arena,
                           struct idioms *out, struct jl_error *err);

int idioms_find(const struct idioms *book, const uint32_t code[IDIOM_CHARS]); // -1: none

/* What may follow `after`, which need not be of the book, the most frequent first, but for itself:
 * what begins with its last character or, with `sound`, with one of `sound_last`, tone aside. */
struct idiom_moves {
    const int *idiom; // numbers, (n)
    int n;
};
struct idiom_moves idioms_moves(const struct idioms *book, const struct idiom *after, bool sound);

/* What a move must be: {"after": IDIOM, "used": [IDIOM ...], "sound": true, "n": 1}; all but the
 * first are optional. With n above 1 it is a chain: each follows the one before it, none twice. */
struct idiom_wanted {
    uint32_t after[IDIOM_CHARS], used[IDIOM_MOST_USED][IDIOM_CHARS];
    int n_used, n;
    bool sound;
};
enum jl_status idiom_wanted_read(const char *json, size_t len, struct idiom_wanted *out,
                                 struct jl_error *err);

/* Whether the answer, punctuation and white space aside, is an idiom of the table that begins right
 * and was not used, or n of them. */
bool idiom_move_right(const struct idioms *book, const struct hanzi *hanzi,
                      const struct idiom_wanted *wanted, const char *answer, size_t len);

#endif
