#include "text/dialect/json_scan.h"

#include "base/hex.h"

enum state {
    VALUE,      // before a value
    FIRST_ITEM, // behind '['
    FIRST_KEY,  // behind '{'
    NEXT_KEY,   // behind ',' in an object
    COLON,
    BEHIND, // behind a member or an item
    STRING,
    ESCAPE,
    HEX,
    LITERAL,
    MINUS,
    ZERO,
    DIGITS,
    POINT,
    FRACTION,
    EXPONENT,
    SIGN,
    POWER,
    FINISHED,
};

static const char *const literals[] = {"true", "false", "null"};

static bool is_space(char b) { return b == ' ' || b == '\t' || b == '\n' || b == '\r'; }
static bool is_digit(char b) { return b >= '0' && b <= '9'; }

static bool in_array(const struct json_scan *scan) {
    int at = scan->depth - 1;
    return scan->in_array[at / 8] >> at % 8 & 1;
}

static enum json_scan_result go(struct json_scan *scan, enum state state) {
    scan->state = (unsigned char)state;
    return JSON_SCAN_MORE;
}

static enum json_scan_result value_done(struct json_scan *scan) {
    go(scan, scan->depth ? BEHIND : FINISHED);
    return scan->depth ? JSON_SCAN_MORE : JSON_SCAN_DONE;
}

static enum json_scan_result down(struct json_scan *scan, bool array) {
    if (scan->depth == JSON_SCAN_DEPTH) return JSON_SCAN_BAD;
    unsigned char bit = (unsigned char)(1u << scan->depth % 8);
    unsigned char *byte = &scan->in_array[scan->depth / 8];
    *byte = (unsigned char)(array ? *byte | bit : *byte & ~bit);
    scan->depth++;
    return go(scan, array ? FIRST_ITEM : FIRST_KEY);
}

static enum json_scan_result up(struct json_scan *scan) {
    scan->depth--;
    return value_done(scan);
}

static enum json_scan_result value(struct json_scan *scan, char b) {
    if (is_space(b)) return JSON_SCAN_MORE;
    if (b == '{') return down(scan, false);
    if (b == '[') return down(scan, true);
    if (b == '-') return go(scan, MINUS);
    if (b == '0') return go(scan, ZERO);
    if (is_digit(b)) return go(scan, DIGITS);
    if (b == '"') {
        scan->key = false;
        return go(scan, STRING);
    }
    for (unsigned char i = 0; i < 3; i++) {
        if (literals[i][0] != b) continue;
        scan->literal = i;
        scan->left = 1; // bytes seen
        return go(scan, LITERAL);
    }
    return JSON_SCAN_BAD;
}

static enum json_scan_result string(struct json_scan *scan, char b) {
    if (b == '\\') return go(scan, ESCAPE);
    if (b != '"') return JSON_SCAN_MORE;
    return scan->key ? go(scan, COLON) : value_done(scan);
}

static enum json_scan_result escape(struct json_scan *scan, char b) {
    switch (b) {
    case 'u': scan->left = 4; return go(scan, HEX);
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return go(scan, STRING);
    default: return JSON_SCAN_BAD;
    }
}

static enum json_scan_result behind(struct json_scan *scan, char b) {
    if (is_space(b)) return JSON_SCAN_MORE;
    if (b == ',') return go(scan, in_array(scan) ? VALUE : NEXT_KEY);
    if (b == (in_array(scan) ? ']' : '}')) return up(scan);
    return JSON_SCAN_BAD;
}

static enum json_scan_result before_key(struct json_scan *scan, char b) {
    if (is_space(b)) return JSON_SCAN_MORE;
    if (b == '}' && scan->state == FIRST_KEY) return up(scan);
    if (b != '"') return JSON_SCAN_BAD;
    scan->key = true;
    return go(scan, STRING);
}

/* A number that may end here, with byte `b` behind it. */
static enum json_scan_result number_end(struct json_scan *scan, char b) {
    if (scan->depth) {
        go(scan, BEHIND);
        return behind(scan, b);
    }
    go(scan, FINISHED);
    return JSON_SCAN_ENDED;
}

static enum json_scan_result number(struct json_scan *scan, char b) {
    switch ((enum state)scan->state) {
    case MINUS: return b == '0' ? go(scan, ZERO) : is_digit(b) ? go(scan, DIGITS) : JSON_SCAN_BAD;
    case POINT: return is_digit(b) ? go(scan, FRACTION) : JSON_SCAN_BAD;
    case EXPONENT:
        if (b == '+' || b == '-') return go(scan, SIGN);
        return is_digit(b) ? go(scan, POWER) : JSON_SCAN_BAD;
    case SIGN: return is_digit(b) ? go(scan, POWER) : JSON_SCAN_BAD;
    default: break;
    }
    if (is_digit(b)) return scan->state == ZERO ? JSON_SCAN_BAD : JSON_SCAN_MORE;
    if (b == '.' && (scan->state == ZERO || scan->state == DIGITS)) return go(scan, POINT);
    if ((b == 'e' || b == 'E') && scan->state != POWER) return go(scan, EXPONENT);
    return number_end(scan, b);
}

enum json_scan_result json_scan_byte(struct json_scan *scan, char b) {
    switch ((enum state)scan->state) {
    case FIRST_ITEM:
        if (b == ']') return up(scan);
        if (is_space(b)) return JSON_SCAN_MORE;
        return value(scan, b);
    case VALUE: return value(scan, b);
    case FIRST_KEY:
    case NEXT_KEY: return before_key(scan, b);
    case COLON:
        if (is_space(b)) return JSON_SCAN_MORE;
        return b == ':' ? go(scan, VALUE) : JSON_SCAN_BAD;
    case BEHIND: return behind(scan, b);
    case STRING: return string(scan, b);
    case ESCAPE: return escape(scan, b);
    case HEX:
        if (hex_digit(b) < 0) return JSON_SCAN_BAD;
        return --scan->left ? JSON_SCAN_MORE : go(scan, STRING);
    case LITERAL:
        if (literals[scan->literal][scan->left] != b) return JSON_SCAN_BAD;
        return literals[scan->literal][++scan->left] ? JSON_SCAN_MORE : value_done(scan);
    case FINISHED: return JSON_SCAN_BAD;
    default: return number(scan, b);
    }
}

bool json_scan_in_string(const struct json_scan *scan) { return scan->state == STRING; }

bool json_scan_text(const char *text, size_t len, char *kind) {
    struct json_scan scan = {0};
    size_t at = 0;
    while (len && is_space(text[len - 1]))
        len--;
    while (at < len && is_space(text[at]))
        at++;
    if (at == len) return false;
    *kind = is_digit(text[at]) || text[at] == '-' ? '0' : text[at];
    for (; at < len; at++) {
        if ((unsigned char)text[at] < 0x20 && json_scan_in_string(&scan)) return false;
        enum json_scan_result result = json_scan_byte(&scan, text[at]);
        if (result == JSON_SCAN_DONE) return at + 1 == len;
        if (result != JSON_SCAN_MORE) return false;
    }
    return json_scan_byte(&scan, ' ') == JSON_SCAN_ENDED; // a number to the very end
}
