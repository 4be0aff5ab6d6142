#include "serve/http/keys.h"

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

#define HASH_LABEL "sha256:"
#define MAX_LIMIT 1000000000u

/* ---- lines ---- */

struct line {
    const char *source;
    int number;
    const char *at, *end;
};

static enum jl_status bad_line(const struct line *line, const char *what, struct jl_error *err) {
    return jl_fail(err, JL_ERR_FORMAT,
                   "%s:%d: %s; a line is: NAME sha256:HEX [at-once=N] [per-minute=N] "
                   "[tokens-per-minute=N]",
                   line->source, line->number, what);
}

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* The next word; false at the end of the line or where a comment begins. */
static bool next_word(struct line *line, const char **word, size_t *len) {
    while (line->at < line->end && blank(*line->at))
        line->at++;
    *word = line->at;
    while (line->at < line->end && !blank(*line->at))
        line->at++;
    *len = (size_t)(line->at - *word);
    return *len > 0 && **word != '#';
}

static bool good_name(const char *text, size_t len) {
    if (len == 0 || len >= HTTP_KEY_NAME || text[0] == '#') return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && !strchr("._@-", c)) return false;
        if (c == 0) return false;
    }
    return true;
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

static bool read_hash(const char *word, size_t len, uint8_t out[32]) {
    size_t label = strlen(HASH_LABEL);
    if (len != label + 64 || memcmp(word, HASH_LABEL, label)) return false;
    for (size_t i = 0; i < 32; i++) {
        int high = hex(word[label + 2 * i]), low = hex(word[label + 2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static bool read_limit(const char *text, size_t len, unsigned *out) {
    uint64_t value = 0;
    if (len == 0 || len > 10 || *out) return false; // said twice
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *out = (unsigned)value;
    return value > 0 && value <= MAX_LIMIT;
}

static bool read_limits(struct line *line, struct http_key *key) {
    const char *word;
    size_t len;
    const struct {
        const char *name;
        unsigned *value;
    } limits[] = {{"at-once=", &key->at_once},
                  {"per-minute=", &key->per_minute},
                  {"tokens-per-minute=", &key->tokens_per_minute}};
    while (next_word(line, &word, &len)) {
        bool known = false;
        for (size_t i = 0; i < 3; i++) {
            size_t n = strlen(limits[i].name);
            if (len < n || memcmp(word, limits[i].name, n)) continue;
            known = read_limit(word + n, len - n, limits[i].value);
        }
        if (!known) return false;
    }
    return true;
}

static enum jl_status read_line(struct line *line, struct http_keys *keys, struct jl_error *err) {
    struct http_key key = {0};
    const char *word;
    size_t len;
    if (!next_word(line, &word, &len)) return JL_OK;
    if (!good_name(word, len))
        return bad_line(line, "a name has up to 63 letters, digits, '.', '_', '@', '-'", err);
    memcpy(key.name, word, len);
    if (!next_word(line, &word, &len) || !read_hash(word, len, key.hash))
        return bad_line(line, "after the name comes sha256: and 64 hexadecimal digits", err);
    if (!read_limits(line, &key))
        return bad_line(line, "a limit is not known, said twice, or no number from 1 on", err);
    for (size_t i = 0; i < keys->n; i++)
        if (!strcmp(keys->rows[i].name, key.name) || !memcmp(keys->rows[i].hash, key.hash, 32))
            return bad_line(line, "the name or the hash is there already", err);
    if (!(keys->n & (keys->n - 1))) { // a power of two, or none: full
        size_t room = keys->n ? 2 * keys->n : 1;
        struct http_key *rows = realloc(keys->rows, room * sizeof *rows);
        if (!rows) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the keys");
        keys->rows = rows;
    }
    keys->rows[keys->n++] = key;
    return JL_OK;
}

enum jl_status http_keys_parse(const char *text, size_t len, const char *source,
                               struct http_keys *out, struct jl_error *err) {
    struct line line = {.source = source};
    *out = (struct http_keys){0};
    for (size_t at = 0; at < len;) {
        const char *newline = memchr(text + at, '\n', len - at);
        size_t n = newline ? (size_t)(newline - text) - at : len - at;
        line.number++;
        line.at = text + at;
        line.end = text + at + n;
        enum jl_status status = read_line(&line, out, err);
        if (status != JL_OK) {
            http_keys_free(out);
            return status;
        }
        at += n + 1;
    }
    return JL_OK;
}

void http_keys_free(struct http_keys *keys) {
    free(keys->rows);
    *keys = (struct http_keys){0};
}

/* ---- the file ---- */

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

/* ---- finding ---- */

struct http_key *http_keys_find(const struct http_keys *keys, const char *key) {
    uint8_t hash[32];
    SHA2_CTX sha;
    size_t len = strnlen(key, HTTP_KEY_PRESENTED + 1), found = 0;
    if (len > HTTP_KEY_PRESENTED) return NULL;
    SHA256Init(&sha);
    SHA256Update(&sha, (const uint8_t *)key, len);
    SHA256Final(hash, &sha);
    for (size_t i = 0; i < keys->n; i++) {
        unsigned differs = 0;
        for (size_t k = 0; k < 32; k++)
            differs |= (unsigned)(hash[k] ^ keys->rows[i].hash[k]);
        size_t same = (size_t)0 - ((differs - 1) >> 31); // all ones where nothing differs
        found |= (i + 1) & same;
    }
    return found ? &keys->rows[found - 1] : NULL;
}

struct http_key *http_keys_named(const struct http_keys *keys, const char *name) {
    for (size_t i = 0; i < keys->n; i++)
        if (!strcmp(keys->rows[i].name, name)) return &keys->rows[i];
    return NULL;
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
    return snprintf(out, size, "%s%s " HASH_LABEL "%s%s\n", newline ? "\n" : "", row->name, text,
                    limits);
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
    if (!good_name(limits->name, strnlen(limits->name, HTTP_KEY_NAME)))
        return jl_fail(err, JL_ERR_USAGE,
                       "a key's name has up to 63 letters, digits, '.', '_', '@', '-'");
    if (limits->at_once > MAX_LIMIT || limits->per_minute > MAX_LIMIT ||
        limits->tokens_per_minute > MAX_LIMIT)
        return jl_fail(err, JL_ERR_USAGE, "a key's limit is at most %u", MAX_LIMIT);
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd < 0) return jl_fail(err, JL_ERR_IO, "%s: %s", path, strerror(errno));
    enum jl_status status = JL_OK;
    if (flock(fd, LOCK_EX))
        status = jl_fail(err, JL_ERR_IO, "%s: %s", path, strerror(errno));
    else
        status = append(fd, path, limits, key, err);
    close(fd);
    return status;
}
