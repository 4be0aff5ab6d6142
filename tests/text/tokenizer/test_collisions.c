/* Tables of what a file says: keys that were chosen to collide must not make a table slow, nor lose
 * anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "text/tokenizer/bpe_pairs.h"
#include "text/tokenizer/vocab.h"

#define N 100000
#define SECONDS 20 // for what takes milliseconds, and took minutes

static void in_time(clock_t start) { assert_true((clock() - start) / CLOCKS_PER_SEC < SECONDS); }

/* ---- keys of 64 bits ---- */

/* Inverse of the mix: what is hashed to this. */
static uint64_t unmixed(uint64_t x) {
    x ^= x >> 33;
    x *= 0x9CB4B2F8129337DBu; // the inverses of its two factors
    x ^= x >> 33;
    x *= 0x4F74430C22A54005u;
    return x ^ x >> 33;
}

static void keys_of_one_home(void **state) {
    (void)state;
    struct u64map map = {0};
    uint64_t value;
    clock_t start = clock();
    for (uint64_t i = 0; i < N; i++) {
        assert_true(u64map_mix(unmixed(i << 32)) == i << 32);
        assert_true(u64map_put(&map, unmixed(i << 32), i));
    }
    assert_true(map.count == N && map.n_seed > 0 && map.far <= U64MAP_FAR);
    for (uint64_t i = 0; i < N; i++)
        assert_true(u64map_get(&map, unmixed(i << 32), &value) && value == i);
    for (uint64_t i = N; i < 2 * N; i++)
        assert_false(u64map_get(&map, unmixed(i << 32), &value));
    assert_true(u64map_put(&map, unmixed(7ULL << 32), 1234)); // there already
    assert_true(map.count == N && u64map_get(&map, unmixed(7ULL << 32), &value) && value == 1234);
    u64map_free(&map);
    in_time(start);
}

/* Each key in its own home, all beside each other: who looks for another must not walk past all. */
static void keys_side_by_side(void **state) {
    (void)state;
    struct u64map map = {0};
    uint64_t value;
    for (uint64_t i = 0; i < N; i++)
        assert_true(u64map_put(&map, unmixed(i), i));
    clock_t start = clock();
    for (uint64_t i = 0; i < N; i++)
        assert_false(u64map_get(&map, unmixed(i | 1ULL << 60), &value));
    in_time(start);
    u64map_free(&map);
}

/* ---- pairs, packed ---- */

static void pairs_of_one_home(void **state) {
    (void)state;
    struct bpe_pairs pairs = {0};
    clock_t start = clock();
    int32_t n = 0, left[20000], right[20000];
    for (int32_t l = 0; n < 20000; l++)
        for (int32_t r = 0; r < 2000 && n < 20000; r++) {
            uint64_t key = (uint64_t)l << BPE_SYMBOL_BITS | (uint64_t)r;
            if (bpe_pairs_hash(key) >> 56) continue; // not one of the first 256th of all slots
            left[n] = l;
            right[n] = r;
            assert_true(u64map_put(&pairs.map, bpe_merge_key(l, r),
                                   bpe_merge_value((uint32_t)n, (int32_t)n)));
            n++;
        }
    assert_true(bpe_pairs_pack(&pairs));
    assert_null(pairs.slots); // the map stays
    for (int32_t i = 0; i < n; i++)
        assert_true(bpe_pairs_get(&pairs, left[i], right[i]) == bpe_merge_value((uint32_t)i, i));
    assert_true(bpe_pairs_get(&pairs, left[n - 1] + 1, 0) == BPE_MERGE_NONE);
    bpe_pairs_free(&pairs);
    in_time(start);
}

/* ---- tokens ---- */

/* As the vocabulary hashes a text of eight bytes by its first seed. */
static uint64_t hash_of_eight(const char *text) {
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return u64map_mix(u64map_mix(8 ^ word) + 0x9E3779B97F4A7C15u);
}

static void tokens_of_one_home(void **state) {
    (void)state;
    enum { N_TOKEN = 30000 };
    struct arena arena = {0};
    static struct vocab vocab;
    assert_true(vocab_init(&vocab, &arena, N_TOKEN));
    clock_t start = clock();
    unsigned long long next = 0;
    for (int32_t id = 0; id < N_TOKEN; id++) {
        char text[32];
        do // the first 64th of all buckets
            snprintf(text, sizeof text, "%08llx", next++);
        while ((hash_of_eight(text) & vocab.mask) >= (vocab.mask + 1) / 64);
        vocab.tokens[id] = (struct vocab_token){
            .text = vocab_keep(&vocab, text, 8), .len = 8, .type = TOKEN_NORMAL};
        assert_int_equal(vocab_index(&vocab, id), id);
    }
    assert_true(vocab.n_seed > 0 && vocab.far <= U64MAP_FAR);
    for (int32_t id = 0; id < N_TOKEN; id++) {
        assert_int_equal(vocab_find(&vocab, vocab.tokens[id].text, 8), id);
        assert_int_equal(vocab_index(&vocab, id), id);
    }
    assert_int_equal(vocab_find(&vocab, "zzzzzzzz", 8), TOKEN_NONE);
    arena_free(&arena);
    in_time(start);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_one_home),
        cmocka_unit_test(keys_side_by_side),
        cmocka_unit_test(pairs_of_one_home),
        cmocka_unit_test(tokens_of_one_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
