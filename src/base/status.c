#include "base/status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the well-formed, printable UTF-8 character at `at`, 0 when there is none. Overlong
 * forms, surrogates and C1 controls are not printable. */
static int printable(const unsigned char *at) {
    unsigned lead = at[0];
    if (lead < 0x80) return lead >= 0x20 && lead != 0x7F;
    int len = lead >= 0xC2 && lead < 0xE0   ? 2
              : lead >= 0xE0 && lead < 0xF0 ? 3
              : lead >= 0xF0 && lead < 0xF5 ? 4
                                            : 0;
    for (int i = 1; i < len; i++)
        if ((at[i] & 0xC0) != 0x80) return 0; // also stops at the NUL
    bool bad = (lead == 0xC2 && at[1] < 0xA0) || (lead == 0xE0 && at[1] < 0xA0) ||
               (lead == 0xED && at[1] > 0x9F) || (lead == 0xF0 && at[1] < 0x90) ||
               (lead == 0xF4 && at[1] > 0x8F);
    return bad ? 0 : len;
}

/* Messages quote names from hostile files: what could move a terminal's cursor, start a second line
 * or break JSON becomes '?'. */
static void clean(char *text) {
    for (unsigned char *at = (unsigned char *)text; *at;) {
        int len = printable(at);
        if (len == 0) *at = '?';
        at += len ? len : 1;
    }
}

enum jl_status jl_fail(struct jl_error *err, enum jl_status status, const char *fmt, ...) {
    if (err) {
        char message[sizeof err->message]; // an argument may be err->message itself
        va_list args;
        va_start(args, fmt);
        if (vsnprintf(message, sizeof message, fmt, args) < 0) message[0] = '\0';
        va_end(args);
        clean(message);
        err->status = status;
        strcpy(err->message, message); // same size
    }
    return status;
}

const char *jl_status_name(enum jl_status status) {
    static const char *const names[] = {
#define X(id, code, name) name,
        JL_STATUS_LIST(X)
#undef X
    };
    return (unsigned)status < JL_STATUS_COUNT ? names[status] : "unknown";
}

int jl_status_exit_code(enum jl_status status) {
    static const int codes[] = {
#define X(id, code, name) code,
        JL_STATUS_LIST(X)
#undef X
    };
    return (unsigned)status < JL_STATUS_COUNT ? codes[status] : 1;
}
