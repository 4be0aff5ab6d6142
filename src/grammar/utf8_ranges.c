#include "grammar/utf8_ranges.h"

#include <stdbool.h>
#include <string.h>

#include "text/utf8.h"

static uint32_t tail(struct utf8_ranges *out, int n) {
    if (n == 0) return out->to;
    if (!out->tail[n]) {
        uint32_t next = tail(out, n - 1);
        out->tail[n] = out->place(out->ctx);
        out->byte(out->ctx, out->tail[n], next, 0x80, 0xBF);
    }
    return out->tail[n];
}

static bool all(const uint8_t *bytes, int n, uint8_t value) {
    for (int i = 0; i < n; i++)
        if (bytes[i] != value) return false;
    return true;
}

/* Texts of n bytes from `low` to `high`, in which every byte behind the first may be any
 * continuation byte between the two. */
static void span(struct utf8_ranges *out, uint32_t from, const uint8_t *low, const uint8_t *high,
                 int n) {
    static const uint8_t least[3] = {0x80, 0x80, 0x80}, most[3] = {0xBF, 0xBF, 0xBF};
    uint8_t first = low[0], last = high[0];
    if (n == 1) {
        out->byte(out->ctx, from, out->to, first, last);
        return;
    }
    if (first == last && !(all(low + 1, n - 1, 0x80) && all(high + 1, n - 1, 0xBF))) {
        uint32_t next = out->place(out->ctx);
        out->byte(out->ctx, from, next, first, first);
        span(out, next, low + 1, high + 1, n - 1);
        return;
    }
    if (!all(low + 1, n - 1, 0x80)) {
        uint32_t next = out->place(out->ctx);
        out->byte(out->ctx, from, next, first, first);
        span(out, next, low + 1, most, n - 1);
        first++;
    }
    if (!all(high + 1, n - 1, 0xBF)) {
        uint32_t next = out->place(out->ctx);
        out->byte(out->ctx, from, next, last, last);
        span(out, next, least, high + 1, n - 1);
        last--;
    }
    if (first <= last) out->byte(out->ctx, from, tail(out, n - 1), first, last);
}

void utf8_ranges_add(struct utf8_ranges *out, uint32_t from, uint32_t first, uint32_t last) {
    static const uint32_t ends[] = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};
    for (int i = 0; i < 4 && first <= last; i++) {
        if (first > ends[i]) continue;
        uint32_t stop = last < ends[i] ? last : ends[i];
        char low[UTF8_MAX], high[UTF8_MAX];
        int n = utf8_encode(first, low);
        utf8_encode(stop, high);
        span(out, from, (const uint8_t *)low, (const uint8_t *)high, n);
        first = stop + 1;
    }
}
