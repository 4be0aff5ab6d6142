/* Pulled models on disk.
 *
 *   HOME/hf/ORG/REPO/            a folder model: its files, jinlin.json, .lock, parts of downloads
 *   HOME/hf/ORG/REPO+FILE/       one GGUF model of a repository (FILE without ".gguf" and part)
 *   HOME/ms/..., HOME/url/HOST/FILE/
 *
 * jinlin.json, the manifest, says where the files came from and what they must be. */
#ifndef JL_HUB_STORE_H
#define JL_HUB_STORE_H

#include "hub/digest.h"
#include "hub/name.h"

#define HUB_MANIFEST "jinlin.json"
#define HUB_NEW ".new" // a changed file, whole, until all of its model are

struct hub_stored_file {
    const char *path; // in the repository
    const char *file; // in the folder: no '/'
    int64_t size;
    struct hub_hash hash;
};

struct hub_model {
    struct hub_name name; // repo, revision as asked for, pick as a path; url
    const char *commit;   // "" when the hub names none
    const char *type;     // "Q4_K_M", "bfloat16"; "" unknown
    const char *date;     // of the last change, "2026-11-26T10:00:00Z"
    bool complete;        // as written: all files were there and right
    bool checked;         // as written: those that are there are right
    struct hub_stored_file *files;
    size_t n;
    const char *folder; // not in the manifest: where it was found
};

/* The models' folder: `jinlin_home`, else XDG's data folder, else below `home`. NULL: none known.
 */
const char *hub_store_home(const char *jinlin_home, const char *xdg_data_home, const char *home,
                           struct arena *arena);

/* The folder of a model; for a GGUF model `name->pick` is the path of its (first) file. */
enum jl_status hub_store_folder(const char *home, const struct hub_name *name, struct arena *arena,
                                const char **out, struct jl_error *err);

/* Makes the folder and opens it (*dir, the caller closes): below `home` no symbolic link is
 * followed. Then takes its lock (*lock, likewise), or fails when another process has it. */
enum jl_status hub_store_open(const char *home, const char *folder, const char *shown, int *dir,
                              int *lock, struct jl_error *err);

/* Closes both; a folder that holds nothing but its lock goes, with parents that are empty then. */
void hub_store_close(const char *home, const char *folder, int dir, int lock);

/* *found is false where there is no manifest. Strings live in the arena. */
enum jl_status hub_manifest_read(const char *folder, struct arena *arena, struct hub_model *out,
                                 bool *found, struct jl_error *err);
enum jl_status hub_manifest_parse(const char *text, size_t size, const char *path,
                                  struct arena *arena, struct hub_model *out, struct jl_error *err);
enum jl_status hub_manifest_write(const struct hub_model *model, const char *folder,
                                  struct jl_error *err);

/* All models below `home`, by name; an unreadable manifest is told and left out. */
struct hub_models {
    struct hub_model *items;
    size_t n, cap;
};
enum jl_status hub_store_list(const char *home, struct arena *arena, struct hub_models *out,
                              void (*tell)(const char *line), struct jl_error *err);

/* The one model among them that `name` means, NULL for none; several are an error. */
enum jl_status hub_store_find(const struct hub_models *models, const struct hub_name *name,
                              const char *shown, const struct hub_model **out,
                              struct jl_error *err);

/* By which it can be asked for: "hf:" is left out. NULL without memory. */
const char *hub_model_label(const struct hub_model *model, struct arena *arena);
/* What the other commands take as MODEL: the folder, or its (first) GGUF file. */
const char *hub_model_path(const struct hub_model *model, struct arena *arena);
int64_t hub_model_bytes(const struct hub_model *model);
/* Bytes that are there, parts included; *whole: every file is there in its size. */
int64_t hub_model_present(const struct hub_model *model, bool *whole);

/* Removes the files that the manifest names, parts of them, the manifest, and the folder with its
 * parents as far as they are empty. *left: something else stays in the folder. */
enum jl_status hub_store_remove(const char *home, const struct hub_model *model, bool *left,
                                struct jl_error *err);

#endif
