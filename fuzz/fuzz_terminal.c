/* What the chat screen takes in: a keyboard's bytes, a model's text, a saved conversation. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/chat/keys.h"
#include "cli/chat/saved.h"
#include "cli/chat/shown.h"
#include "text/utf8.h"

#define PIPE_BYTES ((size_t)32 << 10) // fits a pipe's buffer

static void try_keys(const uint8_t *data, size_t size) {
    int ends[2];
    struct keys keys;
    if (size > PIPE_BYTES || pipe(ends)) return;
    if (size && write(ends[1], data, size) != (ssize_t)size) abort();
    close(ends[1]);
    keys_open(&keys, ends[0]);
    for (size_t n = 0;; n++) {
        struct key key = keys_next(&keys);
        if (key.kind == KEY_CLOSED) break;
        if (n > size || key.code >= UTF8_CODE_END) abort(); // every key takes a byte or more
        if (key.kind == KEY_PASTE && keys.paste_len > size) abort();
    }
    keys_close(&keys);
    close(ends[0]);
}

/* Nothing that commands a terminal comes out, however the text was cut. */
static void try_shown(const char *text, size_t size) {
    struct shown shown = {0};
    struct byte_buffer out = {0};
    size_t cut = size / 2;
    while (cut < size && ((unsigned char)text[cut] & 0xC0) == 0x80)
        cut++;
    if (!shown_push(&shown, text, cut, &out) || !shown_push(&shown, text + cut, size - cut, &out) ||
        !shown_end(&shown, &out))
        abort();
    for (size_t at = 0; at < out.len;) {
        uint32_t code;
        at += (size_t)utf8_step(out.data + at, out.len - at, &code);
        bool control =
            (code < 0x20 && code != '\n' && code != '\t') || (code >= 0x7F && code < 0xA0);
        if (control || code >= UTF8_CODE_END || (code >= 0x202A && code <= 0x202E)) abort();
    }
    buffer_free(&out);
}

static void try_saved(const char *text, size_t size) {
    struct conversation said = {0}, again = {0};
    struct jl_error err;
    if (saved_parse("saved.json", text, size, &said, &err) == JL_OK) {
        char *list = json_dumps(said.messages, 0);
        if (!list || saved_parse("again.json", list, strlen(list), &again, &err) != JL_OK ||
            !json_equal(said.messages, again.messages))
            abort(); // what was read can be written and read again
        free(list);
    }
    conversation_free(&said);
    conversation_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    try_keys(data, size);
    try_shown((const char *)data, size);
    try_saved((const char *)data, size);
    return 0;
}
