/* Inside init: the configuration, read closed-world. */
#ifndef JL_MODEL_INIT_CONFIG_H
#define JL_MODEL_INIT_CONFIG_H

#include "model/init.h"

/* Family and hyper-parameters of options->config; *std: what matrices get. */
enum jl_status init_config_read(const struct init_options *options, struct init_plan *plan,
                                double *std, struct jl_error *err);
/* plan->config. */
enum jl_status init_config_write(const struct init_options *options, double std,
                                 struct init_plan *plan, struct jl_error *err);

#endif
