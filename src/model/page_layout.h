/* Which bytes of a cache page belong to which positions. */
#ifndef JL_MODEL_PAGE_LAYOUT_H
#define JL_MODEL_PAGE_LAYOUT_H

#include "model/model.h"

/* Zeroes, in a page's bytes, what the layers hold past the first n positions, and what the
 * prediction layers hold past the first n_ahead. */
void page_layout_clear(const struct model *model, uint8_t *page, int n, int n_ahead);

#endif
