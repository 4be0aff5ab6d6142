/* Finding marks byte by byte. A matcher looks for several texts in running text and holds back
 * exactly what may still become one; `match_expect` wants one of several texts right here. No text
 * may be the beginning of another one that is looked for at the same time. */
#ifndef JL_TEXT_MATCH_H
#define JL_TEXT_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#define MATCH_BYTES 96 // longest mark
#define MATCH_MARKS 16

struct match_mark {
    const char *text; // without white space at its ends
    const char *pad;  // white space right before it that belongs to it, or ""
    int action;
    unsigned where; // bits: where it is looked for
};

struct match {
    struct match_mark marks[MATCH_MARKS];
    int n_mark;
    char held[MATCH_BYTES];
    size_t n_held;
};

enum { MATCH_HOLD = -1, MATCH_NONE = -2 };

void match_add(struct match *match, const char *text, const char *pad, int action, unsigned where);
/* What the held bytes are: the action of a complete mark, the beginning of one (MATCH_HOLD), or
 * neither: then the first byte is free, match_shift takes it. */
int match_test(const struct match *match, unsigned where);
char match_shift(struct match *match);

#define EXPECT_TEXTS 5

struct match_expect {
    const char *texts[EXPECT_TEXTS]; // white space at their ends does not count
    int n;
    bool spaces; // white space may come first
    char got[MATCH_BYTES];
    size_t n_got;
};
void match_expect_start(struct match_expect *expect, bool spaces);
void match_expect_add(struct match_expect *expect, const char *text); // "" adds nothing
/* Index of the text that this byte completes, MATCH_HOLD, or MATCH_NONE. */
int match_expect_byte(struct match_expect *expect, char byte);

bool match_is_space(char byte); // space, tab, newline, carriage return
/* `text` without white space at its ends. */
const char *match_trim(const char *text, size_t *len);

#endif
