/* What a model is, as 128 bits: its configuration, and the name, shape, type and bytes of every
 * tensor of its file. Two files with one fingerprint give the same logits in one numeric class.
 * XXH3 (xxhash.com): against accidents and mix-ups, not against forgers. */
#ifndef JL_MODEL_FINGERPRINT_H
#define JL_MODEL_FINGERPRINT_H

#include "model/model.h"

#define FINGERPRINT_BYTES 16

/* Reads all of the file, on all threads of the backend. */
enum jl_status fingerprint_model(const struct model *model, struct backend *backend,
                                 uint8_t out[FINGERPRINT_BYTES], struct jl_error *err);

#endif
