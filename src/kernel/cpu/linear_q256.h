/* The frame of the types with superblocks of 256: a type says how its bytes unpack (q256_form);
 * gemv, panels and tiles follow. */
#ifndef JL_KERNEL_CPU_LINEAR_Q256_H
#define JL_KERNEL_CPU_LINEAR_Q256_H

#if defined(JINLIN_LEVEL_AMX)
#include "kernel/cpu/linear_q256_amx.h"
#else
#include "kernel/cpu/linear_q256_gemv.h"
#include "kernel/cpu/linear_q256_tile.h"
#endif

SIMD_INLINE struct q_type q256_type(const struct q256_form *form) {
    return (struct q_type){
        .xfmt = XFMT_Q8_256,
        .block = 256,
        .block_bytes = form->bytes,
        .scale_steps = q256_scale_steps(form),
        .planes = q256_planes(form),
    };
}

#endif
