/* Skills: seeded makers of tasks whose answers can be checked. A task is what a user asks, how one
 * may think, a right answer, and how any answer to it is judged (train/verify/verify.h).
 *
 * Same skill, seed, part and number: same task, on every machine. What is held out is fixed by the
 * task's own content (numbers, a date, a poem), never by its number, so that no task of one part
 * can be made for the other, whatever the seeds. docs/skills.md has them all. */
#ifndef JL_SKILL_SKILL_H
#define JL_SKILL_SKILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "skill/draw.h"
#include "skill/task.h"

/* One kind of task within a skill: "add", "mul" ... */
struct skill_group {
    const char *name;
    int weight; // how often, against the other groups
    /* Fills a cleared task. Lack of memory or of content is noted in `draw` and `task`, and
     * reported by skill_make. */
    void (*make)(struct skill_draw *draw, struct skill_task *task);
};

struct skill {
    const char *name, *about; // about: one line, for the list
    /* Reads the files that the skill wants from `folder`, in memory of `arena`; NULL: it wants
     * none. Errors name the file. */
    enum jl_status (*load)(const char *folder, struct arena *arena, const void **tables,
                           struct jl_error *err);
    const struct skill_group *groups; // ends with a NULL name
};

const struct skill *skill_at(size_t index); // NULL: past the last one
const struct skill *skill_find(const char *name);
const struct skill_group *skill_find_group(const struct skill *skill, const char *name);

/* Which task: the number-th of a seed, of one part. */
struct skill_order {
    uint64_t seed;
    uint32_t number;
    enum skill_part part;
    const struct skill_group *group; // NULL: one by weight
};

/* *task is cleared first (zeroed before its first use) and keeps its memory for the next one;
 * `arena` is reset and used for small texts. JL_ERR_MEMORY; JL_ERR_LIMIT: a group has no content
 * for this part. */
enum jl_status skill_make(const struct skill *skill, const void *tables,
                          const struct skill_order *order, struct arena *arena,
                          struct skill_task *task, struct jl_error *err);

/* The table's rows, one file each. */
extern const struct skill skill_countdown, skill_sums, skill_calendar, skill_units,
    skill_order_things, skill_logic, skill_story, skill_talk;
extern const struct skill skill_verse, skill_verse_plan, skill_idiom, skill_hanzi,
    skill_text_reading;

#endif
