#include "serve/http/keys.h"

#include <sha2.h>
#include <stdlib.h>
#include <string.h>

/* ---- lines ---- */

struct line {
    const char *source;
    int number;
    const char *at, *end;
};

static enum jl_status bad_line(const struct line *line, const char *what, struct jl_error *err) {
    return jl_fail(err, JL_ERR_FORMAT,
                   "%s:%d: %s; a line is: NAME sha256:HEX [at-once=N] [per-minute=N] "
                   "[tokens-per-minute=N] [admin]",
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

bool http_key_good_name(const char *text, size_t len) {
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
    size_t label = strlen(HTTP_KEY_HASH);
    if (len != label + 64 || memcmp(word, HTTP_KEY_HASH, label)) return false;
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
    return value > 0 && value <= HTTP_KEY_MOST;
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
        bool known = len == 5 && !memcmp(word, "admin", 5) && !key->admin;
        if (known) key->admin = true;
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
    if (!http_key_good_name(word, len))
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
