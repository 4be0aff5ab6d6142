/* Growable arrays of bytes and of ids; zero is the empty one. */
#ifndef JL_TEXT_BUFFER_H
#define JL_TEXT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct byte_buffer {
    char *data;
    size_t len, cap;
};
bool buffer_reserve(struct byte_buffer *buffer, size_t more); // false: out of memory
bool buffer_append(struct byte_buffer *buffer, const char *bytes, size_t len);
void buffer_free(struct byte_buffer *buffer);

struct id_buffer {
    int32_t *data;
    size_t len, cap; // ids
};
bool buffer_reserve_ids(struct id_buffer *buffer, size_t more);
bool buffer_append_id(struct id_buffer *buffer, int32_t id);

#endif
