/* Where a model and its chat template meet: GGUF metadata, or the files of a Hugging Face folder
 * (weights are not needed). */
#ifndef JL_SESSION_OPEN_TEMPLATE_H
#define JL_SESSION_OPEN_TEMPLATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct model_template {
    char *source; // len bytes
    size_t len;
    char *name;     // where it came from, for messages
    json_t *tokens; // object: bos_token, eos_token... as strings, those that the model names
    bool from_file; // a file with nothing but a template
};

/* `path`: a template (a file that is no GGUF), a GGUF file or a folder. `name`: which of the
 * model's templates, NULL: with `tools` the one called tool_use if there is one, else the default.
 */
enum jl_status open_template(const char *path, const char *name, bool tools,
                             struct model_template *out, struct jl_error *err);
void open_template_free(struct model_template *tmpl); // zeroed is fine

/* Adds what every call of a model's template defines and `variables` does not: the token strings,
 * tools and documents as null, add_generation_prompt as false. A template that is a file by itself
 * gets its variables as they are. */
enum jl_status open_template_variables(const struct model_template *tmpl, json_t *variables,
                                       struct jl_error *err);

#endif
