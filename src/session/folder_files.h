/* The files of a model folder besides its weights. */
#ifndef JL_SESSION_FOLDER_FILES_H
#define JL_SESSION_FOLDER_FILES_H

#include <jansson.h>

#include "base/status.h"

/* The files of a tokenizer and of chat templates (additional_chat_templates/ too), byte by byte, and
 * with `generation` generation_config.json: those of them that `from` has. */
enum jl_status folder_files_copy(const char *from, const char *to, bool generation,
                                 struct jl_error *err);
/* `folder`/`name`, as folders are usually written: two spaces a level, numbers as they were. */
enum jl_status folder_files_json(const char *folder, const char *name, const json_t *json,
                                 struct jl_error *err);
enum jl_status folder_files_put(const char *folder, const char *name, const void *bytes,
                                size_t size, struct jl_error *err);

#endif
