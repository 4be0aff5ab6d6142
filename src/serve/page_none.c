/* Built without the page. */
#include "serve/page_assets.h"

const struct page_asset page_assets[1] = {{0}};
const size_t page_n_asset = 0;
