/* Strings that grow. */
#ifndef JL_TEXT_TEMPLATE_STRBUF_H
#define JL_TEXT_TEMPLATE_STRBUF_H

#include "text/template/render.h"
#include "text/template/str.h"

/* A string that grows. Failures are remembered: only strbuf_value says. */
struct strbuf {
    struct render *r;
    char *data;
    unsigned char *marks; // NULL while all bytes have the same mark
    unsigned char mark;
    size_t len, cap;
    bool failed;
};
void strbuf_put(struct strbuf *b, const char *data, size_t len, unsigned char mark);
void strbuf_text(struct strbuf *b, const char *text); // no marks
void strbuf_str(struct strbuf *b, struct str s);
void strbuf_code(struct strbuf *b, uint32_t code, unsigned char mark);
struct str strbuf_view(const struct strbuf *b);
struct value *strbuf_value(struct strbuf *b);

/* a + b, without copying `a` where it is what was appended to last. */
struct value *strbuf_append(struct render *r, struct str a, struct str b);

#endif
