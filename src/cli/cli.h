/* The command line: one file a command, options as tables, one way to fail. */
#ifndef JL_CLI_CLI_H
#define JL_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "cli/commands.h"

enum cli_type { CLI_FLAG, CLI_TEXT, CLI_INT, CLI_LIST };

/* What an option gave that may be written several times. */
#define CLI_LIST_MAX 64
struct cli_list {
    const char *items[CLI_LIST_MAX];
    int n;
};

struct cli_option {
    const char *name;  // "--chunk"
    const char *alias; // "-n" or NULL
    enum cli_type type;
    void *value;       // bool *, const char **, int * or struct cli_list *
    const char *label; // "N", for help; NULL for flags
    const char *help;
    int min, max; // of CLI_INT
};

/* A command's face: what `help` prints and what the parser takes. */
struct cli_spec {
    const char *name, *arguments; // "logits", "MODEL --tokens FILE.json -o OUT.f32"
    const char *summary;
    const char *example;
    const struct cli_option *options;
    int n_option;
    int min_args, max_args; // positional
    bool takes_model;       // the first of them is a path or the name of a pulled model;
                            // where min_args is 0 and it is absent, the model that ships
};

struct cli_command {
    const char *name, *summary;
    int (*run)(int argc, char **argv); // argv[0] is the command's name; returns the exit code
};

/* Positional arguments into args (max_args of them, NULL where absent). A model's name has become
 * its path (cli_model_path). `--help` prints the help and sets *done. An option that is no CLI_LIST
 * is written at most once; unknown ones are errors. */
enum jl_status cli_parse(const struct cli_spec *spec, int argc, char **argv, const char **args,
                         bool *done, struct jl_error *err);

/* Prints the error to stderr and returns the exit code. JL_OK: returns 0 and prints nothing. */
int cli_finish(const struct cli_spec *spec, enum jl_status status, const struct jl_error *err);

/* A path that exists stays, but a folder with one GGUF file is that file; the name of a pulled model
 * becomes the path of its folder or GGUF file, NULL that of the model that ships (cli/shipped.h),
 * in memory that lasts for the command; what is none of these stays, or is an error that says how
 * to pull it. */
enum jl_status cli_model_path(const char **model, struct jl_error *err);

/* Ids of one prompt list of a tokens file: a JSON list, or {"prompts": [[...], ...]}. */
struct cli_prompts {
    int32_t **ids;
    int *n_id;
    int n_prompt;
};
enum jl_status cli_read_prompts(const char *path, struct cli_prompts *out, struct jl_error *err);
void cli_free_prompts(struct cli_prompts *prompts);

/* "1,3,2" into a heap list of indices below `limit`. */
enum jl_status cli_read_indices(const char *option, const char *text, int limit, int **out, int *n,
                                struct jl_error *err);

/* A line on stderr that is redrawn for work that takes over a second; nothing in a pipe. */
struct cli_progress {
    double started, drawn;
    bool visible;
};
void cli_progress_start(struct cli_progress *progress);
void cli_progress_step(struct cli_progress *progress, const char *what, int64_t done,
                       int64_t total);
void cli_progress_end(struct cli_progress *progress);

/* As the system calls it. */
#define CLI_CPU_NAME_BYTES 96
void cli_cpu_name(char out[CLI_CPU_NAME_BYTES]);

extern const struct cli_command cli_commands[]; // ends with a NULL name

#endif
