/* Where text may be cut before it is merged. */
#include "text/tokenizer/bpe.h"
#include "text/utf8.h"

/* The bytes of a character or of a part of one, as a number. */
static uint32_t pack(const char *bytes, size_t len) {
    uint32_t packed = 0;
    for (size_t i = 0; i < len; i++)
        packed = packed << 8 | (unsigned char)bytes[i];
    return packed;
}

static uint32_t join_bit(uint32_t left, uint32_t right) {
    uint32_t hash = left * 0x9E3779B1u + right * 0x85EBCA77u;
    return (hash ^ hash >> 15) * 0xC2B2AE3Du >> (32 - BPE_JOIN_BITS);
}

static bool has_join(const struct bpe *bpe, uint32_t left, uint32_t right) {
    uint32_t bit = join_bit(left, right);
    return bpe->joins[bit / 64] >> bit % 64 & 1;
}

/* Parts: of the left character its last i bytes, of the right one its first j. */
static bool may_join_parts(const struct bpe *bpe, const struct bpe_letter *left,
                           const struct bpe_letter *right) {
    for (unsigned i = 1; i <= left->n; i++) {
        if (i < left->n && !(left->borders >> (left->n - i) & 1)) continue;
        uint32_t last = left->packed & (uint32_t)(((uint64_t)1 << 8 * i) - 1);
        for (unsigned j = 1; j <= right->n; j++) {
            if (j < right->n && !(right->borders >> j & 1)) continue;
            if (has_join(bpe, last, right->packed >> 8 * (right->n - j))) return true;
        }
    }
    return false;
}

bool bpe_may_join(const struct bpe *bpe, const struct bpe_letter *left,
                  const struct bpe_letter *right) {
    if (has_join(bpe, left->packed, right->packed)) return true;
    if (!(left->borders | right->borders)) return false;
    uint32_t edge = (left->packed & 0xFF) << 8 | right->packed >> 8 * (right->n - 1);
    return bpe->edges[edge / 64] >> edge % 64 & 1 && may_join_parts(bpe, left, right);
}

static void allow_join(struct bpe *bpe, uint32_t left, uint32_t right) {
    uint32_t bit = join_bit(left, right);
    bpe->joins[bit / 64] |= (uint64_t)1 << bit % 64;
}

static bool continues(char byte) { return ((unsigned char)byte & 0xC0) == 0x80; }

/* The place between text[at - 1] and text[at] of a token of bytes. Text is only cut between two
 * whole characters, so what cannot stand there is passed over. */
static void allow_join_of_bytes(struct bpe *bpe, const char *text, size_t len, size_t at) {
    size_t start = at - 1;
    bool unfinished = false;
    if (continues(text[at])) return;
    while (start > 0 && at - start < UTF8_MAX && continues(text[start]))
        start--;
    bool left_whole = (size_t)utf8_length(text + start, at - start) == at - start;
    if (!left_whole && !(start == 0 && continues(text[0]))) return;
    size_t right = (size_t)utf8_length(text + at, len - at);
    bool right_whole = right > 0;
    if (!right_whole) {
        right = (size_t)utf8_bad_length(text + at, len - at, &unfinished);
        if (!unfinished) return;
    }
    uint32_t left = pack(text + start, at - start);
    allow_join(bpe, left, pack(text + at, right));
    if (left_whole && right_whole) return;
    uint32_t edge = (left & 0xFF) << 8 | (unsigned char)text[at];
    bpe->edges[edge / 64] |= (uint64_t)1 << edge % 64;
}

void bpe_allow_joins(struct bpe *bpe, const char *text, size_t len) {
    if (bpe->bytes) {
        for (size_t at = 1; at < len; at++)
            allow_join_of_bytes(bpe, text, len, at);
        return;
    }
    uint32_t left = 0, right, code;
    for (size_t at = 0; at < len; left = right) {
        size_t start = at;
        at += (size_t)utf8_step(text + at, len - at, &code);
        right = pack(text + start, at - start);
        if (start > 0) allow_join(bpe, left, right);
    }
}
