/* The tests of a level's vector vocabulary, a library compiled for that level. */
#ifndef JL_TESTS_KERNEL_SIMD_TESTS_H
#define JL_TESTS_KERNEL_SIMD_TESTS_H

int simd_tests(void); // the number of tests that failed

#endif
