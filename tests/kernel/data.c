/* Seeded data for kernel tests; see data.h. */
#include "data.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/fpenv.h"

uint32_t rnd_u32(struct rnd *rnd) { // splitmix64
    uint64_t z = rnd->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(z >> 32);
}

int rnd_int(struct rnd *rnd, int lo, int hi) {
    return lo + (int)(rnd_u32(rnd) % (uint32_t)(hi - lo + 1));
}

float rnd_float(struct rnd *rnd) { return (float)(rnd_u32(rnd) >> 8) * 0x1p-23f - 1.0f; }

static float from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float one(struct rnd *rnd, enum flavour flavour) {
    static const uint32_t corners[] = {
        0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff, 0x807fffff, 0x00800000,
        0x80800000, 0x00800001, 0x3f800000, 0xbf800000, 0x3f7fffff, 0x7f7fffff, 0xff7fffff,
        0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001, 0x42b17217, 0x42b17218, 0xc2aeac4f,
        0xc2aeac50, 0x477fe000, 0x477ff000, 0x33800000, 0x387fc000, 0x3f808000, 0x3f818000,
    };
    float x = rnd_float(rnd); // drawn first: the order of the draws is the data
    switch (flavour) {
    case FLAVOUR_WIDE: return ldexpf(x, rnd_int(rnd, -40, 40));
    case FLAVOUR_TINY: return ldexpf(x, rnd_int(rnd, -130, -60));
    case FLAVOUR_CORNER:
        if (rnd_int(rnd, 0, 3) > 0) return 2.0f * x;
        return from_bits(corners[rnd_int(rnd, 0, sizeof corners / sizeof corners[0] - 1)]);
    case FLAVOUR_BITS: return from_bits(rnd_u32(rnd));
    default: return 2.0f * x;
    }
}

void data_fill(struct rnd *rnd, enum flavour flavour, float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = one(rnd, flavour);
}

bool data_same(const char *what, const float *want, const float *got, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t a, b;
        memcpy(&a, &want[i], sizeof a);
        memcpy(&b, &got[i], sizeof b);
        bool both_nan = (a & 0x7fffffff) > 0x7f800000 && (b & 0x7fffffff) > 0x7f800000;
        if (a == b || both_nan) continue;
        print_error("%s: element %zu of %zu is %a (%08x), want %a (%08x)\n", what, i, n,
                    (double)got[i], b, (double)want[i], a);
        return false;
    }
    return true;
}

uint64_t data_checksum(uint64_t sum, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        if ((bits & 0x7fffffff) > 0x7f800000) bits = 0xffc00000; // which NaN is free
        for (int shift = 0; shift < 32; shift += 8)
            sum = (sum ^ (bits >> shift & 0xff)) * UINT64_C(0x100000001b3);
    }
    return sum;
}

struct guarded guarded_alloc(size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t body = (bytes + page - 1) / page * page;
    struct guarded g = {.map_bytes = body + 2 * page};
    g.map = mmap(NULL, g.map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(g.map, MAP_FAILED);
    uint8_t *start = (uint8_t *)g.map + page;
    if (body > 0) assert_int_equal(mprotect(start, body, PROT_READ | PROT_WRITE), 0);
    g.data = start + body - bytes;
    return g;
}

void guarded_free(struct guarded *guarded) {
    if (guarded->map) munmap(guarded->map, guarded->map_bytes);
    *guarded = (struct guarded){0};
}

bool data_table(const char *level, struct kernel_table *table) {
    struct jl_error err = {0};
    if (kernel_table_init(table, level, &err) == JL_OK) return true;
    bool built = false; // levels of another kind of CPU go without saying
    for (enum kernel_level l = LEVEL_REF; l < LEVEL_COUNT; l++)
        built |= !strcmp(level, kernel_level_name(l)) && kernel_level_built(l);
    if (built) print_message("skipped: %s\n", err.message);
    assert_int_equal(err.status, JL_ERR_CPU);
    return false;
}

void data_assert_level(const char *name, const char *level) {
    assert_non_null(name);
    const char *dot = strrchr(name, '.');
    assert_non_null(dot);
    bool adds = !strcmp(level, "amx"); // to the bodies of avx512
    assert_true(!strcmp(dot + 1, level) || (adds && !strcmp(dot + 1, "avx512")));
}

int data_enter(void **state) {
    static struct fpenv saved;
    fpenv_enter(&saved);
    *state = &saved;
    return 0;
}

int data_leave(void **state) {
    fpenv_leave(*state);
    return 0;
}
