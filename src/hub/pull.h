/* Pulling: what a hub has, what is here, and the difference made good. */
#ifndef JL_HUB_PULL_H
#define JL_HUB_PULL_H

#include "hub/line.h"
#include "hub/store.h"

struct hub_pull {
    const struct hub_name *name;
    const char *shown;    // as the user wrote it
    const char *home;     // the folder of models
    const char *endpoint; // "https://host[/path]"; of name->url: not used
    const char *token;    // NULL: none
    bool verify;          // hash what is there again
};

struct hub_pulled {
    struct hub_model model; // as it is on disk now
    size_t n_fetched;       // files that were downloaded
    int64_t bytes_fetched;  // of those files
};

/* Leaves a complete model, or what came so far for the next time; a model that was complete before
 * stays as it was until the new one is complete. */
enum jl_status hub_pull(struct hub_line *line, const struct hub_pull *what, struct arena *arena,
                        struct hub_pulled *out, struct jl_error *err);

#endif
