/* Tables as text: a row a line, fields parted by tabs. */
#ifndef JL_SKILL_TSV_H
#define JL_SKILL_TSV_H

#include "base/arena.h"
#include "base/status.h"

#define TSV_MOST_FIELDS 4

struct tsv {
    const char *path;
    char *at, *end; // of what is left to read, in the arena
    int line;       // of the row, from 1
    int n_field;
    char *field[TSV_MOST_FIELDS]; // of the row, with a NUL each; they last as long as the arena
};

/* folder/name, whole, in memory of `arena`. Errors name the file and what the folder should be. */
enum jl_status tsv_open(const char *folder, const char *name, struct arena *arena, struct tsv *out,
                        struct jl_error *err);
size_t tsv_count(const struct tsv *table); // rows that are left to read
/* The next row, which has n_field fields; *more is false behind the last one. */
enum jl_status tsv_next(struct tsv *table, int n_field, bool *more, struct jl_error *err);
enum jl_status tsv_fail(const struct tsv *table, const char *what, struct jl_error *err);

/* A whole file of the data folder, NUL at its end, in memory of `arena`. */
enum jl_status tsv_text(const char *folder, const char *name, struct arena *arena, char **text,
                        size_t *size, struct jl_error *err);

#endif
