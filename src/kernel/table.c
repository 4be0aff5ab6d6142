/* Fills the kernel table and answers what it holds. The levels of a kind of CPU stack: each needs
 * the lower ones. */
#include "kernel/kernel.h"

#include <string.h>

#include "kernel/fill.h"
#include "tensor/kvchunk.h"

#if defined(JINLIN_X86_LEVELS)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(JINLIN_ARM_LEVELS)
#include <sys/auxv.h>
#endif

static const char *const level_names[LEVEL_COUNT] = {
#define X(id, name) [id] = name,
    KERNEL_LEVEL_LIST(X)
#undef X
};

static const char *const level_needs[LEVEL_COUNT] = {
    [LEVEL_REF] = "nothing",
    [LEVEL_AVX2] = "AVX2, FMA and F16C",
    [LEVEL_AVX512] = "AVX2, FMA, F16C and AVX-512 F, BW, DQ, VL, VNNI and BF16",
    [LEVEL_AMX] = "what avx512 needs, AMX-INT8 and Linux 5.16 or newer",
    [LEVEL_NEON] = "64-bit ARM with dot products (asimddp)",
};

const char *kernel_level_name(enum kernel_level level) {
    return (unsigned)level < LEVEL_COUNT ? level_names[level] : "?";
}

#if defined(JINLIN_X86_LEVELS)

#define BUILT_LEVELS (1u << LEVEL_REF | 1u << LEVEL_AVX2 | 1u << LEVEL_AVX512 | 1u << LEVEL_AMX)

/* Bits of CPUID (Intel SDM volume 2A) and of XCR0 (volume 1, 13.3). */
#define LEAF1_C_NEEDED (1u << 12 | 1u << 27 | 1u << 28 | 1u << 29) // FMA, OSXSAVE, AVX, F16C
#define LEAF7_B_AVX2 (1u << 5)
#define LEAF7_B_AVX512 (1u << 16 | 1u << 17 | 1u << 30 | 1u << 31) // F, DQ, BW, VL
#define LEAF7_C_VNNI (1u << 11)
#define LEAF7_D_AMX (1u << 24 | 1u << 25) // TILE, INT8
#define LEAF7_1_A_BF16 (1u << 5)
#define XCR0_YMM 0x06u              // SSE and AVX state
#define XCR0_ZMM 0xe6u              // and opmask, upper ZMM, high ZMM state
#define XCR0_AMX (0xe6u | 3u << 17) // and tile configuration and data
#define XFEATURE_TILE_DATA 18

static bool has_all(unsigned value, unsigned bits) { return (value & bits) == bits; }

/* Linux hands out the 8 KB of tile registers on request, to all threads of the process
 * (Documentation/arch/x86/xstate.rst). Asking again is harmless. */
static bool may_use_tiles(void) {
    const long req_xcomp_perm = 0x1023;
    return syscall(SYS_arch_prctl, req_xcomp_perm, XFEATURE_TILE_DATA) == 0;
}

static enum kernel_level best_x86_level(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has_all(c, LEAF1_C_NEEDED)) return LEVEL_REF;
    unsigned xcr0, xcr0_high;
    __asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(xcr0_high) : "c"(0));
    if (!has_all(xcr0, XCR0_YMM)) return LEVEL_REF;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !has_all(b, LEAF7_B_AVX2)) return LEVEL_REF;
    if (!has_all(xcr0, XCR0_ZMM) || !has_all(b, LEAF7_B_AVX512) || !has_all(c, LEAF7_C_VNNI))
        return LEVEL_AVX2;
    bool has_amx = has_all(xcr0, XCR0_AMX) && has_all(d, LEAF7_D_AMX);
    if (a < 1 || !__get_cpuid_count(7, 1, &a, &b, &c, &d) || !has_all(a, LEAF7_1_A_BF16))
        return LEVEL_AVX2;
    return has_amx && may_use_tiles() ? LEVEL_AMX : LEVEL_AVX512;
}

static enum kernel_level best_level(void) { return best_x86_level(); }

static void fill_above_ref(struct kernel_table *table, enum kernel_level level) {
    if (level >= LEVEL_AVX2) kernel_fill_avx2(table);
    if (level >= LEVEL_AVX512) kernel_fill_avx512(table);
    if (level < LEVEL_AMX) return;
    amx_fill_linear_f(table);
    amx_fill_linear_q(table);
}

#elif defined(JINLIN_ARM_LEVELS)

#define BUILT_LEVELS (1u << LEVEL_REF | 1u << LEVEL_NEON)

/* What Linux says of the CPU (its elf_hwcaps.rst): Advanced SIMD, SDOT and UDOT. */
#define HWCAP_NEEDED (1ul << 1 | 1ul << 20)

static enum kernel_level best_level(void) {
    return (getauxval(AT_HWCAP) & HWCAP_NEEDED) == HWCAP_NEEDED ? LEVEL_NEON : LEVEL_REF;
}

static void fill_above_ref(struct kernel_table *table, enum kernel_level level) {
    if (level == LEVEL_NEON) kernel_fill_neon(table);
}

#else

#define BUILT_LEVELS (1u << LEVEL_REF)

static enum kernel_level best_level(void) { return LEVEL_REF; }

static void fill_above_ref(struct kernel_table *table, enum kernel_level level) {
    (void)table;
    (void)level;
}

#endif

bool kernel_level_built(enum kernel_level level) {
    return (unsigned)level < LEVEL_COUNT && (BUILT_LEVELS >> level & 1);
}

bool kernel_level_available(enum kernel_level level) {
    return kernel_level_built(level) && level <= best_level();
}

static enum jl_status find_level(const char *name, enum kernel_level *out, struct jl_error *err) {
    enum kernel_level best = best_level();
    if (!name) {
        *out = best;
        return JL_OK;
    }
    for (enum kernel_level level = LEVEL_REF; level < LEVEL_COUNT; level++) {
        if (strcmp(name, level_names[level]) != 0) continue;
        if (!kernel_level_available(level))
            return jl_fail(err, JL_ERR_CPU,
                           "kernel level '%s' needs %s, which this CPU, operating system or build "
                           "lacks; the best level here is '%s'",
                           name, level_needs[level], level_names[best]);
        *out = level;
        return JL_OK;
    }
    return jl_fail(
        err, JL_ERR_USAGE,
        "unknown kernel level '%s': set JINLIN_CPU to ref, avx2, avx512, amx or neon, or "
        "leave it unset for the best this CPU has ('%s')",
        name, level_names[best]);
}

enum jl_status kernel_table_init(struct kernel_table *table, const char *level,
                                 struct jl_error *err) {
    *table = (struct kernel_table){0};
    JL_TRY(find_level(level, &table->level, err));
    kernel_fill_ref(table);
    fill_above_ref(table, table->level);
    return JL_OK;
}

const struct linear_body *kernel_linear_of(const struct kernel_table *table, enum linear_kind kind,
                                           enum dtype w, enum xfmt x) {
    switch (kind) {
    case LINEAR_GEMV: return table->gemv[w][x];
    case LINEAR_GEMM: return table->gemm[w][x];
    case LINEAR_WIDE: return table->wide[w][x];
    default: return NULL;
    }
}

enum linear_kind kernel_linear_kind(const struct kernel_table *table, enum dtype w, enum xfmt x,
                                    int n_rows) {
    if (table->wide[w][x] && n_rows >= table->wide_rows[w][x]) return LINEAR_WIDE;
    if (!table->gemv[w][x]) return LINEAR_GEMM;
    return table->gemm[w][x] && n_rows >= table->gemm_rows[w][x] ? LINEAR_GEMM : LINEAR_GEMV;
}

const struct linear_body *kernel_linear(const struct kernel_table *table, enum dtype w, enum xfmt x,
                                        int n_rows) {
    return kernel_linear_of(table, kernel_linear_kind(table, w, x, n_rows), w, x);
}

size_t kernel_linear_scratch(const struct kernel_table *table, enum dtype w, enum xfmt x,
                             int n_in) {
    size_t most = 0;
    for (enum linear_kind kind = LINEAR_GEMV; kind < LINEAR_KIND_COUNT; kind++) {
        const struct linear_body *body = kernel_linear_of(table, kind, w, x);
        size_t bytes = body && body->scratch_bytes ? body->scratch_bytes(n_in) : 0;
        most = bytes > most ? bytes : most;
    }
    return (most + 63) / 64 * 64;
}

enum attn_kind kernel_attn_kind(enum dtype kv, bool act_bf16) {
    switch (kv) {
    case DTYPE_F32: return ATTN_F32;
    case DTYPE_F16: return ATTN_F16;
    case DTYPE_BF16: return act_bf16 ? ATTN_BF16 : ATTN_BF16_F32;
    case KV_Q8: return ATTN_Q8;
    default: return ATTN_COUNT;
    }
}
