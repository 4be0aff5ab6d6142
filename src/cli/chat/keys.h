/* Bytes of a terminal's keyboard as keys: characters, arrows whatever their escape sequence, and a
 * pasted block as one key (bracketed paste, ESC [ 200 ~ ... ESC [ 201 ~).
 *
 * Sequences that are no known key vanish: they must not become text. */
#ifndef JL_CLI_CHAT_KEYS_H
#define JL_CLI_CHAT_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_kind {
    KEY_CHAR, // `code`; control characters too
    KEY_ALT,  // ESC and `code`
    KEY_UP,
    KEY_DOWN,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_HOME,
    KEY_END,
    KEY_DELETE,
    KEY_WORD_LEFT,
    KEY_WORD_RIGHT,
    KEY_PASTE,    // keys->paste
    KEY_OVERLONG, // a pasted block above KEYS_PASTE_LIMIT, which is dropped whole
    KEY_SIGNAL,   // a signal came while waiting
    KEY_CLOSED,   // end of input
};

struct key {
    enum key_kind kind;
    uint32_t code; // code point; U+FFFD for bytes that are no character
};

#define KEYS_PASTE_LIMIT ((size_t)16 << 20)

struct keys {
    int fd;
    unsigned char bytes[4096]; // read, not yet used: [at, len)
    size_t at, len;
    char *paste; // of the last KEY_PASTE: paste_len bytes and a NUL; line ends are \n
    size_t paste_len, paste_cap;
};

void keys_open(struct keys *keys, int fd);
void keys_close(struct keys *keys);
struct key keys_next(struct keys *keys); // waits

/* The next byte as it comes, or one of these; wait_ms < 0 waits for ever. */
enum { KEYS_NONE = -1, KEYS_SIGNAL = -2, KEYS_CLOSED = -3 };
int keys_byte(struct keys *keys, int wait_ms);

#endif
