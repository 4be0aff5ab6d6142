/* Compiled for any CPU: a compiler may use a level's instructions everywhere in a file compiled for
 * that level, so the question whether they are there must be asked outside of it. */
#include <stdio.h>

#include "kernel/kernel.h"
#include "simd_tests.h"

#if defined(JINLIN_LEVEL_AVX512)
#define LEVEL LEVEL_AVX512
#elif defined(JINLIN_LEVEL_NEON)
#define LEVEL LEVEL_NEON
#else
#define LEVEL LEVEL_AVX2
#endif

int main(void) {
    if (kernel_level_available(LEVEL)) return simd_tests();
    printf("SKIPPED: this CPU lacks the level\n");
    return 77;
}
