#include "text/tokenizer/automaton_build.h"

/* A character's class and its bytes; a character above the basic plane has no class. */
struct step {
    unsigned class, n;
};
#define ABOVE 0xFFu

static struct step wide_step(const struct automaton *a, const unsigned char *at) {
    if (at[0] < 0xE0) return (struct step){a->blocks[a->pages[at[0] & 0x1F]][at[1] & 0x3F], 2};
    if (at[0] >= 0xF0) return (struct step){ABOVE, 4};
    unsigned page = (at[0] & 0xFu) << 6 | (at[1] & 0x3Fu);
    return (struct step){a->blocks[a->pages[page]][at[2] & 0x3F], 3};
}

static inline struct step step_at(const struct automaton *a, const unsigned char *at) {
    return at[0] < 0x80 ? (struct step){a->ascii[at[0]], 1} : wide_step(a, at);
}

/* Passes over ASCII that no match begins with, eight bytes at a time. */
static size_t pass_over(const uint8_t *begins, const unsigned char *text, size_t at, size_t len) {
    for (; len - at >= 8; at += 8) {
        unsigned mask = 0;
        for (unsigned i = 0; i < 8; i++)
            mask |= (unsigned)begins[text[at + i]] << i;
        if (mask) return at + (size_t)__builtin_ctz(mask);
    }
    while (at < len && !begins[text[at]])
        at++;
    return at;
}

/* The state to begin with at `at`; false when the character before has no class. */
static inline bool start_state(const struct automaton *a, const unsigned char *text, size_t at,
                               unsigned *row) {
    unsigned before = a->n_class;
    if (a->looks_back && at > 0) {
        size_t start = at - 1;
        while ((text[start] & 0xC0) == 0x80)
            start--;
        before = step_at(a, text + start).class;
        if (before == ABOVE) return false;
    }
    *row = a->starts[before];
    return true;
}

#define NO_END SIZE_MAX

/* The match that begins at `from`: its end in *end, or NO_END; *looked is where there was no way
 * on. False: a character without class is in the way. */
static bool run(const struct automaton *a, const unsigned char *text, size_t from, size_t len,
                unsigned row, size_t *end, size_t *looked) {
    size_t at = from, found = NO_END;
    while (row && at < len) {
        struct step step = step_at(a, text + at);
        if (step.class == ABOVE) return false;
        unsigned cell = a->next[row + step.class];
        if (cell & AUTOMATON_ENDS) found = at;
        row = cell & ~AUTOMATON_ENDS;
        if (row == 0) break;
        at += step.n;
    }
    if (row && at == len && a->next[row + a->n_class] & AUTOMATON_ENDS) found = at;
    *end = found;
    *looked = at;
    return true;
}

enum automaton_answer automaton_find(const struct automaton *a, const char *text,
                                     const struct text_span *from_to, uint64_t *steps,
                                     uint64_t limit, struct text_span *match) {
    const unsigned char *bytes = (const unsigned char *)text;
    size_t at = from_to->start, len = from_to->stop, end, looked;
    unsigned row;
    for (;;) {
        if (at < len && !a->begins[bytes[at]]) at = pass_over(a->begins, bytes, at, len);
        match->start = at;
        if (!start_state(a, bytes, at, &row)) return AUTOMATON_LEAVES;
        if (!run(a, bytes, at, len, row, &end, &looked)) return AUTOMATON_LEAVES;
        *steps += looked - at + 1;
        if (end != NO_END) {
            match->stop = end;
            return AUTOMATON_MATCH;
        }
        if (*steps > limit) return AUTOMATON_SPENT;
        if (at == len) return AUTOMATON_NONE;
        at += step_at(a, bytes + at).n;
    }
}
