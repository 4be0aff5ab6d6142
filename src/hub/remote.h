/* A repository of a hub: where it is asked for, which files it has, and why it says no. */
#ifndef JL_HUB_REMOTE_H
#define JL_HUB_REMOTE_H

#include "hub/line.h"
#include "hub/listing.h"
#include "hub/name.h"

#define HUB_HF_ENDPOINT "https://huggingface.co"
#define HUB_MS_ENDPOINT "https://modelscope.cn"

struct hub_remote {
    const struct hub_name *name;
    const char *endpoint; // without a '/' at its end
    const char *token;    // NULL: none
    const char *revision; // as asked for, or the hub's default
    const char *commit;   // what it was when the list was read; else as `revision`
};

/* Fills remote->commit and the list, complete and finished. */
enum jl_status hub_remote_list(struct hub_line *line, struct hub_remote *remote,
                               struct arena *arena, struct hub_listing *out, struct jl_error *err);

/* The address of a file's content; NULL without memory. */
const char *hub_remote_url(const struct hub_remote *remote, const struct hub_file *file,
                           struct arena *arena);

/* A small file as text: the caller frees answer->text. */
enum jl_status hub_remote_read(struct hub_line *line, const struct hub_remote *remote,
                               const struct hub_file *file, size_t limit, struct arena *arena,
                               struct hub_answer *out, struct jl_error *err);

/* After a failure: what the hub's refusal (401, 403, 404) means and what to do; other failures stay
 * as they are. `file`: what was asked for, NULL: the list. */
enum jl_status hub_remote_refused(const struct hub_remote *remote, const char *file,
                                  const struct hub_response *response, enum jl_status status,
                                  struct jl_error *err);

#endif
