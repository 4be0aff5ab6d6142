/* The records of a session file (docs/sessions.md), as they stand in it: little-endian, no padding.
 * For session_save.c and session_load.c. */
#ifndef JL_SESSION_SESSION_FORMAT_H
#define JL_SESSION_SESSION_FORMAT_H

#include <xxhash.h>

#include "model/fingerprint.h"
#include "session/session_self.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "session files are little-endian and written as they stand in memory"
#endif

#define SESSION_MAGIC "JLSESS\r\n"
#define SESSION_PAGE_MAGIC "JLPAGE\r\n"
#define SESSION_VERSION 1
#define SESSION_SUM_BYTES 16

struct session_head {
    char magic[8];
    uint32_t version, head_bytes;
    uint64_t file_bytes;
    char cls[CLASS_NAME_BYTES]; // numeric class with the version of the rules, zero-padded
    uint8_t model[FINGERPRINT_BYTES];
    uint64_t page_bytes, recurrent_bytes;
    uint32_t n_token, n_page;
    uint32_t n_recur; // 0, or 1 and the checkpoints
    uint32_t n_vocab; // of the logits, 0: they are not known
    uint32_t n_prompt, n_ahead;
    uint8_t zero[96];
    uint8_t sum[SESSION_SUM_BYTES]; // of all before
};
_Static_assert(sizeof(struct session_head) == 256, "the format says so");

enum session_page_kind {
    SESSION_PAGE_KEYS,
    SESSION_PAGE_NOW,
    SESSION_PAGE_ROAD,
    SESSION_PAGE_TURN
};

struct session_page_head {
    char magic[8];
    uint32_t version, kind;
    uint32_t first, n_pos; // keys: positions first .. first+n_pos-1; else: after n_pos positions
    uint64_t bytes;        // of the data that follow
    uint64_t chain;        // keys: hash of all tokens up to the page's last
    uint8_t data_sum[SESSION_SUM_BYTES];
    uint8_t summary[56];            // room for what attention may want to know of it: zeros
    uint8_t sum[SESSION_SUM_BYTES]; // of all before
};
_Static_assert(sizeof(struct session_page_head) == 128, "the format says so");

/* After the last record: a checksum of the whole file before it. */

static inline void session_sum(const void *data, size_t bytes, uint8_t out[SESSION_SUM_BYTES]) {
    XXH128_canonical_t sum;
    XXH128_canonicalFromHash(&sum, XXH3_128bits(data, bytes));
    __builtin_memcpy(out, &sum, sizeof sum);
}

/* Fills magic, version, class, model and sizes: all that a set decides. */
enum jl_status session_head_of(struct session_set *set, struct session_head *out,
                               struct jl_error *err);
/* Bytes of a file with these counts; false when they overflow. */
bool session_file_bytes(const struct session_head *head, uint64_t *out);

#endif
