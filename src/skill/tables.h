/* The tables that judges of answers need, read once from the data folder and shared. */
#ifndef JL_SKILL_TABLES_H
#define JL_SKILL_TABLES_H

#include "skill/idioms.h"
#include "skill/rhyme.h"

enum { SKILL_RHYMES = 1, SKILL_IDIOMS = 2 }; // parts

struct skill_tables {
    struct rhyme_book rhymes;
    struct hanzi hanzi; // with the idioms
    struct idioms idioms;
};

/* `parts` of the folder, in memory of `arena`; the others are empty. */
enum jl_status skill_tables_read(const char *folder, unsigned parts, struct arena *arena,
                                 struct skill_tables *out, struct jl_error *err);

#endif
