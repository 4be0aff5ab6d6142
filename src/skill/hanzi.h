/* Tables of single characters: readings, and Simplified and Traditional forms. From hanzi/ of the
 * data folder. Never written once they are read. */
#ifndef JL_SKILL_HANZI_H
#define JL_SKILL_HANZI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

#define HANZI_MOST_FORMS 6

struct hanzi_reading {
    uint32_t code;
    const char *pinyin;   // with its tone mark: lǜ
    const char *toneless; // lü
    int sound;            // equal for equal `toneless`: 0 to n_sound - 1
};

/* What a character becomes in the other script; more than one: it depends on the word. */
struct hanzi_forms {
    uint32_t code, form[HANZI_MOST_FORMS];
    int n_form;
};

struct hanzi {
    struct hanzi_reading *readings;                     // (n_reading), by code
    struct hanzi_forms *to_traditional, *to_simplified; // by code
    int n_reading, n_to_traditional, n_to_simplified, n_sound;
};

enum jl_status hanzi_read(const char *folder, struct arena *arena, struct hanzi *out,
                          struct jl_error *err);

/* NULL: not in the table. */
const struct hanzi_reading *hanzi_reading(const struct hanzi *tables, uint32_t code);
int hanzi_sound(const struct hanzi *tables, uint32_t code); // -1: unknown

/* The only form that the character has in the other script, itself where the table has no other;
 * 0: there are several. */
uint32_t hanzi_traditional(const struct hanzi *tables, uint32_t code);
uint32_t hanzi_simplified(const struct hanzi *tables, uint32_t code);

#endif
