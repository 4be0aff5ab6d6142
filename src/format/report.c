#include "format/report.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PATH_SHOWN 400 // bytes of a path, so that the fault itself always fits the message

enum jl_status report_fail(struct jl_error *err, enum jl_status status, const char *file,
                           const char *fmt, ...) {
    char what[600];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    size_t len = strlen(file);
    bool cut = len > PATH_SHOWN;
    return jl_fail(err, status, "%s%s: %s", cut ? "..." : "", cut ? file + len - PATH_SHOWN : file,
                   what);
}

enum jl_status report_no_memory(struct jl_error *err, const char *file, const char *what) {
    return report_fail(err, JL_ERR_MEMORY, file, "out of memory for %s", what);
}

struct report_text report_quote(const char *bytes, size_t len) {
    struct report_text out;
    const size_t room = sizeof out.text - sizeof "...'";
    size_t used = 0;
    out.text[used++] = '\'';
    size_t i = 0;
    for (; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        bool plain = c >= 0x20 && c < 0x7f;
        if (used + (plain ? 1 : 4) > room) break;
        if (plain)
            out.text[used++] = (char)c;
        else
            used += (size_t)snprintf(out.text + used, 5, "\\x%02x", c);
    }
    memcpy(out.text + used, i < len ? "...'" : "'", i < len ? sizeof "...'" : sizeof "'");
    return out;
}

struct report_text report_quote_str(const char *text) {
    return report_quote(text, strlen(text));
}
