/* Draws of one task: numbers from Philox, small texts, and which side of the border between
 * training and held-out tasks a content is on. */
#ifndef JL_SKILL_DRAW_H
#define JL_SKILL_DRAW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/rng.h"

enum skill_part { SKILL_TRAIN, SKILL_HELD };
enum skill_tongue { SKILL_ZH, SKILL_EN };

struct skill_draw {
    struct rng_key key;
    uint64_t block;
    uint32_t words[4];
    int n_word; // unused ones of `words`
    enum skill_part part;
    enum skill_tongue tongue;
    const void *tables;  // what the skill's load made; NULL without
    struct arena *arena; // of skill_textf
    int n_refused;       // contents of the other part, so far
    bool no_memory, no_content;
};

#define SKILL_COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* One of [0, n), each as likely; n >= 1. */
int skill_below(struct skill_draw *draw, int n);
int skill_range(struct skill_draw *draw, int low, int high); // both ends may come
bool skill_chance(struct skill_draw *draw, int percent);
void skill_shuffle(struct skill_draw *draw, int *items, int n);
/* k different numbers of [0, n) in a random order; k <= n <= 4096. */
void skill_choose(struct skill_draw *draw, int n, int k, int *out);
/* A number of 1 to `digits` digits (<= 9), each length as likely; never 0. */
int skill_number(struct skill_draw *draw, int digits);
int skill_digits(struct skill_draw *draw, int digits); // of exactly so many (<= 9)

#define skill_pick(draw, array) ((array)[skill_below(draw, SKILL_COUNT(array))])

bool skill_zh(const struct skill_draw *draw);

/* printf into memory that lasts as long as the task; "" where there is none (noted). */
const char *skill_textf(struct skill_draw *draw, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Items with `between` between them, in such memory. */
const char *skill_list(struct skill_draw *draw, const int *items, int n, const char *between);
const char *skill_list_words(struct skill_draw *draw, const char *const *items, int n,
                             const char *between);

/* Whether the content that `fmt` spells belongs to the part that is wanted; of all contents
 * `percent` are held out, by their hash. Makers draw again until it does:
 *     do { draw a and b } while (!skill_takes(draw, 2, "add %d %d", a, b));
 * What two tasks share, in whatever order, language or phrasing, must be spelled the same. Gives up
 * (no_content) after a million refusals. */
bool skill_takes(struct skill_draw *draw, int percent, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* To be asked after a draw that was of no use for another reason: true, as no_content, after a
 * million refusals. */
bool skill_gives_up(struct skill_draw *draw);

#endif
