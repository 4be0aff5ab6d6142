#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TMP_ATTEMPTS 100 // names tried for the temporary file
#define READ_CHUNK ((size_t)16 << 10)

/* %m is errno's text (glibc, musl); nothing may touch errno between the failure and this call. */
static enum jl_status fail_errno(struct jl_error *err, const char *what, const char *path) {
    return jl_fail(err, errno == ENOMEM ? JL_ERR_MEMORY : JL_ERR_IO, "cannot %s %s: %m", what,
                   path);
}

static enum jl_status fail_memory(struct jl_error *err, const char *path) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while handling the file %s", path);
}

bool file_is_dir(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool file_exists(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

static int open_retry(const char *path, int flags, mode_t mode) {
    int fd;
    do {
        fd = open(path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* ---- maps ---- */

static enum jl_status map_fd(int fd, const char *path, struct file_map *out, struct jl_error *err) {
    struct stat st;
    if (fstat(fd, &st) != 0) return fail_errno(err, "read the size of", path);
    if (S_ISDIR(st.st_mode))
        return jl_fail(err, JL_ERR_IO, "%s is a directory, a file is needed here", path);
    if (!S_ISREG(st.st_mode))
        return jl_fail(err, JL_ERR_IO, "%s is not a regular file and cannot be mapped", path);
    if ((uintmax_t)st.st_size > (uintmax_t)PTRDIFF_MAX)
        return jl_fail(err, JL_ERR_LIMIT, "%s has %jd bytes, more than this machine can address",
                       path, (intmax_t)st.st_size);
    out->size = (size_t)st.st_size;
    if (out->size == 0) return JL_OK; // mmap refuses a length of 0
    void *data = mmap(NULL, out->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) return fail_errno(err, "map", path);
    out->data = data;
    return JL_OK;
}

enum jl_status file_map_open(const char *path, struct file_map *out, struct jl_error *err) {
    *out = (struct file_map){0};
    int fd = open_retry(path, O_RDONLY | O_NONBLOCK, 0); // a FIFO must be refused, not waited for
    if (fd < 0) return fail_errno(err, "open", path);
    enum jl_status status = map_fd(fd, path, out, err);
    close(fd);
    if (status == JL_OK) {
        out->path = strdup(path);
        if (!out->path) status = fail_memory(err, path);
    }
    if (status != JL_OK) file_map_close(out);
    return status;
}

void file_map_close(struct file_map *map) {
    if (!map) return;
    if (map->data) munmap((void *)(uintptr_t)map->data, map->size);
    free(map->path);
    *map = (struct file_map){0};
}

/* ---- whole reads ---- */

/* Reads to the end rather than trusting st_size: pipes and /proc report 0. */
static enum jl_status read_fd(int fd, const char *path, size_t first, size_t limit, char **text,
                              size_t *size, struct jl_error *err) {
    size_t used = 0, cap = first;
    char *buffer = malloc(cap);
    if (!buffer) return fail_memory(err, path);
    for (;;) {
        if (cap - used < 2) { // room for one byte and the NUL
            size_t larger = cap > SIZE_MAX / 2 ? SIZE_MAX : cap * 2;
            char *grown = realloc(buffer, larger);
            if (!grown) {
                free(buffer);
                return fail_memory(err, path);
            }
            buffer = grown;
            cap = larger;
        }
        ssize_t got = read(fd, buffer + used, cap - used - 1);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            enum jl_status status = fail_errno(err, "read", path);
            free(buffer);
            return status;
        }
        if (got == 0) break;
        used += (size_t)got;
        if (used > limit) {
            free(buffer);
            return jl_fail(err, JL_ERR_LIMIT, "%s is larger than the %zu bytes allowed here", path,
                           limit);
        }
    }
    buffer[used] = '\0';
    *text = buffer;
    if (size) *size = used;
    return JL_OK;
}

static enum jl_status read_path(const char *path, bool regular, size_t limit, char **text,
                                size_t *size, struct jl_error *err) {
    *text = NULL;
    if (size) *size = 0;
    int fd = open_retry(path, O_RDONLY | (regular ? O_NONBLOCK : 0), 0);
    if (fd < 0) return fail_errno(err, "open", path);
    struct stat st;
    enum jl_status status;
    size_t first = READ_CHUNK;
    if (fstat(fd, &st) != 0) {
        status = fail_errno(err, "read the size of", path);
    } else if (S_ISDIR(st.st_mode)) {
        status = jl_fail(err, JL_ERR_IO, "%s is a directory, a file is needed here", path);
    } else if (regular && !S_ISREG(st.st_mode)) {
        status = jl_fail(err, JL_ERR_IO, "%s is not a regular file and is not read", path);
    } else if (S_ISREG(st.st_mode) && st.st_size > 0 && (uintmax_t)st.st_size > limit) {
        status = jl_fail(err, JL_ERR_LIMIT, "%s has %jd bytes, more than the %zu allowed here",
                         path, (intmax_t)st.st_size, limit);
    } else {
        if (S_ISREG(st.st_mode) && (uintmax_t)st.st_size < SIZE_MAX / 2)
            first = (size_t)st.st_size + 2; // one read takes all, the next sees the end
        status = read_fd(fd, path, first, limit, text, size, err);
    }
    close(fd);
    return status;
}

enum jl_status file_read(const char *path, size_t limit, char **text, size_t *size,
                         struct jl_error *err) {
    return read_path(path, false, limit, text, size, err);
}

enum jl_status file_read_standard(size_t limit, char **text, size_t *size, struct jl_error *err) {
    *text = NULL;
    if (size) *size = 0;
    return read_fd(STDIN_FILENO, "standard input", READ_CHUNK, limit, text, size, err);
}

enum jl_status file_read_regular(const char *path, size_t limit, char **text, size_t *size,
                                 struct jl_error *err) {
    return read_path(path, true, limit, text, size, err);
}

bool file_begins(const char *path, const char *bytes, size_t n) {
    char first[16];
    struct stat st;
    int fd = open_retry(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) return false;
    bool same = n <= sizeof first && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
                read(fd, first, n) == (ssize_t)n && memcmp(first, bytes, n) == 0;
    close(fd);
    return same;
}

/* ---- whole-or-absent writes ---- */

/* Creates a file that did not exist, beside the target so that rename stays in one file system. */
static int create_tmp(struct file_writer *writer) {
    size_t len = strlen(writer->path) + 48;
    writer->tmp_path = malloc(len);
    if (!writer->tmp_path) {
        errno = ENOMEM;
        return -1;
    }
    for (int attempt = 0; attempt < TMP_ATTEMPTS; attempt++) {
        if (attempt == 0)
            snprintf(writer->tmp_path, len, "%s.tmp-%ld", writer->path, (long)getpid());
        else
            snprintf(writer->tmp_path, len, "%s.tmp-%ld-%d", writer->path, (long)getpid(), attempt);
        int fd = open_retry(writer->tmp_path, O_WRONLY | O_CREAT | O_EXCL, 0666);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

static void forget(struct file_writer *writer) {
    free(writer->path);
    free(writer->tmp_path);
    *writer = (struct file_writer){0};
}

enum jl_status file_writer_open(const char *path, struct file_writer *out, struct jl_error *err) {
    *out = (struct file_writer){0};
    enum jl_status status;
    struct stat st;
    bool exists = stat(path, &st) == 0;
    int fd = -1;
    if (exists && !S_ISREG(st.st_mode))
        return jl_fail(err, JL_ERR_IO, "cannot write %s: it is %s, not a regular file", path,
                       S_ISDIR(st.st_mode) ? "a directory" : "a device, pipe or socket");
    out->path = exists ? realpath(path, NULL) : strdup(path);
    if (!out->path) return fail_errno(err, "resolve", path);

    fd = create_tmp(out);
    if (fd < 0) {
        status = fail_errno(err, "create a temporary file beside", path);
        goto fail;
    }
    if (exists && fchmod(fd, st.st_mode & 0777) != 0) {
        status = fail_errno(err, "copy the permissions of", path);
        goto fail;
    }
    out->stream = fdopen(fd, "wb");
    if (!out->stream) {
        status = fail_memory(err, path);
        goto fail;
    }
    return JL_OK;

fail:
    if (fd >= 0) {
        close(fd);
        unlink(out->tmp_path);
    }
    forget(out);
    return status;
}

/* The name is durable only once its directory is; some file systems cannot sync one (EINVAL). */
static enum jl_status sync_dir_of(const char *path, struct jl_error *err) {
    const char *slash = strrchr(path, '/');
    char *dir = !slash          ? strdup(".")
                : slash == path ? strdup("/")
                                : strndup(path, (size_t)(slash - path));
    if (!dir) return fail_memory(err, path);
    enum jl_status status = JL_OK;
    int fd = open_retry(dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP))
        status =
            jl_fail(err, JL_ERR_IO, "%s is written, but its directory cannot be synced: %m", path);
    if (fd >= 0) close(fd);
    free(dir);
    return status;
}

enum jl_status file_writer_commit(struct file_writer *writer, struct jl_error *err) {
    if (!writer->stream)
        return jl_fail(err, JL_ERR_USAGE, "a file writer was committed twice or never opened");
    errno = 0;
    if (fflush(writer->stream) != 0 || ferror(writer->stream)) {
        if (errno == 0) errno = EIO; // an earlier write failed; its errno is gone
        fail_errno(err, "write", writer->path);
        goto fail;
    }
    if (fsync(fileno(writer->stream)) != 0) {
        fail_errno(err, "sync", writer->path);
        goto fail;
    }
    int closed = fclose(writer->stream);
    writer->stream = NULL;
    if (closed != 0) {
        fail_errno(err, "close", writer->path);
        goto fail;
    }
    if (rename(writer->tmp_path, writer->path) != 0) {
        fail_errno(err, "move the finished file to", writer->path);
        goto fail;
    }
    enum jl_status status = sync_dir_of(writer->path, err);
    forget(writer);
    return status;

fail:
    file_writer_abort(writer);
    return JL_ERR_IO;
}

void file_writer_abort(struct file_writer *writer) {
    if (!writer || !writer->path) return;
    if (writer->stream) fclose(writer->stream);
    unlink(writer->tmp_path);
    forget(writer);
}

char *file_path_in(const char *folder, const char *name) {
    char *path;
    size_t len = strlen(folder);
    const char *slash = len && folder[len - 1] == '/' ? "" : "/";
    return asprintf(&path, "%s%s%s", folder, slash, name) < 0 ? NULL : path;
}
