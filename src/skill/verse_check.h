/* Whether a text is the verse that was asked for: its form, rhyme and tones, a word in it, the
 * characters that its lines begin with.
 *
 * Varied: of the characters at most an eighth stand further on again; a neighbour's double, as in
 * 悠悠, is none of these.
 *
 * Regular verse (近体诗): the even lines end in different characters that share a level-tone group
 * of the Pingshui book, and all lines fit one of the standard tone patterns at positions 2, 4, 6
 * and the last, where 6 is there. The rhyme of the first line, 孤平 and parallelism are not
 * checked; 拗救 counts as a miss. docs/skills.md. */
#ifndef JL_SKILL_VERSE_CHECK_H
#define JL_SKILL_VERSE_CHECK_H

#include "skill/han.h"
#include "skill/rhyme.h"

enum verse_kind {
    VERSE_REGULAR, // rhyme and tones are checked
    VERSE_COUPLET, // 对联: one line that answers `first`
    VERSE_PLAIN    // so many lines of so many characters, and no more is asked
};

struct verse_form {
    const char *name; // NULL: a plain one
    enum verse_kind kind;
    int n_line, n_char; // n_char 0: as many as `first` has
};

enum { VERSE_QUATRAIN_5, VERSE_QUATRAIN_7, VERSE_REGULAR_5, VERSE_REGULAR_7, VERSE_N_REGULAR };
extern const struct verse_form verse_forms[]; // the four regular ones, 对联; ends with a NULL name

/* A name of verse_forms, or LINESxCHARACTERS ("6x7"). False: neither. */
bool verse_form_read(const char *text, size_t len, struct verse_form *out);

#define VERSE_MOST_THEME 8
struct verse_wanted {
    struct verse_form form;
    uint32_t theme[VERSE_MOST_THEME], heads[HAN_MOST_LINES], first[HAN_MOST_CHARS];
    int n_theme, n_heads, n_first; // 0: not asked for
    bool varied;
};

/* {"form": ..., "theme": ..., "heads": ..., "first": ..., "varied": true}, all but the form
 * optional. theme: stands in one of the lines. heads: of the lines, in order. first: the first
 * line; of a 对联 the one that is answered. JL_ERR_FORMAT: what is wrong with it; JL_ERR_MEMORY. */
enum jl_status verse_wanted_read(const char *json, size_t len, struct verse_wanted *out,
                                 struct jl_error *err);

struct verse_verdict {
    bool form; // lines and their lengths, nothing but Han characters in them
    bool rhyme, tone, theme, heads, first,
        varied; // true where not asked for; false without the form
};
struct verse_verdict verse_judge(const struct rhyme_book *book, const struct verse_wanted *wanted,
                                 const struct han_lines *lines);
bool verse_right(const struct verse_verdict *verdict); // all of it

bool verse_is_varied(const struct han_lines *lines);

/* Of lines that have the form of regular verse. */
bool verse_rhymes(const struct rhyme_book *book, const struct han_lines *lines);
/* The first of the two beginnings that all lines fit, by the tone of the second character of the
 * first line: 1 level (平起), 0 oblique (仄起), -1 neither. */
int verse_beginning(const struct rhyme_book *book, const struct han_lines *lines);

#endif
