#include "text/buffer.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* Room for `more` items of `size` bytes after `len`; at least doubles, so that appends are cheap.
 */
static bool grow(void **data, size_t len, size_t *cap, size_t more, size_t size) {
    size_t need, want, bytes;
    if (!size_add(len, more, &need)) return false;
    if (need <= *cap && *data) return true;
    if (!size_mul(*cap, 2, &want)) want = need;
    if (want < need) want = need;
    if (want < 64) want = 64;
    if (!size_mul(want, size, &bytes)) return false;
    void *grown = realloc(*data, bytes);
    if (!grown) return false;
    *data = grown;
    *cap = want;
    return true;
}

bool buffer_reserve(struct byte_buffer *buffer, size_t more) {
    void *data = buffer->data;
    bool ok = grow(&data, buffer->len, &buffer->cap, more, 1);
    buffer->data = data;
    return ok;
}

bool buffer_append(struct byte_buffer *buffer, const char *bytes, size_t len) {
    if (!buffer_reserve(buffer, len)) return false;
    if (len) memcpy(buffer->data + buffer->len, bytes, len);
    buffer->len += len;
    return true;
}

void buffer_free(struct byte_buffer *buffer) {
    free(buffer->data);
    *buffer = (struct byte_buffer){0};
}

bool buffer_reserve_ids(struct id_buffer *buffer, size_t more) {
    void *data = buffer->data;
    bool ok = grow(&data, buffer->len, &buffer->cap, more, sizeof *buffer->data);
    buffer->data = data;
    return ok;
}

bool buffer_append_id(struct id_buffer *buffer, int32_t id) {
    if (!buffer_reserve_ids(buffer, 1)) return false;
    buffer->data[buffer->len++] = id;
    return true;
}
