#include "skill/idiom_draw.h"

const struct idioms *idiom_book(const struct skill_draw *draw) {
    return &((const struct skill_tables *)draw->tables)->idioms;
}

const char *idiom_text(const struct skill_draw *draw, int idiom) {
    return idiom_book(draw)->idioms[idiom].text;
}

void idiom_tongue(struct skill_draw *draw, struct skill_task *task) {
    if (draw->tongue == SKILL_EN && skill_chance(draw, 60)) draw->tongue = task->tongue = SKILL_ZH;
}

bool idiom_takes(struct skill_draw *draw, int idiom) {
    return skill_takes(draw, IDIOM_HELD, "idiom %s", idiom_text(draw, idiom));
}

int idiom_lean_below(struct skill_draw *draw, int n) {
    int a = skill_below(draw, n), b = skill_below(draw, n);
    return a < b ? a : b;
}

int idiom_draw(struct skill_draw *draw) {
    int idiom;
    do
        idiom = idiom_lean_below(draw, idiom_book(draw)->n);
    while (!idiom_takes(draw, idiom));
    return idiom;
}

/* Of those that begin with one character, the most frequent stands first in by_char. */
int idiom_draw_first(struct skill_draw *draw) {
    const struct idioms *book = idiom_book(draw);
    const int *list = book->by_char;
    int at;
    do
        at = skill_below(draw, book->n);
    while (at && book->idioms[list[at]].code[0] == book->idioms[list[at - 1]].code[0]);
    return list[at];
}
