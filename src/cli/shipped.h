/* The model that ships with the program, and what lies beside a model. */
#ifndef JL_CLI_SHIPPED_H
#define JL_CLI_SHIPPED_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/status.h"

/* The folder of the model that ships: `models/fry` of the source tree that the program was built
 * in, or `share/jinlin/fry` beside an installed one's bin. In the arena. JL_ERR_IO: there is none;
 * the message says where it was looked for. */
enum jl_status shipped_model(struct arena *arena, const char **folder, struct jl_error *err);

/* Whether the model that ships is meant by this path, which cli_model_path gave. */
bool shipped_is(const char *path);

/* A folder that is no model of many files, but has GGUF files: *file is the only one of them, in
 * the arena; several are an error that names two. NULL: another folder, or no folder. */
enum jl_status shipped_lone_gguf(const char *folder, struct arena *arena, const char **file,
                                 struct jl_error *err);

#endif
