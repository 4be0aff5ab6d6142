#include "text/u64map.h"

#include <stdlib.h>

#include "base/arena.h"

/* The key's slot, or the free one for it; NULL: too far from home. The last seed takes any. */
static struct u64map_slot *find_slot(const struct u64map *map, uint64_t key, size_t *far) {
    size_t most = map->n_seed < U64MAP_SEEDS ? U64MAP_FAR : map->mask, i = u64map_home(map, key);
    for (*far = 0; *far <= most; ++*far, i = (i + 1) & map->mask)
        if (map->slots[i].key == key || map->slots[i].key == U64MAP_EMPTY) return &map->slots[i];
    return NULL;
}

static bool place(struct u64map *map, uint64_t key, uint64_t value) {
    size_t far;
    struct u64map_slot *slot = find_slot(map, key, &far);
    if (!slot) return false;
    if (slot->key == U64MAP_EMPTY) map->count++;
    if (far > map->far) map->far = far;
    *slot = (struct u64map_slot){key, value};
    return true;
}

static bool place_all(struct u64map *map, const struct u64map *from) {
    size_t n = from->slots ? from->mask + 1 : 0;
    map->count = map->far = 0;
    for (size_t i = 0; i <= map->mask; i++)
        map->slots[i] = (struct u64map_slot){.key = U64MAP_EMPTY};
    for (size_t i = 0; i < n; i++) {
        const struct u64map_slot *slot = &from->slots[i];
        if (slot->key != U64MAP_EMPTY && !place(map, slot->key, slot->value)) return false;
    }
    return true;
}

static void next_seed(struct u64map *map) { map->seed = u64map_mix((uint64_t)++map->n_seed); }

/* Into n slots, under another seed if that is asked for or needed. */
static bool spread(struct u64map *map, size_t n, bool other_seed) {
    struct u64map larger = {.mask = n - 1, .seed = map->seed, .n_seed = map->n_seed};
    size_t bytes;
    if (!size_mul(n, sizeof *map->slots, &bytes)) return false;
    larger.slots = malloc(bytes);
    if (!larger.slots) return false;
    if (other_seed) next_seed(&larger);
    while (!place_all(&larger, map))
        next_seed(&larger);
    free(map->slots);
    *map = larger;
    return true;
}

bool u64map_put(struct u64map *map, uint64_t key, uint64_t value) {
    size_t n;
    if (!map->slots || map->count >= (map->mask + 1) / 2) {
        if (!size_mul(map->slots ? map->mask + 1 : 32, 2, &n)) return false;
        if (!spread(map, n, false)) return false;
    }
    while (!place(map, key, value))
        if (!spread(map, map->mask + 1, true)) return false;
    return true;
}

void u64map_free(struct u64map *map) {
    free(map->slots);
    *map = (struct u64map){0};
}
