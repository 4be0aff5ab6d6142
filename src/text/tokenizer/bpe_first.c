#include "text/tokenizer/bpe_first.h"

#include <stdlib.h>
#include <string.h>

#include "text/utf8.h"

#define PLANE 0x10000

/* The lowest ranks of pairs, by what the other symbol shows to the border: ASCII or not. */
enum side { ASCII, WIDE, N_SIDE };
struct lowest {
    uint32_t left_of_one[N_SIDE][256], right_of_one[N_SIDE][256];     // a first byte, a last byte
    uint32_t left_of_two[N_SIDE][PLANE], right_of_two[N_SIDE][PLANE]; // two first, two last bytes
    uint32_t left_of_all[N_SIDE][PLANE], right_of_all[N_SIDE][PLANE]; // the character, by code
};

static bool continues(unsigned char byte) { return (byte & 0xC0) == 0x80; }

static void lower(uint32_t *rank, uint32_t to) {
    if (to < *rank) *rank = to;
}

static unsigned two_bytes(const unsigned char *text) { return text[0] * 256u + text[1]; }

/* The code of a text that is one character of two or three bytes, else 0. */
static uint32_t wide_code(const unsigned char *text, size_t len) {
    uint32_t code;
    if (len < 2 || len > BPE_FIRST_MAX) return 0;
    return utf8_decode((const char *)text, len, &code) == (int)len ? code : 0;
}

/* A pair with `text` as its right symbol. */
static void note_right(struct lowest *lowest, enum side side, const unsigned char *text, size_t len,
                       uint32_t rank) {
    uint32_t code = wide_code(text, len);
    if (code) lower(&lowest->left_of_all[side][code], rank);
    if (len == 1) lower(&lowest->left_of_one[side][text[0]], rank);
    if (len == 2) lower(&lowest->left_of_two[side][two_bytes(text)], rank);
}

static void note_left(struct lowest *lowest, enum side side, const unsigned char *text, size_t len,
                      uint32_t rank) {
    uint32_t code = wide_code(text, len);
    if (code) lower(&lowest->right_of_all[side][code], rank);
    if (len == 1) lower(&lowest->right_of_one[side][text[0]], rank);
    if (len == 2) lower(&lowest->right_of_two[side][two_bytes(text)], rank);
}

/* Behind a whole character stands no byte that continues one: such pairs are inside of others.
 * False: there are symbols without a token, which no published vocabulary of bytes has. */
static bool note_pairs(const struct bpe *bpe, struct lowest *lowest) {
    const struct u64map *map = &bpe->pairs.map;
    for (size_t i = 0; map->slots && i <= map->mask; i++) {
        if (map->slots[i].key == U64MAP_EMPTY) continue;
        uint64_t left = map->slots[i].key >> 32, right = (uint32_t)map->slots[i].key;
        uint32_t rank = (uint32_t)(map->slots[i].value >> 32);
        if (left >= BPE_BARE || right >= BPE_BARE) return false;
        const struct vocab_token *l = &bpe->vocab->tokens[left], *r = &bpe->vocab->tokens[right];
        const unsigned char *l_text = (const unsigned char *)l->text;
        const unsigned char *r_text = (const unsigned char *)r->text;
        note_right(lowest, l_text[l->len - 1] < 0x80 ? ASCII : WIDE, r_text, r->len, rank);
        if (!continues(r_text[0]))
            note_left(lowest, r_text[0] < 0x80 ? ASCII : WIDE, l_text, l->len, rank);
    }
    return true;
}

/* What the bytes of a character merge to when they stand alone; *rank: the highest on the way. */
static void merge_alone(const struct bpe *bpe, const unsigned char *text, int n,
                        struct bpe_first *first, uint32_t *rank) {
    int lens[BPE_FIRST_MAX] = {1, 1, 1}, at = 0;
    *rank = 0;
    first->n = (unsigned)n & 3u;
    for (int i = 0; i < n; i++)
        first->symbols[i] = bpe->byte_symbol[text[i]];
    while (first->n > 1) {
        uint64_t best = BPE_MERGE_NONE;
        int best_at = 0;
        for (int i = 0; i + 1 < first->n; i++) {
            uint64_t value = first->n == n ? bpe->byte_pairs[two_bytes(text + i)]
                                           : bpe_pairs_get(&bpe->pairs, first->symbols[i],
                                                           first->symbols[i + 1]);
            if (value >> 32 >= best >> 32) continue;
            best = value;
            best_at = i;
        }
        if (best == BPE_MERGE_NONE) break;
        if (best >> 32 > *rank) *rank = (uint32_t)(best >> 32);
        first->symbols[best_at] = (int32_t)(uint32_t)best;
        lens[best_at] += lens[best_at + 1];
        first->n--;
        for (int i = best_at + 1; i < first->n; i++) {
            first->symbols[i] = first->symbols[i + 1];
            lens[i] = lens[i + 1];
        }
    }
    for (int i = 0; i + 1 < first->n; i++)
        first->borders |= 1u << (at += lens[i]) & 0xFu;
}

static void fill_entry(const struct bpe *bpe, const struct lowest *lowest, uint32_t code) {
    char bytes[UTF8_MAX];
    const unsigned char *text = (const unsigned char *)bytes;
    struct bpe_first *first = &bpe->first[code];
    uint32_t rank;
    int n = utf8_encode(code, bytes);
    merge_alone(bpe, text, n, first, &rank);
    first->alone = bpe->splits.count == 0;
    for (int i = 0; i < first->n; i++)
        first->alone = first->alone && first->symbols[i] < BPE_BARE;
    bool merges = first->n < n; // else the bytes are what every text begins with
    for (int side = 0; side < N_SIDE; side++) {
        if (!merges || (lowest->left_of_one[side][text[0]] > rank &&
                        lowest->left_of_two[side][two_bytes(text)] > rank &&
                        lowest->left_of_all[side][code] > rank))
            first->beside |= (unsigned)(BPE_AFTER_ASCII << side) & 0xFu;
        if (!merges || (lowest->right_of_one[side][text[n - 1]] > rank &&
                        lowest->right_of_two[side][two_bytes(text + n - 2)] > rank &&
                        lowest->right_of_all[side][code] > rank))
            first->beside |= (unsigned)(BPE_BEFORE_ASCII << side) & 0xFu;
    }
}

bool bpe_find_first(struct bpe *bpe) {
    struct lowest *lowest = malloc(sizeof *lowest);
    bpe->first = calloc(PLANE, sizeof *bpe->first);
    bool ok = lowest && bpe->first;
    if (ok) memset(lowest, 0xFF, sizeof *lowest);
    if (ok && note_pairs(bpe, lowest)) {
        for (uint32_t code = 0x80; code < PLANE; code++) {
            if (code < 0xD800 || code >= 0xE000) fill_entry(bpe, lowest, code);
        }
    }
    free(lowest);
    return ok;
}

size_t bpe_first_symbols(const struct bpe *bpe, const char *text, size_t len, int32_t *symbols) {
    size_t count = 0;
    for (size_t at = 0; at < len;) {
        const struct bpe_first *first = NULL;
        size_t n = 1;
        if ((unsigned char)text[at] >= 0x80) {
            n = (size_t)utf8_length(text + at, len - at);
            first = bpe_first_of(bpe, text + at, n);
        }
        if (!first || !bpe_first_holds(first, text, len, at, at + n)) {
            symbols[count++] = bpe->byte_symbol[(unsigned char)text[at++]];
            continue;
        }
        for (int i = 0; i < first->n; i++)
            symbols[count++] = first->symbols[i];
        at += n;
    }
    return count;
}
