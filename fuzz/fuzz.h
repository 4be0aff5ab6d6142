/* The shape of a fuzz target: one function over bytes, as libFuzzer calls it. replay_main.c calls
 * the same function on files, so that the seed corpus runs with every compiler. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
