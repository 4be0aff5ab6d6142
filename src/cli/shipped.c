#include "cli/shipped.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for a path");
}

static const char *in_arena(struct arena *arena, const char *folder, const char *name) {
    char *path = file_path_in(folder, name);
    const char *kept = path ? arena_strdup(arena, path) : NULL;
    free(path);
    return kept;
}

/* ---- the model that ships ---- */

/* The folder that the program lies in; false: the system does not tell. */
static bool program_folder(char out[PATH_MAX]) {
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    if (n <= 0) return false;
    out[n] = 0;
    char *slash = strrchr(out, '/');
    if (!slash) return false;
    *slash = 0;
    return true;
}

enum jl_status shipped_model(struct arena *arena, const char **folder, struct jl_error *err) {
    // build/src/cli of a source tree, then what `meson install` makes
    static const char *const places[] = {"../../../models/fry", "../share/jinlin/fry"};
    char program[PATH_MAX], whole[PATH_MAX];
    if (!program_folder(program))
        return jl_fail(err, JL_ERR_IO, "where the program lies is not known: name a MODEL");
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const char *path = in_arena(arena, program, places[i]), *file;
        if (!path) return no_memory(err);
        if (!realpath(path, whole)) continue;
        JL_TRY(shipped_lone_gguf(whole, arena, &file, err));
        if (!file) continue;
        *folder = arena_strdup(arena, whole);
        return *folder ? JL_OK : no_memory(err);
    }
    return jl_fail(err, JL_ERR_IO,
                   "the model that ships is not beside the program (%s/%s or %s): name a MODEL",
                   program, places[0], places[1]);
}

bool shipped_is(const char *path) {
    struct arena arena = {.block_size = 4096};
    const char *folder, *file;
    char whole[PATH_MAX];
    bool same = shipped_model(&arena, &folder, NULL) == JL_OK &&
                shipped_lone_gguf(folder, &arena, &file, NULL) == JL_OK && file &&
                realpath(path, whole) && !strcmp(whole, file);
    arena_free(&arena);
    return same;
}

/* ---- a folder with one file ---- */

/* Of a model in several files the first one, which stands for all. */
static int is_gguf(const struct dirent *entry) {
    const char *name = entry->d_name;
    size_t n = strlen(name);
    unsigned part, parts;
    int read = 0;
    if (name[0] == '.' || n <= 5 || strcmp(name + n - 5, ".gguf") != 0) return 0;
    return n <= 20 || sscanf(name + n - 20, "-%5u-of-%5u.gguf%n", &part, &parts, &read) != 2 ||
           read != 20 || part == 1;
}

static bool is_model_folder(const char *folder, struct arena *arena) {
    const char *config = in_arena(arena, folder, "config.json");
    return config && file_exists(config);
}

enum jl_status shipped_lone_gguf(const char *folder, struct arena *arena, const char **file,
                                 struct jl_error *err) {
    struct dirent **entries = NULL;
    enum jl_status status = JL_OK;
    *file = NULL;
    if (!file_is_dir(folder) || is_model_folder(folder, arena)) return JL_OK;
    int n = scandir(folder, &entries, is_gguf, alphasort);
    if (n > 1)
        status = jl_fail(err, JL_ERR_USAGE, "%s has %d GGUF files, %s and %s among them: name one",
                         folder, n, entries[0]->d_name, entries[1]->d_name);
    if (n == 1) {
        *file = in_arena(arena, folder, entries[0]->d_name);
        if (!*file) status = no_memory(err);
    }
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
    return status;
}
