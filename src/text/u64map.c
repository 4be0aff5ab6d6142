#include "text/u64map.h"

#include <stdlib.h>

#include "base/arena.h"

static struct u64map_slot *find_slot(struct u64map_slot *slots, size_t mask, uint64_t key) {
    size_t i = (size_t)u64map_mix(key) & mask;
    while (slots[i].key != key && slots[i].key != U64MAP_EMPTY)
        i = (i + 1) & mask;
    return &slots[i];
}

static bool double_size(struct u64map *map) {
    size_t old = map->slots ? map->mask + 1 : 0, n, bytes;
    if (!size_mul(old ? old : 32, 2, &n)) return false;
    if (!size_mul(n, sizeof *map->slots, &bytes)) return false;
    struct u64map_slot *slots = malloc(bytes);
    if (!slots) return false;
    for (size_t i = 0; i < n; i++)
        slots[i] = (struct u64map_slot){.key = U64MAP_EMPTY};
    for (size_t i = 0; i < old; i++) {
        if (map->slots[i].key == U64MAP_EMPTY) continue;
        *find_slot(slots, n - 1, map->slots[i].key) = map->slots[i];
    }
    free(map->slots);
    map->slots = slots;
    map->mask = n - 1;
    return true;
}

bool u64map_put(struct u64map *map, uint64_t key, uint64_t value) {
    if (!map->slots || map->count >= (map->mask + 1) / 2) {
        if (!double_size(map)) return false;
    }
    struct u64map_slot *slot = find_slot(map->slots, map->mask, key);
    if (slot->key == U64MAP_EMPTY) map->count++;
    *slot = (struct u64map_slot){key, value};
    return true;
}

void u64map_free(struct u64map *map) {
    free(map->slots);
    *map = (struct u64map){0};
}
