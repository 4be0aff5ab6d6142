/* Poems of verse/train.jsonl and verse/heldout.jsonl of the data folder, and what can be counted
 * in them. Never written once they are read. */
#ifndef JL_SKILL_POEMS_H
#define JL_SKILL_POEMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "skill/han.h"
#include "text/buffer.h"

struct poem {
    char *lines; // n_line texts, one after the other, each with its NUL
    const char *title, *author, *dynasty;
    const char *tune;  // NULL: none
    const char *marks; // one behind each line, as UTF-8; NULL: ， and 。 in turn
    int n_line;
    int8_t form; // of verse_forms, VERSE_QUATRAIN_5 to VERSE_REGULAR_7; -1: another
    bool strict; // regular verse that keeps all rules
};

struct poems {
    struct poem *poems;
    int n;
};

/* verse/NAME, in memory of `arena`. */
enum jl_status poems_read(const char *folder, const char *name, struct arena *arena,
                          struct poems *out, struct jl_error *err);

void poems_as_lines(const struct poem *poem, struct han_lines *out);
/* As it is printed: a couplet a line or, where the poem has marks of its own, what a stop ends.
 * Appended; lack of memory is noted. */
void poems_write(const struct poem *poem, struct byte_buffer *out, bool *no_memory);
/* Line i of a poem. */
const char *poems_line(const struct poem *poem, int i);

#endif
