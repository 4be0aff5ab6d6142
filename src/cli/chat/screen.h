/* What the person sees: answers as they come, thoughts dim and then folded, notes.
 *
 * On a terminal nothing of a model's text can command it (shown.h). Without a terminal, under
 * TERM=dumb and with NO_COLOR no escape sequence is written at all. */
#ifndef JL_CLI_CHAT_SCREEN_H
#define JL_CLI_CHAT_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "cli/chat/shown.h"

struct screen {
    bool terminal; // stdout is one
    bool styled;   // escape sequences may be written
    bool quiet;    // thoughts are not shown
    bool notes;    // somebody reads stderr: it is a terminal
    bool at_start; // of a line
    bool failed;   // stdout takes no more
    int error;     // and the errno that said so
    struct shown shown;
    struct byte_buffer line; // scratch
    struct live {            // a thought while it comes
        bool open;
        struct byte_buffer text; // as shown; its end is enough
        int rows, columns;       // drawn: rows on the screen, and how wide it was
        double started, drawn;   // seconds
        long tokens;
    } live;
};

void screen_open(struct screen *screen);
void screen_close(struct screen *screen);

/* Text of an answer. Whole characters. */
void screen_text(struct screen *screen, const char *text, size_t len);
void screen_text_end(struct screen *screen); // and the cursor is at the start of a line

/* A thought, piece by piece: its last lines, dim, under a line that counts. The end folds it into
 * one line. In a pipe a thought is not shown. */
void screen_thought(struct screen *screen, const char *text, size_t len, long n_token);
void screen_thought_end(struct screen *screen, double seconds, long n_token);

/* Did stdout take everything? *quiet: no, because its reader has gone: that is no error to talk
 * about, but not a success. */
enum jl_status screen_result(const struct screen *screen, bool *quiet, struct jl_error *err);

/* Lines of the program's own on stdout, printf-like; `dim` where styles are allowed. What others
 * wrote may be part of them. */
void screen_print(struct screen *screen, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void screen_dim(struct screen *screen, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A remark in parentheses on stderr. */
void screen_note(struct screen *screen, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
