/* Building: nodes are placed one after the other, each into the first place where all of its
 * children find free cells. Free cells of the last blocks form a list; older blocks are closed, so
 * that the search stays short. */
#include "text/tokenizer/trie.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define BLOCK 256u
#define OPEN_BLOCKS 16u
#define MAX_TRIES 128 // free places tried for a node before a new block is opened
#define NO_CELL UINT32_MAX
#define MAX_CELLS (UINT32_MAX / 2)

struct task { // keys[from, to) pass through `node` after `depth` bytes
    uint32_t node;
    size_t from, to, depth;
};

struct builder {
    struct trie *trie;
    const struct trie_key *keys;
    uint32_t cap;
    uint32_t *next, *prev; // free list of the open blocks
    uint32_t head, tail;
    struct task *tasks;
    size_t n_task, cap_task;
};

static int by_text(const void *a, const void *b) {
    const struct trie_key *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);
    if (order) return order;
    if (x->len != y->len) return x->len < y->len ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

/* ---- free cells ---- */

static bool is_free(const struct builder *b, uint32_t cell) {
    return cell != TRIE_ROOT && b->trie->cells[cell].parent == NO_CELL;
}

static void unlink_cell(struct builder *b, uint32_t cell) {
    uint32_t next = b->next[cell], prev = b->prev[cell];
    if (prev == NO_CELL)
        b->head = next;
    else
        b->next[prev] = next;
    if (next == NO_CELL)
        b->tail = prev;
    else
        b->prev[next] = prev;
}

static bool grow_array(void **data, uint32_t cap, size_t size) {
    size_t bytes;
    void *grown = size_mul(cap, size, &bytes) ? realloc(*data, bytes) : NULL;
    if (grown) *data = grown;
    return grown != NULL;
}

static bool grow_cells(struct builder *b) {
    if (b->cap >= MAX_CELLS) return false;
    uint32_t cap = b->cap ? b->cap * 2 : 4 * BLOCK;
    void *cells = b->trie->cells, *next = b->next, *prev = b->prev;
    bool ok = grow_array(&cells, cap, sizeof *b->trie->cells) &&
              grow_array(&next, cap, sizeof *b->next) && grow_array(&prev, cap, sizeof *b->prev);
    b->trie->cells = cells;
    b->next = next;
    b->prev = prev;
    if (ok) b->cap = cap;
    return ok;
}

static bool add_block(struct builder *b) {
    uint32_t first = b->trie->n;
    if (first == b->cap && !grow_cells(b)) return false;
    b->trie->n += BLOCK;
    for (uint32_t cell = first; cell < first + BLOCK; cell++) {
        b->trie->cells[cell] = (struct trie_cell){0, NO_CELL, TRIE_NO_VALUE};
        if (cell == TRIE_ROOT) continue;
        b->next[cell] = NO_CELL;
        b->prev[cell] = b->tail;
        if (b->tail == NO_CELL)
            b->head = cell;
        else
            b->next[b->tail] = cell;
        b->tail = cell;
    }
    if (b->trie->n > OPEN_BLOCKS * BLOCK) {
        uint32_t closed = b->trie->n - (OPEN_BLOCKS + 1) * BLOCK;
        for (uint32_t cell = closed; cell < closed + BLOCK; cell++) {
            if (is_free(b, cell)) unlink_cell(b, cell);
        }
    }
    return true;
}

/* ---- nodes ---- */

static bool fits(const struct builder *b, uint32_t base, const unsigned char *bytes, int n) {
    for (int i = 0; i < n; i++) {
        if (!is_free(b, base ^ bytes[i])) return false;
    }
    return true;
}

static bool find_base(struct builder *b, const unsigned char *bytes, int n, uint32_t *base) {
    uint32_t cell = b->head;
    for (int tries = 0; cell != NO_CELL && tries < MAX_TRIES; cell = b->next[cell], tries++) {
        *base = cell ^ bytes[0];
        if (fits(b, *base, bytes, n)) return true;
    }
    *base = b->trie->n; // a fresh block takes any children
    return add_block(b);
}

static bool push_task(struct builder *b, struct task task) {
    if (b->n_task == b->cap_task) {
        size_t cap = b->cap_task ? b->cap_task * 2 : 256, bytes;
        struct task *tasks = size_mul(cap, sizeof *tasks, &bytes) ? realloc(b->tasks, bytes) : NULL;
        if (!tasks) return false;
        b->tasks = tasks;
        b->cap_task = cap;
    }
    b->tasks[b->n_task++] = task;
    return true;
}

static bool place_children(struct builder *b, struct task task) {
    const struct trie_key *keys = b->keys;
    unsigned char bytes[256];
    int n = 0;
    for (; task.from < task.to && keys[task.from].len == task.depth; task.from++)
        b->trie->cells[task.node].value = keys[task.from].value;
    if (task.from == task.to) return true;
    for (size_t i = task.from; i < task.to; i++) {
        unsigned char byte = (unsigned char)keys[i].text[task.depth];
        if (n == 0 || bytes[n - 1] != byte) bytes[n++] = byte;
    }
    uint32_t base;
    if (!find_base(b, bytes, n, &base)) return false;
    b->trie->cells[task.node].base = base;
    size_t from = task.from;
    for (int i = 0; i < n; i++) {
        uint32_t child = base ^ bytes[i];
        unlink_cell(b, child);
        b->trie->cells[child].parent = task.node;
        size_t to = from;
        while (to < task.to && (unsigned char)keys[to].text[task.depth] == bytes[i])
            to++;
        if (!push_task(b, (struct task){child, from, to, task.depth + 1})) return false;
        from = to;
    }
    return true;
}

bool trie_build(struct trie *trie, struct trie_key *keys, size_t n) {
    *trie = (struct trie){0};
    struct builder b = {.trie = trie, .keys = keys, .head = NO_CELL, .tail = NO_CELL};
    if (n) qsort(keys, n, sizeof *keys, by_text);
    bool ok = add_block(&b) && push_task(&b, (struct task){.node = TRIE_ROOT, .to = n});
    while (ok && b.n_task)
        ok = place_children(&b, b.tasks[--b.n_task]);
    free(b.next);
    free(b.prev);
    free(b.tasks);
    if (!ok) trie_free(trie);
    return ok;
}

void trie_free(struct trie *trie) {
    free(trie->cells);
    *trie = (struct trie){0};
}

size_t trie_longest(const struct trie *trie, const char *text, size_t len, int32_t *value) {
    size_t longest = 0;
    uint32_t node = TRIE_ROOT;
    if (trie->n == 0) return 0;
    for (size_t i = 0; i < len && trie_step(trie, &node, (unsigned char)text[i]); i++) {
        int32_t found = trie_value(trie, node);
        if (found == TRIE_NO_VALUE) continue;
        longest = i + 1;
        *value = found;
    }
    return longest;
}
