/* Whether two loaded models are the same one, whatever files they came from. */
#ifndef JL_TESTS_SUPPORT_SAME_MODEL_H
#define JL_TESTS_SUPPORT_SAME_MODEL_H

#include "model/model.h"

/* Fails the test where a bound weight differs: type, shape or bytes, scales and experts included. A
 * model of a GGUF file may hold heads' rows in another order: those are passed over then. */
void same_weights(const struct model *a, const struct model *b);
/* Fails the test where a hyper-parameter differs that is not in `but`, names between commas. */
void same_hparams(const struct hparams *a, const struct hparams *b, const char *but);

#endif
