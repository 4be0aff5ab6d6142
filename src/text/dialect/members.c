#include "text/dialect/members.h"

#include <jansson.h>
#include <string.h>

#include "base/json.h"
#include "text/dialect/json_scan.h"
#include "text/dialect/match.h"

void members_open(struct members *members, const char *text, size_t len) {
    *members = (struct members){text, len, 0};
    while (members->at < len && text[members->at] != '{')
        members->at++;
    members->at++;
}

/* The value that begins at `at`; `at` moves behind it. */
static size_t value(struct members *members) {
    struct json_scan scan = {0};
    size_t from = members->at;
    while (members->at < members->len) {
        enum json_scan_result result = json_scan_byte(&scan, members->text[members->at]);
        if (result == JSON_SCAN_ENDED || result == JSON_SCAN_BAD) break;
        members->at++;
        if (result == JSON_SCAN_DONE) break;
    }
    return members->at - from;
}

static void skip(struct members *members, char also) {
    while (members->at < members->len &&
           (match_is_space(members->text[members->at]) || members->text[members->at] == also))
        members->at++;
}

bool members_next(struct members *members, struct member *out) {
    skip(members, ',');
    if (members->at >= members->len || members->text[members->at] != '"') return false;
    out->key = members->text + members->at;
    out->key_len = value(members);
    skip(members, ':');
    out->value = members->text + members->at;
    out->value_len = value(members);
    return true;
}

bool members_decode(const char *json, size_t len, struct byte_buffer *out) {
    json_t *string;
    jl_json_load(json, len, JSON_ALLOW_NUL, &string, NULL);
    bool ok = json_is_string(string) &&
              buffer_append(out, json_string_value(string), json_string_length(string));
    json_decref(string);
    return ok;
}

static bool text_equal(const char *a, size_t a_len, const char *b, size_t b_len) {
    if (a_len == b_len && memcmp(a, b, a_len) == 0) return true;
    if (!a_len || !b_len || *a != '"' || *b != '"') return false;
    struct byte_buffer said_a = {0}, said_b = {0};
    bool equal = members_decode(a, a_len, &said_a) && members_decode(b, b_len, &said_b) &&
                 said_a.len == said_b.len &&
                 (said_a.len == 0 || memcmp(said_a.data, said_b.data, said_a.len) == 0);
    buffer_free(&said_a);
    buffer_free(&said_b);
    return equal;
}

bool members_equal(const char *a, size_t a_len, const char *b, size_t b_len) {
    struct members in_a, in_b;
    struct member of_a, of_b;
    members_open(&in_a, a, a_len);
    members_open(&in_b, b, b_len);
    while (members_next(&in_a, &of_a)) {
        if (!members_next(&in_b, &of_b) ||
            !text_equal(of_a.key, of_a.key_len, of_b.key, of_b.key_len) ||
            !text_equal(of_a.value, of_a.value_len, of_b.value, of_b.value_len))
            return false;
    }
    return !members_next(&in_b, &of_b);
}
