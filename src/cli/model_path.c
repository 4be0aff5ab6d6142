/* Names of pulled models, folders of one file, and no name at all, in place of paths. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/hub.h"
#include "cli/shipped.h"

#define MODELS_AT_ONCE 4 // of one command line

enum jl_status cli_hub_home(struct arena *arena, const char **out, struct jl_error *err) {
    *out =
        hub_store_home(env_get(ENV_MODELS), env_get(ENV_XDG_DATA), env_get(ENV_USER_HOME), arena);
    if (*out) return JL_OK;
    return jl_fail(err, JL_ERR_USAGE,
                   "no folder for models is known: set JINLIN_HOME (HOME is not set either)");
}

enum jl_status cli_hub_name(const char *text, struct arena *arena, struct hub_name *out,
                            struct jl_error *err) {
    return hub_name_parse(text, env_get(ENV_HF_ENDPOINT), env_get(ENV_MS_ENDPOINT), arena, out,
                          err);
}

static void tell(const char *line) { fprintf(stderr, "jinlin: %s\n", line); }

enum jl_status cli_hub_models(struct arena *arena, struct hub_models *out, struct jl_error *err) {
    const char *home;
    JL_TRY(cli_hub_home(arena, &home, err));
    return hub_store_list(home, arena, out, tell, err);
}

/* ORG/REPO with nothing that makes it look like a path to a file. */
static bool is_name_only(const char *text) {
    const char *slash = strchr(text, '/');
    size_t len = strlen(text);
    if (strstr(text, "://") || !strncmp(text, "hf:", 3) || !strncmp(text, "ms:", 3)) return true;
    if (text[0] == '.' || !slash || slash == text || strchr(slash + 1, '/')) return false;
    if (strpbrk(slash, "@:")) return true;
    return len < 6 || (strcmp(text + len - 5, ".gguf") && strcmp(text + len - 5, ".json") &&
                       strcmp(text + len - 5, ".jinja"));
}

/* *path: in the arena, NULL when no pulled model has this name. */
static enum jl_status find(const char *text, struct arena *arena, const char **path,
                           struct jl_error *err) {
    const struct hub_model *model;
    struct hub_models models;
    struct hub_name name;
    bool whole;
    *path = NULL;
    if (cli_hub_name(text, arena, &name, NULL) != JL_OK) return JL_OK;
    if (cli_hub_models(arena, &models, NULL) != JL_OK) return JL_OK;
    JL_TRY(hub_store_find(&models, &name, text, &model, err));
    if (!model) return JL_OK;
    hub_model_present(model, &whole);
    if (!model->complete || !whole)
        return jl_fail(err, JL_ERR_IO, "%s is not complete; go on with: jinlin pull %s", text,
                       text);
    *path = hub_model_path(model, arena);
    return *path ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory for a path");
}

/* *path: NULL where *model is a path already. */
static enum jl_status resolve(const char *model, struct arena *arena, const char **path,
                              struct jl_error *err) {
    const char *folder;
    *path = NULL;
    if (!model) {
        JL_TRY(shipped_model(arena, &folder, err));
        return shipped_lone_gguf(folder, arena, path, err);
    }
    if (file_exists(model)) return shipped_lone_gguf(model, arena, path, err);
    JL_TRY(find(model, arena, path, err));
    if (!*path && is_name_only(model))
        return jl_fail(err, JL_ERR_IO,
                       "%s is neither a file nor a pulled model; to get it: jinlin pull %s", model,
                       model);
    return JL_OK;
}

enum jl_status cli_model_path(const char **model, struct jl_error *err) {
    static char kept[MODELS_AT_ONCE][PATH_MAX];
    static int calls;
    char *found = kept[calls++ % MODELS_AT_ONCE];
    struct arena arena = {.block_size = 4096};
    const char *path;
    enum jl_status status = resolve(*model, &arena, &path, err);
    if (status == JL_OK && path) {
        int len = snprintf(found, PATH_MAX, "%s", path);
        if (len < PATH_MAX)
            *model = found;
        else
            status = jl_fail(err, JL_ERR_LIMIT, "the path of a model is too long: %s", path);
    }
    arena_free(&arena);
    return status;
}
