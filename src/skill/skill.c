#include "skill/skill.h"

#include <string.h>

#include <xxhash.h>

#include "skill/hand.h"

static const struct skill *const skills[] = {
    &skill_countdown,    &skill_sums,  &skill_calendar, &skill_units,
    &skill_order_things, &skill_logic, &skill_story,    &skill_verse,
    &skill_verse_plan,   &skill_idiom, &skill_hanzi,    &skill_text_reading,
    &skill_talk,
};

const struct skill *skill_at(size_t index) {
    return index < sizeof skills / sizeof skills[0] ? skills[index] : NULL;
}

const struct skill *skill_find(const char *name) {
    for (size_t i = 0; skill_at(i); i++)
        if (!strcmp(skills[i]->name, name)) return skills[i];
    return NULL;
}

const struct skill_group *skill_find_group(const struct skill *skill, const char *name) {
    for (const struct skill_group *group = skill->groups; group->name; group++)
        if (!strcmp(group->name, name)) return group;
    return NULL;
}

static const struct skill_group *draw_group(const struct skill *skill, struct skill_draw *draw) {
    const struct skill_group *group;
    int all = 0;
    for (group = skill->groups; group->name; group++)
        all += group->weight;
    int at = skill_below(draw, all);
    for (group = skill->groups; at >= group->weight; group++)
        at -= group->weight;
    return group;
}

enum jl_status skill_make(const struct skill *skill, const void *tables,
                          const struct skill_order *order, struct arena *arena,
                          struct skill_task *task, struct jl_error *err) {
    struct skill_draw draw = {.part = order->part, .tables = tables, .arena = arena};
    draw.key = (struct rng_key){
        .seed = order->seed,
        .sequence = (uint32_t)XXH64(skill->name, strlen(skill->name), (uint64_t)order->part),
        .position = order->number,
        .purpose = RNG_SKILL,
    };
    arena_reset(arena);
    skill_task_clear(task);
    const struct skill_group *group = draw_group(skill, &draw); // drawn in any case
    if (order->group) group = order->group;
    draw.key.sequence = (uint32_t)XXH64(group->name, strlen(group->name), draw.key.sequence);
    draw.block = 0;
    draw.n_word = 0;
    draw.tongue = task->tongue = skill_chance(&draw, 50) ? SKILL_ZH : SKILL_EN;
    task->group = group->name;
    group->make(&draw, task);
    for (int i = 0; i < task->n_turn; i++)
        skill_hand(&draw, &task->turns[i].user);
    if (draw.no_memory || !skill_task_complete(task))
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for a task of %s/%s", skill->name,
                       group->name);
    if (draw.no_content)
        return jl_fail(err, JL_ERR_LIMIT, "%s/%s finds no content for the %s part", skill->name,
                       group->name, order->part == SKILL_HELD ? "held-out" : "training");
    return JL_OK;
}
