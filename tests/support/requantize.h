/* The same model in other types, for tests. */
#ifndef JL_TESTS_SUPPORT_REQUANTIZE_H
#define JL_TESTS_SUPPORT_REQUANTIZE_H

#include "model/model.h"

/* A GGUF file by a preset, whatever the model's types are; as f32, each number as it stands. Fails
 * the test on any error. */
void requantize(const struct model *model, const char *preset, const char *path);

#endif
