/* One file from a hub to the disk: into NAME.part beside a note of what it is the start of
 * (NAME.part.json), whole under its name only after size and hash are right and it is synced.
 *
 * Connections that drop or stall go on where they stood, by Range and If-Range; a server that sends
 * all again, or something else, makes it start again. Never more bytes than announced. */
#ifndef JL_HUB_FETCH_H
#define JL_HUB_FETCH_H

#include "hub/digest.h"
#include "hub/line.h"

struct hub_target {
    const char *url;
    const char *token;
    bool token_is_cookie;
    const char *file;     // its name here
    const char *shown;    // "ORG/REPO: path", for messages
    const char *revision; // the commit it is of; NULL: unknown
    int64_t size;         // -1: the server will say
    struct hub_hash hash; // of kind NONE: only the size is checked
};

/* In the folder `dir` (a descriptor). `as`: the name it gets at the end, `target->file` or another.
 * *size: the bytes it has. On failure the start that came stays for the next time, unless its hash
 * was wrong. `response` tells of the last answer. */
enum jl_status hub_fetch(struct hub_line *line, int dir, const struct hub_target *target,
                         const char *as, int64_t *size, struct hub_response *response,
                         struct jl_error *err);

/* Is the file `name` in `dir` a plain file of this size and hash? Reads it; a kind NONE compares
 * nothing but the size. */
enum jl_status hub_fetch_check(struct hub_line *line, int dir, const char *name, int64_t size,
                               const struct hub_hash *hash, bool *same, struct jl_error *err);

/* Bytes of NAME.part; 0 when there is none. */
int64_t hub_fetch_begun(int dir, const char *file);
/* Removes NAME.part and its note. */
void hub_fetch_forget(int dir, const char *file);

#define HUB_PART ".part"
#define HUB_NOTE ".part.json"

#endif
