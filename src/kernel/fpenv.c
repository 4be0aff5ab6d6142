/* The floating-point environment: one control register read, one written. */
#include "kernel/fpenv.h"

#if defined(__x86_64__)

#include <xmmintrin.h>

/* MXCSR: flush to zero (15), nearest even (14:13 = 0), all exceptions masked (12:7), denormals are
 * zero (6), no sticky flags. */
#define MXCSR_CONTRACT 0x9fc0u

void fpenv_enter(struct fpenv *saved) {
    saved->control = _mm_getcsr();
    _mm_setcsr(MXCSR_CONTRACT);
}

void fpenv_leave(const struct fpenv *saved) { _mm_setcsr((unsigned)saved->control); }

#elif defined(__aarch64__)

/* FPCR: flush to zero, inputs and outputs (24); nearest even (23:22 = 0); no traps (15, 12:8 = 0);
 * NaNs travel (25 = 0). */
#define FPCR_CONTRACT (UINT64_C(1) << 24)

void fpenv_enter(struct fpenv *saved) {
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved->control));
    __asm__ volatile("msr fpcr, %0" : : "r"(FPCR_CONTRACT) : "memory");
}

void fpenv_leave(const struct fpenv *saved) {
    __asm__ volatile("msr fpcr, %0" : : "r"(saved->control) : "memory");
}

#else
#error "kernel/fpenv.c: say how this CPU flushes denormals; the numeric contract needs it"
#endif
