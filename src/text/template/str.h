/* Strings that do not change: bytes, and where each of them came from. */
#ifndef JL_TEXT_TEMPLATE_STR_H
#define JL_TEXT_TEMPLATE_STR_H

#include <stdbool.h>
#include <stddef.h>

/* Marks say where a byte of text came from. */
#define MARK_USER 1       // a string of the caller
#define MARK_GENERATION 2 // written inside {% generation %}

struct str {
    const char *data; // len bytes of well-formed UTF-8, not NUL-terminated
    size_t len;
    const unsigned char *marks; // one a byte, or NULL: all are `mark`
    unsigned char mark;
    bool markup; // Markup: text that counts as escaped HTML
};

struct str str_of(const char *text);                          // a C string
struct str str_part(struct str s, size_t start, size_t stop); // bytes
unsigned char str_mark(struct str s, size_t at);
unsigned char str_marks_all(struct str s); // every mark that some byte has
bool str_equal(struct str a, struct str b);
int str_compare(struct str a, struct str b);
size_t str_chars(struct str s);                  // characters
size_t str_offset(struct str s, size_t n_chars); // byte where character n begins

#endif
