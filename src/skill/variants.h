/* Variants of characters that old texts have and no reader of today writes: 隠 for 隐. */
#ifndef JL_SKILL_VARIANTS_H
#define JL_SKILL_VARIANTS_H

#include <stddef.h>
#include <stdint.h>

struct variants {
    uint16_t to[0x10000]; // 0: the character stays
};

void variants_list(struct variants *out); // zeroed before
/* In place: a variant and its character have as many bytes. How many were changed. */
int variants_mend(const struct variants *variants, char *text, size_t len);

#endif
