/* Lists of values, and lists that grow. */
#ifndef JL_TEXT_TEMPLATE_LISTBUF_H
#define JL_TEXT_TEMPLATE_LISTBUF_H

#include "text/template/render.h"

struct value;

struct list {
    struct value **items;
    size_t count;
};

struct listbuf {
    struct render *r;
    struct value **items;
    size_t count, cap;
};
bool listbuf_add(struct listbuf *b, struct value *item); // false also for a NULL item
struct list listbuf_list(const struct listbuf *b);

#endif
