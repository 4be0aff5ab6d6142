/* Where models come from and where they lie, by the environment. */
#ifndef JL_CLI_HUB_H
#define JL_CLI_HUB_H

#include "hub/store.h"

/* The folder of pulled models. */
enum jl_status cli_hub_home(struct arena *arena, const char **out, struct jl_error *err);

/* A name as the user wrote it, by the hubs' usual addresses and those of the environment. */
enum jl_status cli_hub_name(const char *text, struct arena *arena, struct hub_name *out,
                            struct jl_error *err);

/* All pulled models; complaints go to stderr. */
enum jl_status cli_hub_models(struct arena *arena, struct hub_models *out, struct jl_error *err);

#endif
