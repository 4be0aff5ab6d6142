/* Wrapping of lines as Python's textwrap does it for the filter wordwrap. */
#ifndef JL_TEXT_TEMPLATE_WRAP_H
#define JL_TEXT_TEMPLATE_WRAP_H

#include "text/template/value.h"

struct wrap_options {
    int64_t width;            // characters
    bool break_long, hyphens; // break words longer than a line; break after hyphens
};

/* Each line of `s` by itself, joined with `with`. */
struct value *wrap_text(struct render *r, struct str s, struct str with,
                        const struct wrap_options *options);

#endif
