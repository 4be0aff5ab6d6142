/* A half-open range of bytes of a text. Lists of spans are ascending and do not overlap. */
#ifndef JL_TEXT_SPAN_H
#define JL_TEXT_SPAN_H

#include <stddef.h>

struct text_span {
    size_t start, stop; // bytes [start, stop)
};

#endif
