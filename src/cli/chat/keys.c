#include "cli/chat/keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/chat/signals.h"
#include "text/utf8.h"

#define ESC 0x1b
#define REPLACEMENT 0xFFFDu
#define ESCAPE_WAIT_MS 50  // a sequence's bytes come together; the ESC key comes alone
#define PASTE_WAIT_MS 3000 // a block whose end was lost ends by itself
#define MAX_PARAMETERS 32

void keys_open(struct keys *keys, int fd) { *keys = (struct keys){.fd = fd}; }

void keys_close(struct keys *keys) {
    free(keys->paste);
    *keys = (struct keys){.fd = -1};
}

int keys_byte(struct keys *keys, int wait_ms) {
    if (keys->at < keys->len) return keys->bytes[keys->at++];
    enum signals_event event = signals_wait(keys->fd, wait_ms);
    if (event != SIGNALS_READABLE) return event == SIGNALS_TIME ? KEYS_NONE : KEYS_SIGNAL;
    ssize_t got = read(keys->fd, keys->bytes, sizeof keys->bytes);
    if (got < 0 && errno == EINTR) return KEYS_SIGNAL;
    if (got <= 0) return KEYS_CLOSED;
    keys->at = 1;
    keys->len = (size_t)got;
    return keys->bytes[0];
}

static void put_back(struct keys *keys) {
    if (keys->at) keys->at--;
}

static struct key no_byte(int byte) {
    return (struct key){byte == KEYS_SIGNAL ? KEY_SIGNAL : KEY_CLOSED, 0};
}

/* The character that begins with `first`. */
static struct key character(struct keys *keys, int first) {
    char text[UTF8_MAX] = {(char)first};
    size_t len = 1;
    uint32_t code;
    bool more;
    while (utf8_length(text, len) == 0) {
        utf8_bad_length(text, len, &more);
        int byte = more && len < UTF8_MAX ? keys_byte(keys, -1) : KEYS_NONE;
        if (byte == KEYS_SIGNAL) continue;
        if (byte < 0) return (struct key){KEY_CHAR, REPLACEMENT};
        text[len] = (char)byte;
        utf8_bad_length(text, len + 1, &more);
        if (utf8_length(text, len + 1) == 0 && !more) { // the byte belongs to what comes next
            put_back(keys);
            return (struct key){KEY_CHAR, REPLACEMENT};
        }
        len++;
    }
    utf8_decode(text, len, &code);
    return (struct key){KEY_CHAR, code};
}

static bool paste_byte(struct keys *keys, int byte) {
    if (keys->paste_len + 2 > keys->paste_cap) {
        size_t cap = keys->paste_cap ? 2 * keys->paste_cap : 4096;
        char *grown = cap > 2 * KEYS_PASTE_LIMIT ? NULL : realloc(keys->paste, cap);
        if (!grown) return false;
        keys->paste = grown;
        keys->paste_cap = cap;
    }
    keys->paste[keys->paste_len++] = (char)byte;
    keys->paste[keys->paste_len] = 0;
    return true;
}

/* \r\n and \r become \n: terminals send Enter's code for a line end. */
static void unify_line_ends(struct keys *keys) {
    size_t to = 0;
    for (size_t i = 0; i < keys->paste_len; i++) {
        char c = keys->paste[i];
        if (c == '\r') {
            if (i + 1 < keys->paste_len && keys->paste[i + 1] == '\n') continue;
            c = '\n';
        }
        keys->paste[to++] = c;
    }
    keys->paste_len = to;
    if (keys->paste) keys->paste[to] = 0;
}

static struct key paste(struct keys *keys) {
    static const char end[] = "\033[201~";
    const size_t n_end = sizeof end - 1;
    size_t matched = 0;
    bool fits = true;
    keys->paste_len = 0;
    while (matched < n_end) {
        int byte = keys_byte(keys, PASTE_WAIT_MS);
        if (byte == KEYS_SIGNAL) continue;
        if (byte < 0) break;
        if (byte == end[matched]) {
            matched++;
            continue;
        }
        for (size_t i = 0; i < matched && fits; i++) // only its first byte can begin the end again
            fits = paste_byte(keys, end[i]);
        matched = byte == end[0];
        if (!matched && fits) fits = paste_byte(keys, byte);
        fits = fits && keys->paste_len <= KEYS_PASTE_LIMIT;
    }
    if (!fits) return (struct key){KEY_OVERLONG, 0};
    unify_line_ends(keys);
    return (struct key){KEY_PASTE, 0};
}

/* ESC [ parameters final, and ESC O final: what xterm, the Linux console, tmux and rxvt send. */
static enum key_kind named(const char *parameters, int final, bool *known) {
    bool word = strstr(parameters, ";5") || strstr(parameters, ";3");
    *known = true;
    switch (final) {
    case 'A': return KEY_UP;
    case 'B': return KEY_DOWN;
    case 'C': return word ? KEY_WORD_RIGHT : KEY_RIGHT;
    case 'D': return word ? KEY_WORD_LEFT : KEY_LEFT;
    case 'H': return KEY_HOME;
    case 'F': return KEY_END;
    case '~':
        switch (atoi(parameters)) {
        case 1:
        case 7: return KEY_HOME;
        case 4:
        case 8: return KEY_END;
        case 3: return KEY_DELETE;
        case 200: return KEY_PASTE;
        default: break;
        }
        break;
    default: break;
    }
    *known = false;
    return KEY_CHAR;
}

/* After ESC [ or ESC O. false: no key we know. */
static bool sequence(struct keys *keys, bool csi, struct key *out) {
    char parameters[MAX_PARAMETERS] = {0};
    size_t n = 0;
    int byte;
    bool known;
    for (;;) {
        byte = keys_byte(keys, ESCAPE_WAIT_MS);
        if (byte == KEYS_SIGNAL) continue;
        if (byte < 0) return false;
        if (!csi || byte >= 0x40) break;
        if (byte < 0x20) { // not a sequence after all
            put_back(keys);
            return false;
        }
        if (n + 1 < sizeof parameters) parameters[n++] = (char)byte;
    }
    *out = (struct key){named(parameters, byte, &known), 0};
    if (known && out->kind == KEY_PASTE) *out = paste(keys);
    return known;
}

struct key keys_next(struct keys *keys) {
    for (;;) {
        int byte = keys_byte(keys, -1);
        struct key key;
        if (byte < 0) return no_byte(byte);
        if (byte != ESC) return character(keys, byte);
        do {
            byte = keys_byte(keys, ESCAPE_WAIT_MS);
        } while (byte == ESC); // Alt held with an arrow: ESC ESC [ A
        if (byte == KEYS_SIGNAL || byte == KEYS_CLOSED) return no_byte(byte);
        if (byte == KEYS_NONE) continue; // the ESC key alone means nothing here
        if (byte == '[' || byte == 'O') {
            if (sequence(keys, byte == '[', &key)) return key;
            continue;
        }
        key = character(keys, byte);
        key.kind = KEY_ALT;
        return key;
    }
}
