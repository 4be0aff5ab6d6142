#include <stdlib.h>
#include <string.h>

#include "grammar/sets.h"

bool sets_grow(void **data, size_t *cap, size_t need, size_t size) {
    if (need <= *cap) return true;
    size_t wanted = *cap ? *cap : 32;
    while (wanted < need)
        wanted *= 2;
    void *more = realloc(*data, wanted * size);
    if (!more) return false;
    *data = more;
    *cap = wanted;
    return true;
}

static size_t slot_of(const struct item_list *list, struct set_item item) {
    uint64_t h = item.pos * UINT64_C(0x9E3779B97F4A7C15);
    h = (h ^ item.count) * UINT64_C(0xC2B2AE3D27D4EB4F);
    h = (h ^ item.node) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(h >> 32) & (list->n_slot - 1);
}

static void place(struct item_list *list, size_t i) {
    size_t slot = slot_of(list, list->items[i]);
    while (list->stamps[slot] == list->stamp)
        slot = (slot + 1) & (list->n_slot - 1);
    list->stamps[slot] = list->stamp;
    list->slots[slot] = (uint32_t)i;
}

static bool widen(struct item_list *list) {
    size_t n_slot = list->n_slot ? 2 * list->n_slot : 64;
    uint32_t *slots = malloc(n_slot * sizeof *slots), *stamps = calloc(n_slot, sizeof *stamps);
    if (!slots || !stamps) {
        free(slots);
        free(stamps);
        return false;
    }
    free(list->slots);
    free(list->stamps);
    list->slots = slots;
    list->stamps = stamps;
    list->n_slot = n_slot;
    list->stamp = 1;
    for (size_t i = 0; i < list->n; i++)
        place(list, i);
    return true;
}

bool items_add(struct item_list *list, struct set_item item) {
    if (2 * (list->n + 1) > list->n_slot && !widen(list)) return false;
    for (size_t slot = slot_of(list, item); list->stamps[slot] == list->stamp;
         slot = (slot + 1) & (list->n_slot - 1)) {
        const struct set_item *other = &list->items[list->slots[slot]];
        if (other->pos == item.pos && other->count == item.count && other->node == item.node)
            return true;
    }
    if (!sets_grow((void **)&list->items, &list->cap, list->n + 1, sizeof *list->items))
        return false;
    list->items[list->n++] = item;
    place(list, list->n - 1);
    return true;
}

void items_clear(struct item_list *list) {
    list->n = 0;
    if (++list->stamp != 0) return;
    if (list->n_slot) memset(list->stamps, 0, list->n_slot * sizeof *list->stamps);
    list->stamp = 1;
}

void items_free(struct item_list *list) {
    free(list->items);
    free(list->slots);
    free(list->stamps);
    *list = (struct item_list){0};
}
