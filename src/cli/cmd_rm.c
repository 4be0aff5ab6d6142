/* rm: a pulled model goes, and nothing else. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/hub.h"

/* Only "y" or "yes" is a yes. */
static bool agreed(const char *label, const struct hub_model *model) {
    char answer[16] = "";
    fprintf(stderr, "remove %s, %zu files, %.2f GB, from %s? [y/N] ", label, model->n,
            (double)hub_model_bytes(model) / 1e9, model->folder);
    if (!fgets(answer, sizeof answer, stdin)) return false;
    answer[strcspn(answer, "\n")] = 0;
    return !strcasecmp(answer, "y") || !strcasecmp(answer, "yes");
}

static enum jl_status rm(const char *text, bool yes, struct arena *arena, struct jl_error *err) {
    const struct hub_model *model;
    struct hub_models models;
    struct hub_name name;
    const char *home;
    bool left;
    JL_TRY(cli_hub_name(text, arena, &name, err));
    JL_TRY(cli_hub_home(arena, &home, err));
    JL_TRY(cli_hub_models(arena, &models, err));
    JL_TRY(hub_store_find(&models, &name, text, &model, err));
    if (!model)
        return jl_fail(err, JL_ERR_USAGE,
                       "no pulled model is called '%s'; `jinlin list` shows them", text);
    const char *label = hub_model_label(model, arena);
    if (!label) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a name");
    if (!yes && !isatty(STDIN_FILENO))
        return jl_fail(err, JL_ERR_USAGE, "say --yes to remove %s: there is nobody to ask here",
                       label);
    if (!yes && !agreed(label, model)) return jl_fail(err, JL_ERR_CANCELLED, "%s stays", label);
    JL_TRY(hub_store_remove(home, model, &left, err));
    printf("removed %s (%.2f GB)\n", label, (double)hub_model_bytes(model) / 1e9);
    if (left)
        fprintf(stderr, "jinlin rm: other files are in %s: they stay, and so does the folder\n",
                model->folder);
    return JL_OK;
}

int cmd_rm(int argc, char **argv) {
    bool yes = false, done;
    const char *name = NULL;
    struct arena arena = {.block_size = 16384};
    const struct cli_option options[] = {
        {"--yes", "-y", CLI_FLAG, &yes, NULL, "do not ask", 0, 0},
    };
    const struct cli_spec spec = {.name = "rm",
                                  .arguments = "NAME [--yes]",
                                  .summary = "remove a pulled model",
                                  .example = "jinlin rm Qwen/Qwen3-0.6B",
                                  .options = options,
                                  .n_option = 1,
                                  .min_args = 1,
                                  .max_args = 1};
    struct jl_error err = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, &name, &done, &err);
    if (done) return 0;
    if (status == JL_OK) status = rm(name, yes, &arena, &err);
    arena_free(&arena);
    return cli_finish(&spec, status, &err);
}
