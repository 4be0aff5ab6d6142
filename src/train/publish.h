/* From a learner to files that others load. */
#ifndef JL_TRAIN_PUBLISH_H
#define JL_TRAIN_PUBLISH_H

#include "base/pool.h"
#include "train/learner.h"

/* The learner's model as a Hugging Face folder, in the place of an earlier one. What was written is
 * loaded again and must give the learner's logits bit for bit, before the earlier one goes. */
enum jl_status publish_folder(const struct learner *learner, struct backend *backend,
                              struct pool *pool, const char *path, struct jl_error *err);

/* Whether two models of one numeric class give the same logits for some tokens: JL_OK, or
 * JL_ERR_FORMAT, which says where they part. */
enum jl_status publish_compare(const struct model *a, const struct model *b,
                               struct backend *backend, struct jl_error *err);

#endif
