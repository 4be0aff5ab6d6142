/* train: a recipe, carried out. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/train_screen.h"

/* "models/fry/recipe" is carried out in "models/fry/recipe.run". */
static char *folder_of(const char *recipe) {
    size_t n = strlen(recipe);
    char *out = malloc(n + 5);
    if (out) memcpy(out, recipe, n), memcpy(out + n, ".run", 5);
    return out;
}

int cmd_train(int argc, char **argv) {
    struct train_screen_options run = {0};
    const char *path, *folder = NULL;
    bool done;
    const struct cli_option options[] = {
        {"--output", "-o", CLI_TEXT, &folder, "FOLDER",
         "where it is carried out: checkpoints, then a model a stage (default: RECIPE.run)", 0, 0},
        {"--steps", NULL, CLI_INT, &run.stop_after, "N",
         "stop after so many steps of this call; the same command goes on", 1, 1 << 30},
        {"--from", NULL, CLI_TEXT, &run.from, "STAGE",
         "begin with this stage of the recipe (it has `restart = weights`), with --weights", 0, 0},
        {"--weights", NULL, CLI_TEXT, &run.weights, "FOLDER",
         "beside --from: the model that the stage before left, wherever that was", 0, 0},
        {"--threads", "-t", CLI_INT, &run.threads, "N", "threads (default: physical cores)", 1,
         256},
        {"--quiet", "-q", CLI_FLAG, &run.quiet, NULL, "say only what has been written", 0, 0},
    };
    const struct cli_spec spec = {"train",
                                  "RECIPE",
                                  "train a model as a recipe says, or go on where it was left",
                                  "jinlin train examples/train/recipe",
                                  options,
                                  sizeof options / sizeof options[0],
                                  1,
                                  1};
    struct jl_error err = {0};
    struct recipe recipe = {0};
    char *own = NULL;
    enum jl_status status = cli_parse(&spec, argc, argv, &path, &done, &err);
    if (done) return 0;
    if (status == JL_OK && !run.from != !run.weights)
        status = jl_fail(&err, JL_ERR_USAGE, "--from STAGE and --weights FOLDER go together");
    if (status == JL_OK) status = recipe_read(path, &recipe, &err);
    if (status == JL_OK && !folder) {
        folder = own = folder_of(path);
        if (!own) status = jl_fail(&err, JL_ERR_MEMORY, "out of memory");
    }
    run.folder = folder;
    if (status == JL_OK) status = train_screen_run(&recipe, &run, &err);
    recipe_free(&recipe);
    free(own);
    return cli_finish(&spec, status, &err);
}
