#include "text/tokenizer/vocab.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "text/u64map.h"

bool vocab_init(struct vocab *vocab, struct arena *arena, int n) {
    size_t n_bucket = 16;
    while (n_bucket < 2 * (size_t)n)
        n_bucket *= 2;
    vocab->tokens = arena_calloc(arena, n ? (size_t)n : 1, sizeof *vocab->tokens);
    vocab->buckets = arena_calloc(arena, n_bucket, sizeof *vocab->buckets);
    if (!vocab->tokens || !vocab->buckets) return false;
    memset(vocab->buckets, 0xFF, n_bucket * sizeof *vocab->buckets); // all TOKEN_NONE
    vocab->mask = n_bucket - 1;
    vocab->n = n;
    vocab->arena = arena;
    return true;
}

/* Tokens are a few bytes long: they share blocks, each with a NUL behind it. */
char *vocab_keep(struct vocab *vocab, const char *text, size_t len) {
    const size_t block = (size_t)32 << 10;
    if (len >= block / 8) return arena_strndup(vocab->arena, text, len);
    if (vocab->room_left < len + 1) {
        vocab->room = arena_alloc(vocab->arena, block);
        vocab->room_left = vocab->room ? block : 0;
        if (!vocab->room) return NULL;
    }
    char *copy = vocab->room;
    if (len) memcpy(copy, text, len);
    vocab->room += len + 1;
    vocab->room_left -= len + 1;
    return copy;
}

static uint64_t hash_bytes(uint64_t seed, const char *text, size_t len) {
    uint64_t hash = len ^ seed;
    for (; len >= 8; text += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, text, 8);
        hash = u64map_mix(hash ^ word) + 0x9E3779B97F4A7C15u;
    }
    uint64_t word = 0;
    if (len) memcpy(&word, text, len);
    return u64map_mix(hash ^ word);
}

/* Of a text that is long enough: its length, first and last bytes. */
static size_t filter_bit(const char *text, size_t len) {
    uint64_t first, last;
    memcpy(&first, text, 8);
    memcpy(&last, text + len - 8, 8);
    uint64_t hash = (first ^ len) * 0x9E3779B97F4A7C15u ^ last * 0xC2B2AE3D27D4EB4Fu;
    return (size_t)((hash ^ hash >> 29) * 0xBF58476D1CE4E5B9u >> (64 - VOCAB_FILTER_BITS));
}

static uint16_t near_len(size_t len) {
    return (uint16_t)(len <= VOCAB_NEAR_BYTES ? len : VOCAB_NEAR_BYTES + 1);
}

static bool holds(const struct vocab *vocab, const struct vocab_bucket *bucket, const char *text,
                  size_t len) {
    if (len <= VOCAB_NEAR_BYTES) return memcmp(bucket->bytes, text, len) == 0;
    const struct vocab_token *token = &vocab->tokens[bucket->id];
    return token->len == len && memcmp(token->text, text, len) == 0;
}

/* The bucket that holds these bytes, or the free one where they belong, `far` from home; NULL:
 * neither is at most `most` away. */
static struct vocab_bucket *find_bucket(const struct vocab *vocab, const char *text, size_t len,
                                        uint64_t hash, size_t most, size_t *far) {
    uint32_t tag = (uint32_t)(hash >> 32);
    size_t i = (size_t)hash & vocab->mask;
    for (*far = 0; *far <= most; ++*far, i = (i + 1) & vocab->mask) {
        struct vocab_bucket *bucket = &vocab->buckets[i];
        if (bucket->id == TOKEN_NONE) return bucket;
        if (bucket->tag == tag && bucket->len == near_len(len) && holds(vocab, bucket, text, len))
            return bucket;
    }
    return NULL;
}

/* The id that has these bytes now; TOKEN_NONE: the place for it is too far from home. The last seed
 * takes any. */
static int32_t place(struct vocab *vocab, int32_t id) {
    const struct vocab_token *token = &vocab->tokens[id];
    uint64_t hash = hash_bytes(vocab->seed, token->text, token->len);
    size_t most = vocab->n_seed < U64MAP_SEEDS ? U64MAP_FAR : vocab->mask, far;
    struct vocab_bucket *bucket = find_bucket(vocab, token->text, token->len, hash, most, &far);
    if (!bucket) return TOKEN_NONE;
    if (bucket->id != TOKEN_NONE) return bucket->id;
    bucket->id = id;
    bucket->tag = (uint32_t)(hash >> 32);
    bucket->len = near_len(token->len);
    if (token->len <= VOCAB_NEAR_BYTES) memcpy(bucket->bytes, token->text, token->len);
    if (far > vocab->far) vocab->far = far;
    return id;
}

/* The tokens of `old`, under the next seed. */
static bool place_all(struct vocab *vocab, const struct vocab_bucket *old) {
    vocab->seed = u64map_mix((uint64_t)++vocab->n_seed);
    vocab->far = 0;
    memset(vocab->buckets, 0xFF, (vocab->mask + 1) * sizeof *old); // all TOKEN_NONE
    for (size_t i = 0; i <= vocab->mask; i++)
        if (old[i].id != TOKEN_NONE && place(vocab, old[i].id) == TOKEN_NONE) return false;
    return true;
}

/* Without memory for a copy there is no other seed, but there is a place for each. */
static void spread(struct vocab *vocab) {
    size_t bytes = (vocab->mask + 1) * sizeof *vocab->buckets;
    struct vocab_bucket *old = malloc(bytes);
    if (!old) {
        vocab->n_seed = U64MAP_SEEDS;
        return;
    }
    memcpy(old, vocab->buckets, bytes);
    while (!place_all(vocab, old)) {
    }
    free(old);
}

int32_t vocab_index(struct vocab *vocab, int32_t id) {
    const struct vocab_token *token = &vocab->tokens[id];
    int32_t placed;
    while ((placed = place(vocab, id)) == TOKEN_NONE)
        spread(vocab);
    if (placed != id) return placed;
    if (token->len > vocab->longest) vocab->longest = token->len;
    if (token->len >= VOCAB_FILTER_FROM) {
        size_t bit = filter_bit(token->text, token->len);
        vocab->filter[bit / 64] |= (uint64_t)1 << bit % 64;
    }
    return id;
}

int32_t vocab_find(const struct vocab *vocab, const char *text, size_t len) {
    size_t far;
    if (len > vocab->longest) return TOKEN_NONE;
    if (len >= VOCAB_FILTER_FROM) {
        size_t bit = filter_bit(text, len);
        if (!(vocab->filter[bit / 64] >> bit % 64 & 1)) return TOKEN_NONE;
    }
    const struct vocab_bucket *bucket =
        find_bucket(vocab, text, len, hash_bytes(vocab->seed, text, len), vocab->far, &far);
    return bucket ? bucket->id : TOKEN_NONE;
}

bool vocab_has(const struct vocab *vocab, int32_t id) {
    return id >= 0 && id < vocab->n && vocab->tokens[id].type != VOCAB_HOLE;
}

int vocab_byte_value(const char *text, size_t len) {
    if (len != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>') return -1;
    int high = hex_digit(text[3]), low = hex_digit(text[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}
