#include "skill/tables.h"

enum jl_status skill_tables_read(const char *folder, unsigned parts, struct arena *arena,
                                 struct skill_tables *out, struct jl_error *err) {
    *out = (struct skill_tables){0};
    if (parts & SKILL_RHYMES) JL_TRY(rhyme_read(folder, arena, &out->rhymes, err));
    if (parts & SKILL_IDIOMS) {
        JL_TRY(hanzi_read(folder, arena, &out->hanzi, err));
        JL_TRY(idioms_read(folder, &out->hanzi, arena, &out->idioms, err));
    }
    return JL_OK;
}
