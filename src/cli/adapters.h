/* --adapter PATH[@SCALE], for commands that open a model. */
#ifndef JL_CLI_ADAPTERS_H
#define JL_CLI_ADAPTERS_H

#include "cli/cli.h"
#include "model/adapter.h"

#define ADAPTERS_OPTION(list)                                                                      \
    {                                                                                              \
        "--adapter", NULL, CLI_LIST, &(list), "PATH[@SCALE]",                                      \
            "a LoRA adapter (folder or GGUF file) beside the model; may be repeated", 0, 0         \
    }

struct adapters {
    struct adapter_path items[CLI_LIST_MAX];
    char *paths[CLI_LIST_MAX]; // owned
    int n;
};

/* What stands behind the last '@' is the scale where it is a number, unless the whole is the name
 * of something. */
enum jl_status adapters_parse(const struct cli_list *list, struct adapters *out,
                              struct jl_error *err);
void adapters_free(struct adapters *adapters);

/* model_load, with the adapters of the list; none: the model alone. */
enum jl_status adapters_load(const char *path, const struct class_request *request,
                             const struct cli_list *list, struct model **out, struct jl_error *err);
/* The model with its matrices in F32 and the adapters added to them; *dtype: what its matrices are
 * in the file. */
enum jl_status adapters_load_merged(const char *path, const struct cli_list *list,
                                    struct model **out, enum dtype *dtype, struct jl_error *err);

#endif
