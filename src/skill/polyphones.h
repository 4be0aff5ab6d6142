/* Characters with two or more readings in use, of which the table of readings has one. */
#ifndef JL_SKILL_POLYPHONES_H
#define JL_SKILL_POLYPHONES_H

#include <stdbool.h>
#include <stdint.h>

bool polyphones_have(uint32_t code);

#endif
