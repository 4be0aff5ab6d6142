/* The weights of step 0: random ones for a configuration, the same bits on every machine.
 *
 * Matrices are normal with a standard deviation of `initializer_range`; what is added to the
 * residual stream is smaller by 1/sqrt(2 * n_layer), the number of its terms (GPT-2, section 2.3);
 * norms are 1, biases 0. Recurrent layers: docs/train-models.md. A value is a function of the seed,
 * of its tensor's name and of its place. */
#ifndef JL_MODEL_INIT_H
#define JL_MODEL_INIT_H

#include <jansson.h>

#include "base/arena.h"
#include "model/spec.h"

struct init_options {
    const char *path;     // what the configuration came from, for messages
    const json_t *config; // keys of config.json
    enum dtype dtype;     // of matrices: F32 or BF16; vectors, routers and convolutions are F32
    double std;           // 0: the configuration's initializer_range, or 0.02
    uint64_t seed;
};

enum init_kind { INIT_CONSTANT, INIT_NORMAL, INIT_UNIFORM, INIT_LOG_UNIFORM };

struct init_tensor {
    const char *name; // in a folder
    enum dtype dtype;
    int n_dim;
    int64_t dim[TENSOR_MAX_DIM]; // outermost first
    enum init_kind kind;
    double size; // the constant; the deviation; the bound b of (-b, b); of the logarithm of (0, b)
    uint64_t seed;
};

struct init_plan {
    const struct family *family;
    struct hparams hp;
    struct init_tensor *tensors; // in the order in which they are written
    size_t n;
    json_t *config; // of the folder: what was given, and what that leaves open
    struct arena arena;
};

/* Closed-world: a key of the configuration that no model of its family reads is an error that names
 * it, and so is a tie of head and embeddings that is not said. */
enum jl_status init_plan_make(const struct init_options *options, struct init_plan *out,
                              struct jl_error *err);
void init_plan_free(struct init_plan *plan); // zeroed is fine

/* Row `row` (all dimensions but the last counted together) as it stands in the file; `scratch`: its
 * floats. */
void init_row(const struct init_tensor *tensor, int64_t row, uint8_t *out, float *scratch);

/* Two independent standard normals from two words of a random block. */
void init_normals(const uint32_t words[2], double out[2]);

#endif
