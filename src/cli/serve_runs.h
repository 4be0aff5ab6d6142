/* The page's addresses of this user's trainings, below /api/runs. docs/page.md has the table. */
#ifndef JL_CLI_SERVE_RUNS_H
#define JL_CLI_SERVE_RUNS_H

#include "serve/serving.h"

#define SERVE_RUNS_ROUTES 2
/* Rows for http_server_options, which ask `workers`: it must stay. Returns how many. */
size_t serve_runs_routes(struct workers *workers, struct http_route out[SERVE_RUNS_ROUTES]);

#endif
