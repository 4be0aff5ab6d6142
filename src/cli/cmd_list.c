/* list: the pulled models. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/hub.h"

static const char *state_of(const struct hub_model *model, int64_t *present) {
    bool whole;
    *present = hub_model_present(model, &whole);
    return whole && model->complete ? "complete" : "partial";
}

static void print_table(const struct hub_models *models, const char *const *labels) {
    int width = 4;
    for (size_t i = 0; i < models->n; i++)
        if ((int)strlen(labels[i]) > width) width = (int)strlen(labels[i]);
    printf("%-*s  %10s  %5s  %-12s  %-8s  %s\n", width, "NAME", "SIZE", "FILES", "REVISION", "TYPE",
           "STATE");
    for (size_t i = 0; i < models->n; i++) {
        const struct hub_model *model = &models->items[i];
        int64_t present;
        const char *state = state_of(model, &present);
        double size = (double)hub_model_bytes(model);
        char text[32];
        snprintf(text, sizeof text, size < 1e9 ? "%.1f MB" : "%.2f GB",
                 size < 1e9 ? size / 1e6 : size / 1e9);
        printf("%-*s  %10s  %5zu  %-12.12s  %-8s  %s", width, labels[i], text, model->n,
               model->commit[0] ? model->commit : "-", model->type[0] ? model->type : "-", state);
        if (!strcmp(state, "partial") && size > 0)
            printf(" (%.0f %%)", 100 * (double)present / size);
        printf("\n");
    }
}

static json_t *pack(const struct hub_model *model, const char *label, const char *path) {
    int64_t present;
    const char *state = state_of(model, &present);
    json_t *files = json_array();
    for (size_t i = 0; i < model->n; i++)
        json_array_append_new(files, json_string(model->files[i].file));
    return json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s, s:I, s:I, s:s, s:s, s:o}", "name", label,
                     "source", hub_source_name(model->name.source), "path", path, "revision",
                     model->name.revision, "commit", model->commit, "type", model->type, "bytes",
                     (json_int_t)hub_model_bytes(model), "bytes_present", (json_int_t)present,
                     "state", state, "date", model->date, "files", files);
}

static enum jl_status print_json(const struct hub_models *models, const char *const *labels,
                                 struct arena *arena, struct jl_error *err) {
    json_t *list = json_array();
    bool failed = false;
    for (size_t i = 0; i < models->n; i++) {
        const char *path = hub_model_path(&models->items[i], arena);
        json_t *one = path ? pack(&models->items[i], labels[i], path) : NULL;
        failed = failed || json_array_append_new(list, one);
    }
    failed = failed || json_dumpf(list, stdout, JSON_INDENT(2)) || printf("\n") < 0;
    json_decref(list);
    return failed ? jl_fail(err, JL_ERR_IO, "cannot print the list") : JL_OK;
}

static enum jl_status list(bool json, struct arena *arena, struct jl_error *err) {
    struct hub_models models;
    const char *home;
    JL_TRY(cli_hub_home(arena, &home, err));
    JL_TRY(cli_hub_models(arena, &models, err));
    const char **labels = arena_calloc(arena, models.n + 1, sizeof *labels);
    for (size_t i = 0; labels && i < models.n; i++)
        if (!(labels[i] = hub_model_label(&models.items[i], arena))) labels = NULL;
    if (!labels) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a list");
    if (json) return print_json(&models, labels, arena, err);
    if (models.n == 0)
        fprintf(stderr, "no models in %s yet; try: jinlin pull Qwen/Qwen3-0.6B\n", home);
    else
        print_table(&models, labels);
    return JL_OK;
}

int cmd_list(int argc, char **argv) {
    bool json = false, done;
    struct arena arena = {.block_size = 16384};
    const struct cli_option options[] = {
        {"--json", NULL, CLI_FLAG, &json, NULL, "for programs: a list of objects", 0, 0},
    };
    const struct cli_spec spec = {.name = "list",
                                  .arguments = "[--json]",
                                  .summary = "the models that were pulled",
                                  .example = "jinlin list",
                                  .options = options,
                                  .n_option = 1};
    struct jl_error err = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, NULL, &done, &err);
    if (done) return 0;
    if (status == JL_OK) status = list(json, &arena, &err);
    arena_free(&arena);
    return cli_finish(&spec, status, &err);
}
