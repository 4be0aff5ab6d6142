/* The files of a repository, as the hubs' JSON says: hostile text to checked names, sizes, hashes.
 *
 * Formats: Hugging Face /api/models/REPO/revision/REV ("sha") and /api/models/REPO/tree/REV (a list
 * of {type, path, size, oid, lfs: {oid, size}}); ModelScope /api/v1/models/REPO/repo/files
 * ({Success, Message, Data: {Files: [{Path, Type, Size, Sha256, Revision}], LatestCommitter}}). */
#ifndef JL_HUB_LISTING_H
#define JL_HUB_LISTING_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "hub/digest.h"

struct hub_file {
    const char *path; // in the repository; hub_path_ok
    int64_t size;     // bytes, not negative
    struct hub_hash hash;
    const char *revision; // the commit to ask for it by; NULL: the listing's
};

struct hub_listing {
    struct hub_file *files; // in the order of the answer
    size_t n, cap;
    const char *commit; // 40 hex digits; NULL: not said
};

/* The answers' texts; `where` names the address in errors. Files are appended: Hugging Face sends
 * its list in pages. Everything lives in the arena. A name that leaves the folder, a size that is
 * none and a name that comes twice are errors. */
enum jl_status hub_listing_hf_revision(const char *text, size_t size, const char *where,
                                       struct arena *arena, struct hub_listing *out,
                                       struct jl_error *err);
enum jl_status hub_listing_hf_tree(const char *text, size_t size, const char *where,
                                   struct arena *arena, struct hub_listing *out,
                                   struct jl_error *err);
enum jl_status hub_listing_ms(const char *text, size_t size, const char *where, struct arena *arena,
                              struct hub_listing *out, struct jl_error *err);

/* Sorts by path; a path that is there twice is an error. */
enum jl_status hub_listing_finish(struct hub_listing *listing, const char *where,
                                  struct jl_error *err);

/* The address in a header `Link: <...>; rel="next"`, as path and query; NULL: no next page. */
const char *hub_link_next(const char *header, struct arena *arena);

#endif
