/* Philox4x32-10 against its published known answers, and the stream's key layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

/* The three philox4x32-10 vectors that the authors publish with Random123. */
static void gives_the_published_answers(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } rows[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, // digits of pi
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t out[4];
        rng_philox(rows[i].counter, rows[i].key, out);
        assert_memory_equal(out, rows[i].out, sizeof out);
    }
}

/* The layout is part of every seeded result: seed low word first, then index, position, sequence,
 * purpose above the index's high bits. */
static void key_fields_fill_the_counter(void **state) {
    (void)state;
    const struct rng_key key = {.seed = 0x299f31d0a4093822,
                                .sequence = 0x13198a2e,
                                .position = 0x85a308d3,
                                .purpose = RNG_TEST};
    const uint32_t counter[4] = {0x243f6a88, 0x85a308d3, 0x13198a2e, (uint32_t)RNG_TEST << 24 | 5};
    const uint32_t seed[2] = {0xa4093822, 0x299f31d0};
    uint32_t expected[4], out[4];
    rng_philox(counter, seed, expected);
    rng_block(&key, 0x5243f6a88, out);
    assert_memory_equal(out, expected, sizeof out);
}

static void every_field_changes_the_stream(void **state) {
    (void)state;
    const struct rng_key keys[] = {
        {.seed = 1},
        {.seed = 1 + ((uint64_t)1 << 32)},
        {.seed = 1, .sequence = 1},
        {.seed = 1, .position = 1},
        {.seed = 1, .purpose = RNG_SYNTH},
    };
    uint32_t blocks[6][4];
    for (size_t i = 0; i < 5; i++)
        rng_block(&keys[i], 0, blocks[i]);
    rng_block(&keys[0], 1, blocks[5]);
    for (size_t a = 0; a < 6; a++)
        for (size_t b = 0; b < a; b++)
            assert_memory_not_equal(blocks[a], blocks[b], sizeof blocks[0]);
}

static void uniform_is_in_range_and_reads_the_blocks(void **state) {
    (void)state;
    const struct rng_key key = {.seed = 42, .purpose = RNG_TEST};
    double sum = 0;
    for (uint64_t i = 0; i < 20000; i++) {
        uint32_t words[4];
        float value = rng_uniform(&key, i);
        assert_true(value >= 0.0f && value < 1.0f);
        rng_block(&key, i / 4, words);
        assert_true(value == rng_unit(words[i % 4]));
        sum += (double)value;
    }
    assert_true(sum / 20000 > 0.49 && sum / 20000 < 0.51);
    assert_true(rng_unit(0xFFFFFFFF) < 1.0f && rng_unit(0xFF) == 0.0f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_published_answers),
        cmocka_unit_test(key_fields_fill_the_counter),
        cmocka_unit_test(every_field_changes_the_stream),
        cmocka_unit_test(uniform_is_in_range_and_reads_the_blocks),
    };
    return cmocka_run_group_tests_name("base/rng", tests, NULL, NULL);
}
