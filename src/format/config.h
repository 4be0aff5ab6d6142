/* JSON configuration files (config.json, generation_config.json) as a meta tree.
 *
 * Objects become META_OBJECT, arrays META_ARRAY, numbers META_INT when written as integers and
 * META_FLOAT otherwise. */
#ifndef JL_FORMAT_CONFIG_H
#define JL_FORMAT_CONFIG_H

#include "base/arena.h"
#include "base/status.h"
#include "format/meta.h"

#define CONFIG_MAX_BYTES ((size_t)8 << 20)
#define CONFIG_MAX_DEPTH 64 // objects and arrays inside each other

/* The tree and its strings live in `arena`; `text` may go. */
enum jl_status config_parse(const char *text, size_t size, const char *file, struct arena *arena,
                            struct meta **out, struct jl_error *err);
enum jl_status config_read(const char *path, struct arena *arena, struct meta **out,
                           struct jl_error *err);

#endif
