/* The page's own addresses, below /api: chats and their answers. docs/page.md has the table. */
#ifndef JL_SERVE_CHATS_ROUTES_H
#define JL_SERVE_CHATS_ROUTES_H

#include "serve/chats/live.h"

/* What they work with; must stay. */
struct chats_context {
    struct serving *serving;
    struct store *store;
    struct live *live;
};

#define CHATS_MOST_ROUTES 16
/* Rows for http_server_options, with `context` in each. Returns how many. */
size_t chats_routes(struct chats_context *context, struct http_route out[CHATS_MOST_ROUTES]);

#endif
