/* The page at "/", from the program itself. */
#ifndef JL_SERVE_PAGE_H
#define JL_SERVE_PAGE_H

#include "serve/http/server.h"

#define PAGE_MOST_ROUTES 4
/* Rows for http_server_options. They need no key: the page asks for it. Returns how many. */
size_t page_routes(struct http_route out[PAGE_MOST_ROUTES]);

#endif
