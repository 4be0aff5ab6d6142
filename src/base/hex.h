/* Hexadecimal digits of either case. */
#ifndef JL_BASE_HEX_H
#define JL_BASE_HEX_H

/* 0 to 15; -1: `c` is none. */
static inline int hex_digit(int c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

#endif
