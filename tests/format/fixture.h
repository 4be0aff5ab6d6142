/* Shared by the format tests: byte building, temporary folders, and small GGUF and safetensors
 * files made independently of the code under test. */
#ifndef TESTS_FORMAT_FIXTURE_H
#define TESTS_FORMAT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> // needs the above

#include "base/arena.h"
#include "base/status.h"

/* ---- growing bytes ---- */

struct bytes {
    uint8_t *data;
    size_t len, cap;
};
void add_raw(struct bytes *b, const void *data, size_t n);
void add_u8(struct bytes *b, unsigned value);
void add_u16(struct bytes *b, unsigned value);
void add_u32(struct bytes *b, uint32_t value);
void add_u64(struct bytes *b, uint64_t value);
void add_f32(struct bytes *b, float value);
void add_text(struct bytes *b, const char *text); // no NUL, no length
void add_zeros(struct bytes *b, size_t n);
void add_str(struct bytes *b, const char *text); // GGUF string: u64 length and bytes
void bytes_free(struct bytes *b);

/* ---- a GGUF file being drafted: a part that is left alone is valid ---- */

struct draft {
    const char *magic;        // NULL: "GGUF"
    uint32_t version;         // 0: 3
    uint64_t n_tensor, n_key; // counted by the helpers below
    uint32_t alignment;       // 0: 32; only the padding, the key is the test's business
    struct bytes keys, infos, data;
};
void draft_key(struct draft *d, const char *key, uint32_t type); // value follows in d->keys
void draft_u32(struct draft *d, const char *key, uint32_t value);
void draft_u16(struct draft *d, const char *key, unsigned value);
void draft_string(struct draft *d, const char *key, const char *text);
/* dims: innermost first, as in the file. */
void draft_info(struct draft *d, const char *name, uint32_t n_dim, const uint64_t *dims,
                uint32_t type, uint64_t offset);
/* An F32 vector of n elements behind the data so far, filled with first, first + 1, ... */
void draft_vector(struct draft *d, const char *name, unsigned n, float first);
struct bytes draft_finish(struct draft *d); // the whole file; frees the draft

/* A file with every value type, three tensors of different types and trailing bytes. */
struct bytes sample_gguf(uint32_t version);

/* ---- safetensors ---- */

struct bytes st_bytes(const char *header, size_t n_data); // data bytes count 0, 1, 2 ...

/* ---- temporary folders ---- */

struct folder {
    char path[512];
};
void folder_make(struct folder *folder);
void folder_remove(struct folder *folder);                              // with the files in it
const char *folder_file(const struct folder *folder, const char *name); // static buffers, 4 in turn
void write_bytes(const char *path, const void *data, size_t n);
void write_text(const char *path, const char *text);

/* ---- expectations ---- */

/* The status, and that the message holds each needle (NULL ends them) and is one printable line. */
void expect_error(const char *test, enum jl_status got, const struct jl_error *err,
                  enum jl_status want, const char *const *needles);

/* "../shared/NAME" seen from the source folder, or NULL, said aloud, where it is absent. */
const char *shared_path(const char *name);

#endif
