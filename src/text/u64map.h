/* Hash map from 64-bit keys to 64-bit values: symbol pairs, code points, trie edges.
 *
 * Open addressing, at most half full. The key UINT64_MAX is reserved. Keys come from files and may
 * be chosen to collide: when one lies too far from its home, all are spread anew by another seed,
 * and nobody looks further than the farthest of them lies. */
#ifndef JL_TEXT_U64MAP_H
#define JL_TEXT_U64MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define U64MAP_EMPTY UINT64_MAX
#define U64MAP_FAR 512  // slots from home; by chance not half of it is reached
#define U64MAP_SEEDS 32 // for each, keys that collide are twice as hard to find

struct u64map_slot {
    uint64_t key, value;
};

struct u64map {
    struct u64map_slot *slots; // mask + 1 of them, NULL while empty
    size_t mask, count;
    size_t far; // slots from home, of the farthest key
    uint64_t seed;
    int n_seed; // used up so far
};

/* False: out of memory; the map is as before. An existing key gets the new value. */
bool u64map_put(struct u64map *map, uint64_t key, uint64_t value);
void u64map_free(struct u64map *map);

static inline uint64_t u64map_mix(uint64_t x) { // the finaliser of MurmurHash3: a bijection
    x = (x ^ x >> 33) * 0xFF51AFD7ED558CCDu;
    x = (x ^ x >> 33) * 0xC4CEB9FE1A85EC53u;
    return x ^ x >> 33;
}

static inline size_t u64map_home(const struct u64map *map, uint64_t key) {
    return (size_t)u64map_mix(key ^ map->seed) & map->mask;
}

static inline bool u64map_get(const struct u64map *map, uint64_t key, uint64_t *value) {
    if (!map->slots) return false;
    size_t i = u64map_home(map, key);
    for (size_t far = 0; far <= map->far; far++, i = (i + 1) & map->mask) {
        if (map->slots[i].key == key) {
            *value = map->slots[i].value;
            return true;
        }
        if (map->slots[i].key == U64MAP_EMPTY) break;
    }
    return false;
}

#endif
