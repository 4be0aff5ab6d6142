/* The page's files in the program (scripts/embed-page). Without `make web` there are none. */
#ifndef JL_SERVE_PAGE_ASSETS_H
#define JL_SERVE_PAGE_ASSETS_H

#include <stddef.h>

struct page_asset {
    const char *path, *type, *etag; // "/assets/index.js"; the etag has its quotes
    const char *plain;              // (n_plain)
    size_t n_plain;
    const char *packed; // (n_packed), by gzip
    size_t n_packed;
};

extern const struct page_asset page_assets[]; // (page_n_asset)
extern const size_t page_n_asset;

#endif
