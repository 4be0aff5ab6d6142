/* Arena: alignment, zeroing, refusal of sizes that overflow, reuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

static void hands_out_aligned_zeroed_memory(void **state) {
    (void)state;
    struct arena arena = {.block_size = 256};
    unsigned char *before = NULL;
    for (size_t size = 0; size < 3000; size += 37) {
        unsigned char *at = arena_alloc(&arena, size);
        assert_non_null(at);
        assert_ptr_not_equal(at, before);
        assert_int_equal((uintptr_t)at % ARENA_ALIGN, 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(at[i], 0);
        memset(at, 0xA5, size); // a neighbour that overlaps would not be zero
        before = at;
    }
    arena_free(&arena);
}

static void counts_bytes_and_reuses_a_block(void **state) {
    (void)state;
    struct arena arena = {0};
    assert_non_null(arena_alloc(&arena, 1));
    assert_int_equal(arena.bytes, ARENA_ALIGN);
    assert_non_null(arena_alloc(&arena, 1 << 20));
    struct arena_block *newest = arena.head;
    arena_reset(&arena);
    assert_int_equal(arena.bytes, 0);
    assert_ptr_equal(arena.head, newest);
    unsigned char *at = arena_alloc(&arena, 1 << 20);
    assert_ptr_equal(arena.head, newest);
    assert_int_equal(at[0] | at[(1 << 20) - 1], 0);
    arena_free(&arena);
    assert_null(arena.head);
    arena_free(&arena);
    arena_reset(&arena);
}

static void refuses_sizes_that_overflow(void **state) {
    (void)state;
    struct arena arena = {0};
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 2 * ARENA_ALIGN));
    assert_null(arena_calloc(&arena, SIZE_MAX / 2, 3));
    assert_null(arena_calloc(&arena, (size_t)1 << 33, (size_t)1 << 33));
    assert_null(arena_strndup(&arena, "x", SIZE_MAX));
    assert_int_equal(arena.bytes, 0);
    assert_non_null(arena_calloc(&arena, 3, 5)); // still usable
    size_t out;
    assert_false(size_mul(SIZE_MAX, 2, &out));
    assert_false(size_add(SIZE_MAX, 1, &out));
    assert_true(size_mul(SIZE_MAX, 1, &out) && out == SIZE_MAX);
    assert_true(size_add(SIZE_MAX, 0, &out) && out == SIZE_MAX);
    assert_true(size_mul(0, SIZE_MAX, &out) && out == 0);
    arena_free(&arena);
}

static void copies_strings(void **state) {
    (void)state;
    struct arena arena = {0};
    char source[] = "golden\0scale";
    char *copy = arena_strndup(&arena, source, sizeof source - 1);
    assert_memory_equal(copy, source, sizeof source);
    copy = arena_strdup(&arena, source);
    source[0] = 'x';
    assert_string_equal(copy, "golden");
    assert_string_equal(arena_strdup(&arena, ""), "");
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_out_aligned_zeroed_memory),
        cmocka_unit_test(counts_bytes_and_reuses_a_block),
        cmocka_unit_test(refuses_sizes_that_overflow),
        cmocka_unit_test(copies_strings),
    };
    return cmocka_run_group_tests_name("base/arena", tests, NULL, NULL);
}
