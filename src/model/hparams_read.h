/* Inside the reading of hyper-parameters: what its parts share. */
#ifndef JL_MODEL_HPARAMS_READ_H
#define JL_MODEL_HPARAMS_READ_H

#include "model/spec.h"

bool hparams_is_text(const struct meta *value, const char *text);
bool hparams_number(const struct meta *value, double *out); // false: not a number

/* What this kind of file calls a field of struct hparams, for messages. */
struct hparams_key {
    char text[160];
};
struct hparams_key hparams_key(struct model_file *file, const struct family *family,
                               const char *field);

/* JL_ERR_FORMAT where the file does not say the field. */
enum jl_status hparams_demand(struct model_file *file, const struct family *family,
                              const char *field, struct jl_error *err);

/* JL_ERR_UNSUPPORTED: the value of a known key is none that we run. */
enum jl_status hparams_refuse(const struct model_file *file, const char *key,
                              const struct meta *value, const char *supported,
                              struct jl_error *err);

/* Known keys whose other values would change what the model computes. */
enum jl_status hparams_check_known(struct model_file *file, const struct family *family,
                                   struct jl_error *err);
enum jl_status hparams_read_rope(struct model_file *file, const struct family *family,
                                 struct hparams *hp, struct jl_error *err);
/* Latent attention: head sizes and the scale of scores. */
enum jl_status hparams_derive_mla(struct model_file *file, struct hparams *hp,
                                  struct jl_error *err);
/* Which layers are recurrent, and their shape. */
enum jl_status hparams_derive_recurrent(struct model_file *file, const struct family *family,
                                        struct hparams *hp, struct jl_error *err);
/* Which layers have experts, and how they are chosen. */
enum jl_status hparams_derive_moe(struct model_file *file, const struct family *family,
                                  struct hparams *hp, struct jl_error *err);
/* The names of a family's rules in a folder: scoring_func and topk_method. */
const char *hparams_scoring_name(const struct family *family);
const char *hparams_method_name(const struct family *family, const struct hparams *hp);

#endif
