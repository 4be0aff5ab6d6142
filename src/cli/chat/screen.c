#include "cli/chat/screen.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/chat/wide.h"
#include "cli/cli.h"
#include "text/utf8.h"

#define DIM "\033[2m"
#define PLAIN "\033[0m"
#define LIVE_BYTES ((size_t)8 << 10) // of a thought that are kept to draw its end
#define LIVE_ROWS 6
#define LIVE_PERIOD 0.05 // seconds between two drawings

void screen_open(struct screen *screen) {
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    bool terminal = isatty(STDOUT_FILENO);
    bool plain = !term || !*term || !strcmp(term, "dumb") || (no_color && *no_color);
    *screen = (struct screen){.terminal = terminal,
                              .styled = terminal && !plain,
                              .notes = isatty(STDERR_FILENO),
                              .at_start = true};
}

void screen_close(struct screen *screen) {
    buffer_free(&screen->line);
    buffer_free(&screen->live.text);
    *screen = (struct screen){0};
}

/* Not through stdio: a signal that comes while a slow terminal makes us wait (Ctrl-C has a handler)
 * would be an error to it, and part of the text be lost. */
static void put(struct screen *screen, const char *text, size_t len) {
    if (!len || screen->failed) return;
    screen->at_start = text[len - 1] == '\n';
    while (!screen->failed && fflush(stdout)) {
        screen->failed = errno != EINTR;
        clearerr(stdout);
    }
    while (len && !screen->failed) {
        ssize_t n = write(STDOUT_FILENO, text, len);
        if (n < 0 && errno == EINTR) continue;
        screen->failed = n < 0;
        if (n < 0) break;
        text += n;
        len -= (size_t)n;
    }
    if (screen->failed) screen->error = errno;
}

static void put_text(struct screen *screen, const char *text) { put(screen, text, strlen(text)); }

static void start_line(struct screen *screen) {
    if (!screen->at_start) put_text(screen, "\n");
}

/* ---- answers ---- */

void screen_text(struct screen *screen, const char *text, size_t len) {
    if (!screen->terminal) {
        put(screen, text, len);
        return;
    }
    screen->line.len = 0;
    if (!shown_push(&screen->shown, text, len, &screen->line)) screen->failed = true;
    put(screen, screen->line.data, screen->line.len);
}

void screen_text_end(struct screen *screen) {
    screen->line.len = 0;
    if (!shown_end(&screen->shown, &screen->line)) screen->failed = true;
    put(screen, screen->line.data, screen->line.len);
    start_line(screen);
}

/* ---- thoughts ---- */

static struct winsize window(void) {
    struct winsize size = {0};
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    if (size.ws_col < 8) size.ws_col = 80;
    if (size.ws_row < 4) size.ws_row = 24;
    return size;
}

/* Where the last `rows` lines of `text` begin when it is wrapped at `columns`; *n: how many there
 * are. starts[] has room for `rows`. */
static int wrap(const char *text, size_t len, int columns, int rows, size_t *starts) {
    int n = 0, cells = 0;
    for (size_t at = 0; at < len;) {
        uint32_t code;
        size_t step = (size_t)utf8_step(text + at, len - at, &code);
        int width = code == '\t' ? 4 : code == '\n' ? 0 : wide_cells(code);
        if (at == 0 || text[at - 1] == '\n' || cells + width > columns) {
            starts[n % rows] = at;
            n++;
            cells = 0;
        }
        cells += width;
        at += step;
    }
    return n;
}

static void append_row(struct byte_buffer *out, const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n') continue;
        buffer_append(out, text[i] == '\t' ? "    " : text + i, text[i] == '\t' ? 4 : 1);
    }
}

static void append_text(struct byte_buffer *out, const char *text) {
    buffer_append(out, text, strlen(text));
}

/* Back to the first drawn row, and everything below is blank. A window of another width may have
 * wrapped what was drawn: then that stays and the drawing starts below it. */
static void erase_live(struct live *live, int columns, struct byte_buffer *out) {
    char move[32];
    if (live->rows && live->columns != columns) {
        append_text(out, "\n");
    } else if (live->rows) {
        snprintf(move, sizeof move, live->rows > 1 ? "\r\033[%dA\033[J" : "\r\033[J",
                 live->rows - 1);
        append_text(out, move);
    }
    live->rows = 0;
    live->columns = columns;
}

static void draw_live(struct screen *screen) {
    struct live *live = &screen->live;
    struct byte_buffer *out = &screen->line;
    struct winsize size = window();
    int rows = size.ws_row / 2 < LIVE_ROWS ? size.ws_row / 2 : LIVE_ROWS;
    size_t starts[LIVE_ROWS];
    char head[96];
    int n = wrap(live->text.data, live->text.len, size.ws_col - 3, rows, starts);
    int from = n > rows ? n - rows : 0;
    live->drawn = clock_seconds();
    out->len = 0;
    erase_live(live, size.ws_col, out);
    snprintf(head, sizeof head, DIM "\033[?7l(thinking, %.0f s, %ld tokens)",
             live->drawn - live->started, live->tokens);
    append_text(out, head);
    for (int i = from; i < n; i++) {
        size_t start = starts[i % rows];
        size_t end = i + 1 < n ? starts[(i + 1) % rows] : live->text.len;
        append_text(out, "\n  ");
        append_row(out, live->text.data + start, end - start);
    }
    append_text(out, "\033[?7h" PLAIN);
    live->rows = 1 + n - from;
    put(screen, out->data, out->len);
}

/* Only the end of the text is kept, from a line's or at least a character's start. */
static void trim_live(struct byte_buffer *text) {
    if (text->len < 2 * LIVE_BYTES) return;
    size_t cut = text->len - LIVE_BYTES;
    while (cut < text->len && ((unsigned char)text->data[cut] & 0xC0) == 0x80)
        cut++;
    const char *line = memchr(text->data + cut, '\n', text->len - cut);
    if (line && (size_t)(line - text->data) < text->len - LIVE_BYTES / 2)
        cut = (size_t)(line - text->data) + 1;
    memmove(text->data, text->data + cut, text->len - cut);
    text->len -= cut;
}

static void open_thought(struct screen *screen) {
    start_line(screen);
    screen->live.open = true;
    screen->live.text.len = 0;
    screen->live.rows = 0;
    screen->live.started = clock_seconds();
    screen->live.drawn = 0;
    screen->shown = (struct shown){0};
    if (!screen->styled) put_text(screen, "(thinking)\n");
}

void screen_thought(struct screen *screen, const char *text, size_t len, long n_token) {
    struct live *live = &screen->live;
    if (!screen->terminal || screen->quiet) return;
    if (!live->open) open_thought(screen);
    live->tokens = n_token;
    if (!screen->styled) {
        screen_text(screen, text, len);
        return;
    }
    if (!shown_push(&screen->shown, text, len, &live->text)) screen->failed = true;
    trim_live(&live->text);
    if (clock_seconds() - live->drawn >= LIVE_PERIOD) draw_live(screen);
}

void screen_thought_end(struct screen *screen, double seconds, long n_token) {
    if (!screen->terminal || !screen->live.open) return;
    if (screen->styled) {
        screen->line.len = 0;
        erase_live(&screen->live, window().ws_col, &screen->line);
        put(screen, screen->line.data, screen->line.len);
        screen->at_start = true;
    } else {
        screen_text_end(screen);
    }
    screen->shown = (struct shown){0};
    screen->live.open = false;
    screen_dim(screen, "(thought for %.1f s, %ld tokens; /think shows it)\n", seconds, n_token);
}

/* ---- the program's own words ---- */

enum jl_status screen_result(const struct screen *screen, bool *quiet, struct jl_error *err) {
    *quiet = screen->failed && screen->error == EPIPE;
    if (!screen->failed) return JL_OK;
    return jl_fail(err, JL_ERR_IO, "cannot write the text: %s", strerror(screen->error));
}

/* What is to be printed, into screen->line: fit for a terminal, without the last newline. */
static bool format_line(struct screen *screen, const char *format, va_list args, bool *line_end) {
    struct shown shown = {0};
    char *text;
    int n = vasprintf(&text, format, args);
    screen->line.len = 0;
    if (n < 0) return false;
    *line_end = n && text[n - 1] == '\n';
    bool fits = shown_push(&shown, text, (size_t)n - *line_end, &screen->line) &&
                shown_end(&shown, &screen->line);
    free(text);
    return fits;
}

static void print(struct screen *screen, bool dim, const char *format, va_list args) {
    bool line_end = false;
    start_line(screen);
    if (!format_line(screen, format, args, &line_end))
        return; // memory is out, the figures can wait
    if (dim && screen->styled) put_text(screen, DIM);
    put(screen, screen->line.data, screen->line.len);
    if (dim && screen->styled) put_text(screen, PLAIN);
    if (line_end) put_text(screen, "\n");
}

void screen_print(struct screen *screen, const char *format, ...) {
    va_list args;
    va_start(args, format);
    print(screen, false, format, args);
    va_end(args);
}

void screen_dim(struct screen *screen, const char *format, ...) {
    va_list args;
    va_start(args, format);
    print(screen, true, format, args);
    va_end(args);
}

void screen_note(struct screen *screen, const char *format, ...) {
    bool dim = screen->styled && screen->notes, line_end;
    va_list args;
    start_line(screen);
    fflush(stdout);
    va_start(args, format);
    if (format_line(screen, format, args, &line_end))
        fprintf(stderr, "%s(%.*s)%s\n", dim ? DIM : "", (int)screen->line.len,
                screen->line.len ? screen->line.data : "", dim ? PLAIN : "");
    va_end(args);
}
