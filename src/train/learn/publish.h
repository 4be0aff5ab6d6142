/* From a learner to files that others load. */
#ifndef JL_TRAIN_LEARN_PUBLISH_H
#define JL_TRAIN_LEARN_PUBLISH_H

#include <jansson.h>

#include "base/pool.h"
#include "train/learn/learner.h"

/* The learner's model as a Hugging Face folder, in the place of an earlier one. What was written is
 * loaded again and must give the learner's logits bit for bit, before the earlier one goes. What
 * `sampling` has (NULL: nothing) goes into generation_config.json before what the model had. */
enum jl_status publish_folder(const struct learner *learner, const json_t *sampling,
                              struct backend *backend, struct pool *pool, const char *path,
                              struct jl_error *err);

/* What a learner of an adapter has learned, as a PEFT folder and as a GGUF file beside it
 * (`path`.gguf), in the place of earlier ones. Put on the base again, the folder's adapter must
 * give the learner's logits bit for bit. */
enum jl_status publish_adapter(const struct learner *learner, const char *base,
                               struct backend *backend, const char *path, struct jl_error *err);
/* The base with the learner's adapter in its weights (model/adapter.h), of `dtype`, as a folder. */
enum jl_status publish_merged(const struct learner *learner, const char *base, enum dtype dtype,
                              struct pool *pool, const char *path, struct jl_error *err);

/* The model in `folder` as a GGUF file with the types of a preset ("bf16", "q8_0"), in the place of
 * an earlier one. What was written is loaded again: *divergence is the mean KL divergence in nats
 * of its logits from the folder's, over some tokens; it must be finite, and of a file that keeps
 * the weights' types next to nothing. */
enum jl_status publish_gguf(const char *folder, const char *preset, const char *path,
                            struct backend *backend, struct pool *pool, double *divergence,
                            struct jl_error *err);

/* ---- parts ---- */

/* `write` makes the folder `path`.new and looks at it; then it takes the place of an earlier one.
 */
typedef enum jl_status publish_write_fn(void *ctx, const char *path, struct jl_error *err);
enum jl_status publish_into(const char *path, publish_write_fn *write, void *ctx,
                            struct jl_error *err);
struct class_request publish_class(const struct model *model); // that a model has

/* Whether two models of one numeric class give the same logits for some tokens: JL_OK, or
 * JL_ERR_FORMAT, which says where they part. */
enum jl_status publish_compare(const struct model *a, const struct model *b,
                               struct backend *backend, struct jl_error *err);

#endif
