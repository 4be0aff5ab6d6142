/* A loaded model: file, family, hyper-parameters, numeric class, bound weights and the plan.
 *
 * const after model_load and shared by all. Weights stay in the file's mapping; only vectors
 * (norms, biases) are copied, widened to f32. */
#ifndef JL_MODEL_MODEL_H
#define JL_MODEL_MODEL_H

#include "backend/backend.h"
#include "base/arena.h"
#include "format/model_file.h"
#include "model/class.h"
#include "model/spec.h"

struct ignored_tensor {
    const char *name, *why;
};

/* A pair of an adapter's matrices beside one of the base's (model/adapter.h); ids follow the
 * base's.
 */
struct adapter_slot {
    enum role_id role;
    int layer;
    int use;      // which of the model's adapters it belongs to
    double alpha; // and factor: of A as adapter_of_model gives it back
    float factor;
    float *master;      // NULL, or A as it is learned, without the factor
    struct weight a, b; // (rank, n_in) with the factor in it, (n_out, rank); F32, in the arena, of
                        // each expert where the base's has one; experts follow without gaps. Of an
                        // embedding a is (n_vocab, rank)
};

struct model {
    struct model_file *file;
    const struct family *family;
    struct hparams hp;
    struct numeric_class cls;

    struct weight *weights; // [n_block + 1][ROLE_COUNT]; the last row holds the model's own
    struct ignored_tensor *ignored;
    int n_ignored;
    bool tied; // the output head is the token embedding

    struct rope_spec rope;
    struct attn_spec *attn;   // [n_block]
    struct delta_spec *delta; // [n_layer]; NULL: no recurrent layers
    struct moe_spec moe;
    struct expert_store experts; // from the file's mapping
    size_t page_bytes;           // state: one page of KV_CHUNK positions, all layers
    size_t recurrent_bytes;      // state: of all recurrent layers of a sequence; 0: there are none
    struct step_list plan;
    struct step_list mtp;          // predicts the token after the next; no steps: the model cannot
    const struct model *base;      // NULL, or whose file and weights these are
    struct model *own_base;        // NULL, or the base where it goes with this model
    struct adapter_slot *adapters; // [n_adapter], in the order in which they add
    int n_adapter;
    struct arena arena;
};

enum jl_status model_load(const char *path, const struct class_request *request, struct model **out,
                          struct jl_error *err);
void model_free(struct model *model); // NULL is fine

/* A bound weight, or NULL when the role is absent. layer -1: the model's own. */
const struct weight *model_weight(const struct model *model, enum role_id role, int layer);
/* A head or an embedding, as model_weight gives it, that is another role's tensor. */
bool model_weight_shared(const struct model *model, const struct weight *w);
size_t model_weight_bytes(const struct model *model); // as stored in the file
/* What a layer's programs, the family's rules and the configuration ask of a role. layer -1: the
 * model's own roles. */
enum role_need model_role_need(const struct family *family, const struct hparams *hp,
                               enum role_id role, int layer);
const struct prog *model_mixer(const struct family *family, const struct hparams *hp, int layer);
const struct prog *model_ffn(const struct family *family, const struct hparams *hp, int layer);

/* The steps of load: bind -> plan -> check, each closed-world. */
enum jl_status model_bind(struct model *model, struct jl_error *err);                  // bind.c
enum jl_status model_own(struct model *model, enum dtype dtype, struct jl_error *err); // own.c
enum jl_status model_plan(struct model *model, struct jl_error *err);                  // plan.c
void model_expert_store(struct model *model);                                          // experts.c
enum jl_status plan_recurrent(struct model *model, struct jl_error *err);              // and state
void plan_take(const struct hparams *hp, enum take_id id, struct step *step); // plan_take.c
enum jl_status plan_backward(struct model *model, struct step *steps, struct step_list *list,
                             struct jl_error *err); // plan_backward.c
enum jl_status model_choose_family(struct model *model, struct jl_error *err);

/* Every family, ends with NULL. */
extern const struct family *const model_families[];

#endif
