#include "skill/draw.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <xxhash.h>

#define MOST_REFUSED 1000000
#define MOST_CONTENT 1024 // bytes

static uint32_t next_word(struct skill_draw *draw) {
    if (!draw->n_word) {
        rng_block(&draw->key, draw->block++, draw->words);
        draw->n_word = 4;
    }
    return draw->words[4 - draw->n_word--];
}

/* Multiply and shift; words that would make some results likelier than others are drawn again. */
int skill_below(struct skill_draw *draw, int n) {
    uint32_t range = (uint32_t)n, uneven = -range % range;
    uint64_t product;
    do
        product = (uint64_t)next_word(draw) * range;
    while ((uint32_t)product < uneven);
    return (int)(product >> 32);
}

int skill_range(struct skill_draw *draw, int low, int high) {
    return low + skill_below(draw, high - low + 1);
}

bool skill_chance(struct skill_draw *draw, int percent) { return skill_below(draw, 100) < percent; }

void skill_shuffle(struct skill_draw *draw, int *items, int n) {
    for (int i = n - 1; i > 0; i--) {
        int j = skill_below(draw, i + 1), kept = items[i];
        items[i] = items[j];
        items[j] = kept;
    }
}

void skill_choose(struct skill_draw *draw, int n, int k, int *out) {
    bool taken[4096] = {false};
    for (int i = 0; i < k; i++) {
        do
            out[i] = skill_below(draw, n);
        while (taken[out[i]]);
        taken[out[i]] = true;
    }
}

int skill_digits(struct skill_draw *draw, int digits) {
    int low = 1;
    while (--digits > 0)
        low *= 10;
    return skill_range(draw, low, 10 * (low - 1) + 9);
}

int skill_number(struct skill_draw *draw, int digits) {
    return skill_digits(draw, skill_range(draw, 1, digits));
}

bool skill_zh(const struct skill_draw *draw) { return draw->tongue == SKILL_ZH; }

const char *skill_textf(struct skill_draw *draw, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    char *text = n < 0 ? NULL : arena_alloc(draw->arena, (size_t)n + 1);
    if (text) vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(args);
    if (!text) draw->no_memory = true;
    return text ? text : "";
}

const char *skill_list(struct skill_draw *draw, const int *items, int n, const char *between) {
    const char *text = "";
    for (int i = 0; i < n; i++)
        text = skill_textf(draw, "%s%s%d", text, i ? between : "", items[i]);
    return text;
}

const char *skill_list_words(struct skill_draw *draw, const char *const *items, int n,
                             const char *between) {
    const char *text = "";
    for (int i = 0; i < n; i++)
        text = skill_textf(draw, "%s%s%s", text, i ? between : "", items[i]);
    return text;
}

bool skill_gives_up(struct skill_draw *draw) {
    draw->no_content = draw->no_content || ++draw->n_refused >= MOST_REFUSED;
    return draw->no_content;
}

bool skill_takes(struct skill_draw *draw, int percent, const char *fmt, ...) {
    char content[MOST_CONTENT];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(content, sizeof content, fmt, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof content ? (size_t)n : sizeof content - 1;
    bool held = XXH64(content, len, 0) % 100 < (uint64_t)percent;
    if (held == (draw->part == SKILL_HELD)) return true;
    return skill_gives_up(draw); // skill_make reports it
}
