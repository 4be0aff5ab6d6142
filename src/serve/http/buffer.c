#include <stdlib.h>
#include <string.h>

#include "serve/http/self.h"

#define SMALL 512 // bytes that an idle stream may keep

bool http_buffer_add(struct http_buffer *buffer, const char *bytes, size_t n) {
    if (buffer->start && buffer->start + buffer->len + n > buffer->room) {
        memmove(buffer->data, buffer->data + buffer->start, buffer->len);
        buffer->start = 0;
    }
    if (buffer->len + n > buffer->room) {
        size_t room = buffer->room ? buffer->room : 256;
        while (room < buffer->len + n)
            room *= 2;
        char *data = realloc(buffer->data, room);
        if (!data) return false;
        buffer->data = data;
        buffer->room = room;
    }
    if (n) memcpy(buffer->data + buffer->start + buffer->len, bytes, n);
    buffer->len += n;
    return true;
}

size_t http_buffer_take(struct http_buffer *buffer, char *out, size_t n) {
    if (n > buffer->len) n = buffer->len;
    if (n) memcpy(out, buffer->data + buffer->start, n);
    buffer->start += n;
    buffer->len -= n;
    if (!buffer->len) {
        buffer->start = 0;
        if (buffer->room > SMALL) http_buffer_free(buffer);
    }
    return n;
}

void http_buffer_free(struct http_buffer *buffer) {
    free(buffer->data);
    *buffer = (struct http_buffer){0};
}
