#include "train/data/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(DATA_SHA256_BYTES == SHA256_DIGEST_LENGTH, "one sum");

static enum jl_status fail_errno(const char *what, const char *path, struct jl_error *err) {
    return jl_fail(err, JL_ERR_IO, "cannot %s %s: %m", what, path);
}

enum jl_status data_reader_open(const char *path, struct data_reader *out, struct jl_error *err) {
    struct stat st;
    *out = (struct data_reader){.fd = -1, .path = path, .cap = DATA_READER_BLOCK};
    SHA256Init(&out->sum);
    do { // a FIFO must be refused, not waited for
        out->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    } while (out->fd < 0 && errno == EINTR);
    if (out->fd < 0) return fail_errno("open", path, err);
    enum jl_status status = JL_OK;
    if (fstat(out->fd, &st) != 0)
        status = fail_errno("read the size of", path, err);
    else if (!S_ISREG(st.st_mode))
        status = jl_fail(err, JL_ERR_IO, "%s is not a regular file: give a JSON-lines file", path);
    else
        out->total = (uint64_t)st.st_size;
    if (status == JL_OK) {
        out->block = malloc(out->cap);
        if (!out->block)
            status = jl_fail(err, JL_ERR_MEMORY, "out of memory while reading %s", path);
    }
    if (status != JL_OK) data_reader_close(out);
    return status;
}

void data_reader_close(struct data_reader *reader) {
    if (reader->fd >= 0) close(reader->fd);
    free(reader->block);
    reader->fd = -1;
    reader->block = NULL;
}

/* Fills the block as far as the file goes. */
static enum jl_status fill(struct data_reader *r, struct jl_error *err) {
    if (r->start) memmove(r->block, r->block + r->start, r->end - r->start);
    r->end -= r->start;
    r->start = 0;
    while (r->end < r->cap && !r->at_end) {
        ssize_t got = read(r->fd, r->block + r->end, r->cap - r->end);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno("read", r->path, err);
        r->at_end = got == 0;
        SHA256Update(&r->sum, (const uint8_t *)r->block + r->end, (size_t)got);
        r->end += (size_t)got;
        r->done += (uint64_t)got;
    }
    return JL_OK;
}

static enum jl_status grow(struct data_reader *r, struct jl_error *err) {
    if (r->cap >= DATA_READER_MAX_LINE)
        return jl_fail(err, JL_ERR_LIMIT, "%s, line %llu has more than %zu bytes: split it",
                       r->path, (unsigned long long)r->line + 1, DATA_READER_MAX_LINE);
    char *grown = realloc(r->block, r->cap * 2);
    if (!grown)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for line %llu of %s",
                       (unsigned long long)r->line + 1, r->path);
    r->block = grown;
    r->cap *= 2;
    return JL_OK;
}

/* The next line of the block; at the end of the file, what is left of it. */
static bool take_line(struct data_reader *r, struct data_reader_line *out) {
    const char *from = r->block + r->start;
    size_t left = r->end - r->start;
    const char *newline = left ? memchr(from, '\n', left) : NULL;
    if (!newline && (left == 0 || !r->at_end)) return false;
    *out = (struct data_reader_line){from, newline ? (size_t)(newline - from) : left};
    r->start += out->n + (newline != NULL);
    r->line++;
    return true;
}

enum jl_status data_reader_lines(struct data_reader *r, size_t max, struct data_reader_line *lines,
                                 size_t *n, struct jl_error *err) {
    *n = 0;
    for (;;) {
        while (*n < max && take_line(r, &lines[*n]))
            ++*n;
        if (*n || (r->at_end && r->start == r->end)) return JL_OK;
        if (r->start == 0 && r->end == r->cap) JL_TRY(grow(r, err));
        JL_TRY(fill(r, err));
    }
}

enum jl_status data_reader_pass(struct data_reader *r, struct jl_error *err) {
    r->start = r->end;
    return fill(r, err);
}

void data_reader_sum(struct data_reader *r, uint8_t out[DATA_SHA256_BYTES]) {
    SHA256Final(out, &r->sum);
}
