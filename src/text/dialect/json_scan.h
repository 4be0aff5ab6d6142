/* The end of a JSON value, found byte by byte (RFC 8259), at any split of the text. */
#ifndef JL_TEXT_JSON_SCAN_H
#define JL_TEXT_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#define JSON_SCAN_DEPTH 512 // objects and arrays inside one another

enum json_scan_result {
    JSON_SCAN_MORE,
    JSON_SCAN_DONE,  // the value ends with this byte
    JSON_SCAN_ENDED, // a number ended before this byte, which is not part of it
    JSON_SCAN_BAD,   // no value goes on like this, or it is nested too deeply
};

/* Zero is the state before a value. */
struct json_scan {
    unsigned char state, literal; // private
    unsigned char left;           // private: bytes of an escape or a literal still to come
    bool key;                     // private: the string is a member's name
    int depth;
    unsigned char in_array[JSON_SCAN_DEPTH / 8]; // bit per depth
};

/* Control characters in strings are let through, against the RFC: models write raw newlines, and
 * whoever copies the text can escape them (json_scan_in_string tells). Bytes of 80 and above are
 * taken as they are. */
enum json_scan_result json_scan_byte(struct json_scan *scan, char byte);
bool json_scan_in_string(const struct json_scan *scan);

/* Is the whole text one value of strict JSON, white space around it aside? *kind: its first byte,
 * with '0' for any number. */
bool json_scan_text(const char *text, size_t len, char *kind);

#endif
