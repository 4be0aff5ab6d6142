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

/* Passes over characters that no match begins with, eight of ASCII at a time. */
static size_t pass_over(const struct automaton *a, const unsigned char *text, size_t at,
                        size_t len) {
    while (len - at >= 8) {
        unsigned mask = 0;
        if (text[at] >= 0x80) {
            struct step step = wide_step(a, text + at);
            if (a->class_begins[step.class]) return at;
            at += step.n;
            continue;
        }
        for (unsigned i = 0; i < 8; i++)
            mask |= (unsigned)a->begins[text[at + i]] << i;
        unsigned n = mask ? (unsigned)__builtin_ctz(mask) : 8;
        at += n;
        if (n < 8 && text[at] < 0x80) return at;
    }
    while (at < len) {
        struct step step = step_at(a, text + at);
        if (a->class_begins[step.class]) break;
        at += step.n;
    }
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

/* A state and the last place where a match ended. */
struct walk {
    size_t at, found;
    unsigned row; // 0: no way on
};

/* Through ASCII, as far as it goes. */
static inline struct walk walk_ascii(const struct automaton *a, const unsigned char *text,
                                     size_t len, struct walk walk) {
    const uint16_t *next = a->next;
    while (walk.at < len && text[walk.at] < 0x80) {
        unsigned cell = next[walk.row + a->ascii[text[walk.at]]];
        walk.row = cell & ~AUTOMATON_ENDS;
        walk.found = cell & AUTOMATON_ENDS ? walk.at : walk.found;
        if (walk.row == 0) break;
        walk.at++;
    }
    return walk;
}

/* The match that begins at walk->at: walk->found is its end, or NO_END, walk->at where there was no
 * way on. False: a character without class is in the way. */
static inline bool run(const struct automaton *a, const unsigned char *text, size_t len,
                       struct walk *walk) {
    while (walk->row) {
        *walk = walk_ascii(a, text, len, *walk);
        if (walk->row == 0) break;
        struct step step = {a->n_class, 0};
        if (walk->at < len) step = wide_step(a, text + walk->at);
        if (step.class == ABOVE) return false;
        unsigned cell = a->next[walk->row + step.class];
        walk->row = cell & ~AUTOMATON_ENDS;
        if (cell & AUTOMATON_ENDS) walk->found = walk->at;
        if (walk->row) walk->at += step.n;
    }
    return true;
}

enum automaton_answer automaton_find(const struct automaton *a, struct automaton_search *search) {
    const unsigned char *text = (const unsigned char *)search->text;
    size_t at = search->at, len = search->len;
    for (;;) {
        struct walk walk = {at, NO_END, 0};
        search->match.start = at;
        if (!start_state(a, text, at, &walk.row)) return AUTOMATON_LEAVES;
        unsigned class = at < len ? step_at(a, text + at).class : a->n_class;
        if (class == ABOVE) return AUTOMATON_LEAVES;
        if (!a->class_begins[class]) {
            at = pass_over(a, text, at, len);
            continue;
        }
        if (!run(a, text, len, &walk)) return AUTOMATON_LEAVES;
        search->steps += walk.at - at + 1;
        if (search->steps > search->limit) return AUTOMATON_SPENT;
        if (walk.found != NO_END) {
            search->match.stop = walk.found;
            return AUTOMATON_MATCH;
        }
        if (at == len) return AUTOMATON_NONE;
        at += step_at(a, text + at).n;
    }
}
