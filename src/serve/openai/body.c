#include "serve/openai/body.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"

#define NO_UNIT UINT32_MAX

/* The \\uXXXX at `at`; NO_UNIT: there is none. */
static uint32_t unit_at(const char *text, size_t len, size_t at) {
    uint32_t unit = 0;
    if (len - at < 6 || text[at] != '\\' || text[at + 1] != 'u') return NO_UNIT;
    for (size_t i = at + 2; i < at + 6; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0) return NO_UNIT;
        unit = unit << 4 | (uint32_t)digit;
    }
    return unit;
}

/* Values that a body may have: each takes some forty times the bytes that "[]," has. */
enum { MOST_VALUES = 1 << 20 };

static bool has_many_values(const char *text, size_t len) {
    size_t n = 0;
    bool inside = false;
    for (size_t at = 0; at < len; at++) {
        if (text[at] == '"') inside = !inside;
        if (inside && text[at] == '\\') at++;
        n += !inside && (text[at] == ',' || text[at] == '[' || text[at] == '{');
    }
    return n > MOST_VALUES;
}

/* In place: the replacement is as long as what it replaces. */
static void mend_escapes(char *text, size_t len) {
    for (size_t at = 0; at < len; at++) {
        if (text[at] != '\\') continue; // only strings have backslashes
        uint32_t unit = unit_at(text, len, at);
        if (unit == NO_UNIT) {
            at++; // what is escaped begins nothing
            continue;
        }
        uint32_t next = unit >> 10 == 0xD800 >> 10 ? unit_at(text, len, at + 6) : NO_UNIT;
        bool pair = next != NO_UNIT && next >> 10 == 0xDC00 >> 10;
        if (!pair && (unit == 0 || unit >> 11 == 0xD800 >> 11)) memcpy(text + at + 2, "fffd", 4);
        at += pair ? 11 : 5;
    }
}

bool openai_body_read(const char *text, size_t len, json_t **out, struct openai_problem *problem) {
    json_error_t where;
    *out = NULL;
    if (has_many_values(text, len))
        return openai_refuse(problem, NULL, "the body has more than %d values", MOST_VALUES);
    char *copy = malloc(len + 1);
    if (!copy) return openai_no_memory(problem);
    memcpy(copy, text, len);
    mend_escapes(copy, len);
    enum jl_status status = jl_json_load(copy, len, JSON_REJECT_DUPLICATES, out, &where);
    free(copy);
    if (status == JL_ERR_MEMORY) return openai_no_memory(problem);
    if (status != JL_OK)
        return openai_refuse(problem, NULL, "the body is no JSON: %s (line %d, column %d)",
                             where.text, where.line, where.column);
    if (json_is_object(*out)) return true;
    json_decref(*out);
    *out = NULL;
    return openai_refuse(problem, NULL, "the body must be a JSON object");
}
