/* What people call a model:
 *
 *   ORG/REPO  hf:ORG/REPO  ms:ORG/REPO      a repository of Hugging Face or of ModelScope
 *   ...@REVISION                            a branch, a tag or a commit of it
 *   ...:Q4_K_M  ...:FILE.gguf               one GGUF model out of it
 *   https://.../FILE.gguf                   one file anywhere
 *
 * Addresses of the hubs' own pages and files become the first kind. */
#ifndef JL_HUB_NAME_H
#define JL_HUB_NAME_H

#include "hub/url.h"

enum hub_source { HUB_HF, HUB_MS, HUB_URL };

struct hub_name {
    enum hub_source source;
    bool source_given;    // by a prefix or an address
    const char *repo;     // "ORG/REPO"; NULL for HUB_URL
    const char *revision; // NULL: the hub's default
    const char *pick;     // "Q4_K_M" or a file's path in the repository; NULL: not asked for
    const char *endpoint; // of an address of a hub: "https://host"; NULL: the usual one
    const char *url;      // of HUB_URL: as given
};

/* `hf_endpoint` and `ms_endpoint` are further addresses by which the hubs go (may be NULL). */
enum jl_status hub_name_parse(const char *text, const char *hf_endpoint, const char *ms_endpoint,
                              struct arena *arena, struct hub_name *out, struct jl_error *err);

const char *hub_source_name(enum hub_source source); // "hf", "ms", "url"

/* Is this a path in a repository that may be shown, asked for and, by its last part, be a file's
 * name here? No absolute path, no "..", no backslash, no control character, well-formed UTF-8. */
bool hub_path_ok(const char *path);
const char *hub_path_base(const char *path); // its last part

#endif
