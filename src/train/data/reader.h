/* Reads a source once, block by block: whole lines, and the SHA-256 of exactly the bytes that they
 * came from. Memory: a block, or the longest line. */
#ifndef JL_TRAIN_DATA_READER_H
#define JL_TRAIN_DATA_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sha256.h>

#include "base/status.h"

#define DATA_SHA256_BYTES 32
#define DATA_READER_BLOCK ((size_t)4 << 20)
#define DATA_READER_MAX_LINE ((size_t)256 << 20)

struct data_reader {
    int fd; // -1: not open
    const char *path;
    char *block; // heap; [start, end) is read and not given
    size_t cap, start, end;
    uint64_t total, done; // bytes of the file when it was opened, read so far
    uint64_t line;        // given so far
    bool at_end;
    SHA2_CTX sum;
};

struct data_reader_line {
    const char *bytes; // n, without the newline; valid until the next call
    size_t n;
};

/* Regular files only. `path` must outlive it. */
enum jl_status data_reader_open(const char *path, struct data_reader *out, struct jl_error *err);
void data_reader_close(struct data_reader *reader);

/* Up to `max` lines; *n is 0 at the end of the file. Where the lines are parted does not depend on
 * anything but the file. JL_ERR_LIMIT: a line is longer than DATA_READER_MAX_LINE. */
enum jl_status data_reader_lines(struct data_reader *reader, size_t max,
                                 struct data_reader_line *lines, size_t *n, struct jl_error *err);

/* Reads a block and gives nothing: for the sum alone. */
enum jl_status data_reader_pass(struct data_reader *reader, struct jl_error *err);

/* Of all that was read; once. */
void data_reader_sum(struct data_reader *reader, uint8_t out[DATA_SHA256_BYTES]);

#endif
