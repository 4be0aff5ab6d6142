/* The keys file on the disk: who may have written it, and what is added to it or taken out. */
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "serve/http/keys.h"

/* ---- reading ---- */

static enum jl_status check_file(const char *path, const struct stat *info, struct jl_error *err) {
    if (!S_ISREG(info->st_mode))
        return jl_fail(err, JL_ERR_IO, "%s: a keys file is a regular file", path);
    if (info->st_uid != geteuid() && info->st_uid != 0)
        return jl_fail(err, JL_ERR_IO,
                       "%s: belongs to another user, who could change who may ask; refused", path);
    if (info->st_mode & 066)
        return jl_fail(err, JL_ERR_IO,
                       "%s: others can read or change it (mode %03o); refused: chmod 600 it", path,
                       (unsigned)info->st_mode & 0777);
    if (info->st_size > HTTP_KEYS_FILE_BYTES)
        return jl_fail(err, JL_ERR_LIMIT, "%s: longer than %d bytes", path, HTTP_KEYS_FILE_BYTES);
    return JL_OK;
}

/* All of an open file, on the heap, checked. */
static enum jl_status read_all(int fd, const char *path, char **text, size_t *len,
                               struct jl_error *err) {
    struct stat info;
    *text = NULL;
    *len = 0;
    if (fstat(fd, &info)) return jl_fail(err, JL_ERR_IO, "%s: %s", path, strerror(errno));
    JL_TRY(check_file(path, &info, err));
    size_t room = (size_t)info.st_size + 1;
    *text = malloc(room);
    if (!*text) return jl_fail(err, JL_ERR_MEMORY, "out of memory for %s", path);
    while (*len < room) {
        ssize_t n = read(fd, *text + *len, room - *len);
        if (n == 0) return JL_OK;
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) break;
        *len += (size_t)n;
    }
    int code = *len == room ? EAGAIN : errno;
    free(*text);
    *text = NULL;
    return jl_fail(err, JL_ERR_IO, "%s: %s", path,
                   code == EAGAIN ? "grew while it was read" : strerror(code));
}

static enum jl_status parse_fd(int fd, const char *path, struct http_keys *out,
                               struct jl_error *err) {
    char *text;
    size_t len;
    JL_TRY(read_all(fd, path, &text, &len, err));
    enum jl_status status = http_keys_parse(text, len, path, out, err);
    free(text);
    return status;
}

enum jl_status http_keys_read(const char *path, struct http_keys *out, struct jl_error *err) {
    *out = (struct http_keys){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return jl_fail(err, JL_ERR_IO, "%s: %s", path, strerror(errno));
    enum jl_status status = parse_fd(fd, path, out, err);
    close(fd);
    return status;
}

/* ---- a new key ---- */

static bool make_key(char key[HTTP_KEY_TEXT]) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t bytes[33] = {0}; // the last one is no part of the key: 43 digits are 258 bits
    if (getrandom(bytes, 32, 0) != 32) return false;
    char *at = stpcpy(key, "jl-");
    for (size_t i = 0; i < 43; i++) {
        size_t bit = i * 6, byte = bit / 8;
        unsigned two = (unsigned)bytes[byte] << 8 | (byte + 1 < 33 ? bytes[byte + 1] : 0);
        *at++ = digits[two >> (10 - bit % 8) & 63];
    }
    *at = 0;
    explicit_bzero(bytes, sizeof bytes);
    return true;
}

static int make_line(const struct http_key *row, bool newline, const char *key, char *out,
                     size_t size) {
    uint8_t hash[32];
    char text[65], limits[128] = "";
    SHA2_CTX sha;
    SHA256Init(&sha);
    SHA256Update(&sha, (const uint8_t *)key, strlen(key));
    SHA256Final(hash, &sha);
    for (size_t i = 0; i < 32; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    const struct {
        const char *name;
        unsigned value;
    } said[] = {{"at-once", row->at_once},
                {"per-minute", row->per_minute},
                {"tokens-per-minute", row->tokens_per_minute}};
    for (size_t i = 0, at = 0; i < 3; i++)
        if (said[i].value)
            at += (size_t)snprintf(limits + at, sizeof limits - at, " %s=%u", said[i].name,
                                   said[i].value);
    return snprintf(out, size, "%s%s " HTTP_KEY_HASH "%s%s%s\n", newline ? "\n" : "", row->name,
                    text, limits, row->admin ? " admin" : "");
}

/* To be changed by nobody else meanwhile. One that has been replaced while we waited for it is not
 * the file any more. */
static enum jl_status open_locked(const char *path, int flags, int *fd, struct jl_error *err) {
    struct stat ours, there;
    for (;;) {
        *fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | flags, 0600);
        if (*fd < 0) return jl_fail(err, JL_ERR_IO, "%s: %s", path, strerror(errno));
        if (flock(*fd, LOCK_EX) || fstat(*fd, &ours)) {
            close(*fd);
            return jl_fail(err, JL_ERR_IO, "%s: %s", path, strerror(errno));
        }
        bool same =
            !stat(path, &there) && there.st_dev == ours.st_dev && there.st_ino == ours.st_ino;
        if (same) return JL_OK;
        close(*fd);
    }
}

/* The file is open and locked. */
static enum jl_status append(int fd, const char *path, const struct http_key *row,
                             char key[HTTP_KEY_TEXT], struct jl_error *err) {
    struct http_keys keys;
    char *text, line[512];
    size_t len;
    JL_TRY(read_all(fd, path, &text, &len, err));
    bool newline = len && text[len - 1] != '\n';
    enum jl_status status = http_keys_parse(text, len, path, &keys, err);
    free(text);
    if (status != JL_OK) return status;
    bool there = http_keys_named(&keys, row->name);
    http_keys_free(&keys);
    if (there)
        return jl_fail(err, JL_ERR_USAGE,
                       "%s: has a key of the name '%s'; take another name, or its line out", path,
                       row->name);
    if (!make_key(key)) return jl_fail(err, JL_ERR_IO, "no random bytes: %s", strerror(errno));
    int n = make_line(row, newline, key, line, sizeof line);
    ssize_t written = write(fd, line, (size_t)n);
    if (written == n && fsync(fd) == 0) return JL_OK;
    int code = errno;
    explicit_bzero(key, HTTP_KEY_TEXT);
    if (written > 0 && ftruncate(fd, (off_t)len))
        return jl_fail(err, JL_ERR_IO, "%s: %s; its last line is broken now: remove it", path,
                       strerror(code));
    return jl_fail(err, JL_ERR_IO, "%s: %s", path, written < 0 ? strerror(code) : "not written");
}

enum jl_status http_keys_add(const char *path, const struct http_key *limits,
                             char key[HTTP_KEY_TEXT], struct jl_error *err) {
    key[0] = 0;
    if (!http_key_good_name(limits->name, strnlen(limits->name, HTTP_KEY_NAME)))
        return jl_fail(err, JL_ERR_USAGE,
                       "a key's name has up to 63 letters, digits, '.', '_', '@', '-'");
    if (limits->at_once > HTTP_KEY_MOST || limits->per_minute > HTTP_KEY_MOST ||
        limits->tokens_per_minute > HTTP_KEY_MOST)
        return jl_fail(err, JL_ERR_USAGE, "a key's limit is at most %u", HTTP_KEY_MOST);
    int fd;
    JL_TRY(open_locked(path, O_APPEND | O_CREAT, &fd, err));
    enum jl_status status = append(fd, path, limits, key, err);
    close(fd);
    return status;
}

/* ---- a key less ---- */

/* The line that `name` begins: from *from up to *to. */
static bool find_line(const char *text, size_t len, const char *name, size_t *from, size_t *to) {
    size_t n = strlen(name);
    for (*from = 0; *from < len; *from = *to) {
        const char *newline = memchr(text + *from, '\n', len - *from);
        *to = newline ? (size_t)(newline - text) + 1 : len;
        size_t word = *from;
        while (word < *to && strchr(" \t\r", text[word]) && text[word])
            word++;
        bool fits = *to - word > n && !memcmp(text + word, name, n);
        if (fits && (text[word + n] == ' ' || text[word + n] == '\t')) return true;
    }
    return false;
}

/* The file is open and locked, and another takes its place. */
static enum jl_status rewrite(int fd, const char *path, const char *name, struct jl_error *err) {
    struct http_keys keys;
    struct file_writer writer;
    char *text;
    size_t len, from = 0, to = 0;
    JL_TRY(read_all(fd, path, &text, &len, err));
    enum jl_status status = http_keys_parse(text, len, path, &keys, err);
    http_keys_free(&keys);
    if (status == JL_OK && !find_line(text, len, name, &from, &to))
        status = jl_fail(err, JL_ERR_USAGE, "%s: there is no such key as '%s'", path, name);
    if (status == JL_OK) status = file_writer_open(path, &writer, err);
    if (status == JL_OK) {
        fwrite(text, 1, from, writer.stream); // what failed, commit says
        fwrite(text + to, 1, len - to, writer.stream);
        status = file_writer_commit(&writer, err);
    }
    free(text);
    return status;
}

enum jl_status http_keys_remove(const char *path, const char *name, struct jl_error *err) {
    int fd;
    if (!http_key_good_name(name, strnlen(name, HTTP_KEY_NAME)))
        return jl_fail(err, JL_ERR_USAGE, "%s: there is no such key", path);
    JL_TRY(open_locked(path, 0, &fd, err));
    enum jl_status status = rewrite(fd, path, name, err);
    close(fd);
    return status;
}
