#include "cli/chat/editor.h"

#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/chat/keys.h"
#include "cli/chat/outside.h"
#include "cli/chat/past.h"
#include "cli/chat/signals.h"
#include "cli/chat/wide.h"

/* What libedit is told for keys that have no character of their own; see bind_all. */
enum { DO_CANCEL = 0x03, DO_LINE = 0x0f, DO_CONTINUE = 0x13, DO_HOME = 0x01, DO_END = 0x05 };
enum { DO_DELETE = 0x1c, DO_PASTE = 0x1d, DO_UP = 0x1e, DO_DOWN = 0x1f, DO_OLDER = 0x10 };
enum { DO_NEWER = 0x0e, DO_LEFT = 0x02, DO_RIGHT = 0x06, DO_ACCEPT = '\n', DO_META = 0x1b };

enum { CTRL_C = 0x03, CTRL_Z = 0x1a };

struct editor {
    enum editor_kind kind;
    EditLine *line;
    HistoryW *history;
    struct keys keys;
    wchar_t queue[2]; // what libedit gets before the next key
    int n_queue;
    bool cancelled; // Ctrl-C ended this line
    bool warned;    // the last event was Ctrl-C on an empty line
    bool color;
    char *past;   // path of the history file, NULL: none
    FILE *screen; // where the editor draws
};

bool editor_set_locale(void) {
    const char *names[] = {"", "C.UTF-8", "C.utf8", "en_US.UTF-8"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (setlocale(LC_CTYPE, names[i]) && !strcmp(nl_langinfo(CODESET), "UTF-8")) return true;
    return false;
}

enum editor_kind editor_find_kind(bool utf8) {
    const char *term = getenv("TERM");
    if (!isatty(STDIN_FILENO)) return EDITOR_PIPE;
    bool screen = isatty(STDOUT_FILENO) || isatty(STDERR_FILENO);
    return screen && utf8 && term && *term && strcmp(term, "dumb") ? EDITOR_FULL : EDITOR_PLAIN;
}

int editor_screen(void) { return isatty(STDOUT_FILENO) ? STDOUT_FILENO : STDERR_FILENO; }

/* ---- what libedit asks us ---- */

static struct editor *of(EditLine *line) {
    void *editor = NULL;
    el_wget(line, EL_CLIENTDATA, &editor);
    return editor;
}

static wchar_t *prompt(EditLine *line) {
    static wchar_t plain[] = L"> ", bold[] = L"\1\033[1m\1>\1\033[0m\1 ";
    return of(line)->color ? bold : plain;
}

/* Rows from the prompt down to the cursor in a window of so many columns. */
static int rows_above(const LineInfoW *info, int columns) {
    int rows = 0, cells = (int)sizeof "> " - 1;
    for (const wchar_t *c = info->buffer; c < info->cursor; c++) {
        int width = *c == L'\t' ? 8 - cells % 8 : *c < 0x20 ? 2 : wide_cells((uint32_t)*c);
        if (*c == L'\n' || cells + width > columns) {
            rows++;
            cells = *c == L'\n' ? -width : 0;
        }
        cells += width;
    }
    return rows + (cells >= columns);
}

/* The terminal has wrapped what stood there anew: from the prompt down it is drawn again. */
static void redraw_resized(struct editor *editor) {
    struct winsize size = {0};
    el_resize(editor->line);
    ioctl(fileno(editor->screen), TIOCGWINSZ, &size);
    int rows = size.ws_col ? rows_above(el_wline(editor->line), size.ws_col) : 0;
    if (rows >= size.ws_row) rows = size.ws_row ? size.ws_row - 1 : 0;
    if (rows) fprintf(editor->screen, "\033[%dA", rows);
    fputs("\r\033[J", editor->screen);
    el_wset(editor->line, EL_REFRESH);
}

static void queue_cancel(struct editor *editor) {
    editor->queue[0] = DO_ACCEPT; // read back to front
    editor->queue[1] = DO_CANCEL;
    editor->n_queue = 2;
}

static void after_signal(struct editor *editor) {
    if (signals_take_interrupt()) queue_cancel(editor);
    if (signals_take_resize()) redraw_resized(editor);
    if (signals_take_continue()) el_wset(editor->line, EL_REFRESH);
}

static bool line_above(const LineInfoW *info) {
    for (const wchar_t *c = info->buffer; c < info->cursor; c++)
        if (*c == L'\n') return true;
    return false;
}

static bool line_below(const LineInfoW *info) {
    for (const wchar_t *c = info->cursor; c < info->lastchar; c++)
        if (*c == L'\n') return true;
    return false;
}

static bool continues(const LineInfoW *info) {
    return info->lastchar > info->buffer && info->cursor == info->lastchar &&
           info->lastchar[-1] == L'\\';
}

static void warn_overlong(struct editor *editor) {
    fprintf(editor->screen, "\n(the pasted block is longer than %zu MiB and was left out)\n",
            KEYS_PASTE_LIMIT >> 20);
    el_wset(editor->line, EL_REFRESH);
}

/* The character libedit gets for a key; 0: none, the key is done with. */
static wchar_t translate(struct editor *editor, const struct key *key) {
    const LineInfoW *info = el_wline(editor->line);
    switch (key->kind) {
    case KEY_UP: return line_above(info) ? DO_UP : DO_OLDER;
    case KEY_DOWN: return line_below(info) ? DO_DOWN : DO_NEWER;
    case KEY_LEFT: return DO_LEFT;
    case KEY_RIGHT: return DO_RIGHT;
    case KEY_HOME: return DO_HOME;
    case KEY_END: return DO_END;
    case KEY_DELETE: return DO_DELETE;
    case KEY_PASTE: return editor->keys.paste_len ? DO_PASTE : 0;
    case KEY_OVERLONG: warn_overlong(editor); return 0;
    case KEY_WORD_LEFT:
    case KEY_WORD_RIGHT:
        editor->queue[editor->n_queue++] = key->kind == KEY_WORD_LEFT ? L'b' : L'f';
        return DO_META;
    case KEY_ALT:
        if (key->code == '\r' || key->code == '\n') return DO_LINE;
        editor->queue[editor->n_queue++] = (wchar_t)key->code;
        return DO_META;
    default: break;
    }
    if (key->code == '\r' || key->code == '\n') return continues(info) ? DO_CONTINUE : DO_ACCEPT;
    if (key->code == CTRL_C) queue_cancel(editor);
    if (key->code == CTRL_Z) raise(SIGTSTP);
    bool ours = key->code == CTRL_C || key->code == CTRL_Z || key->code == DO_CONTINUE ||
                (key->code >= DO_DELETE && key->code <= DO_DOWN);
    return ours ? 0 : (wchar_t)key->code; // typed, these would do what only named keys may
}

static int next_character(EditLine *line, wchar_t *out) {
    struct editor *editor = of(line);
    for (;;) {
        if (editor->n_queue) {
            *out = editor->queue[--editor->n_queue];
            return 1;
        }
        struct key key = keys_next(&editor->keys);
        if (key.kind == KEY_CLOSED) return 0;
        if (key.kind == KEY_SIGNAL) {
            after_signal(editor);
            continue;
        }
        *out = translate(editor, &key);
        if (*out) return 1;
    }
}

/* ---- what libedit lets us do ---- */

static unsigned char do_cancel(EditLine *line, int c) {
    (void)c;
    of(line)->cancelled = true;
    return CC_NORM;
}

static unsigned char insert(EditLine *line, const wchar_t *text) {
    return el_winsertstr(line, text) ? CC_REFRESH_BEEP : CC_REFRESH;
}

static unsigned char do_line(EditLine *line, int c) {
    (void)c;
    return insert(line, L"\n");
}

static unsigned char do_continue(EditLine *line, int c) {
    (void)c;
    el_wdeletestr(line, 1);
    return insert(line, L"\n");
}

static unsigned char do_paste(EditLine *line, int c) {
    (void)c;
    struct editor *editor = of(line);
    wchar_t *text = wide_from_utf8(editor->keys.paste, editor->keys.paste_len);
    unsigned char result = text ? insert(line, text) : CC_REFRESH_BEEP;
    free(text);
    return result;
}

static unsigned char move_to(EditLine *line, const wchar_t *to) {
    el_cursor(line, (int)(to - el_wline(line)->cursor));
    return CC_CURSOR;
}

/* The whole text goes through another program. It comes back as if it were pasted. */
static unsigned char do_outside(EditLine *line, int c) {
    (void)c;
    struct editor *editor = of(line);
    const LineInfoW *info = el_wline(line);
    struct jl_error err;
    size_t len = 0, back_len = 0;
    wchar_t *wide = wide_copy(info->buffer, (size_t)(info->lastchar - info->buffer));
    char *text = wide ? wide_to_utf8(wide, &len) : NULL, *back = NULL;
    free(wide);
    if (!text) return CC_REFRESH_BEEP;
    el_wset(line, EL_PREP_TERM, 0);
    enum jl_status status = outside_edit(text, len, EDITOR_MESSAGE_LIMIT, &back, &back_len, &err);
    el_wset(line, EL_PREP_TERM, 1);
    wide = status == JL_OK ? wide_from_utf8(back, back_len) : NULL;
    if (status != JL_OK) fprintf(editor->screen, "\n(%s)", err.message);
    if (wide) {
        move_to(line, info->lastchar);
        el_wdeletestr(line, (int)(info->lastchar - info->buffer));
        insert(line, wide);
    }
    free(wide);
    free(back);
    free(text);
    fputc('\n', editor->screen);
    el_wset(line, EL_REFRESH);
    return CC_NORM;
}

static const wchar_t *line_start(const LineInfoW *info, const wchar_t *at) {
    while (at > info->buffer && at[-1] != L'\n')
        at--;
    return at;
}

static const wchar_t *line_end(const LineInfoW *info, const wchar_t *at) {
    while (at < info->lastchar && *at != L'\n')
        at++;
    return at;
}

/* The same column of the line that begins at `start`, or its end. */
static unsigned char move_to_column(EditLine *line, const wchar_t *start, ptrdiff_t column) {
    const wchar_t *end = line_end(el_wline(line), start);
    return move_to(line, end - start < column ? end : start + column);
}

static unsigned char do_up(EditLine *line, int c) {
    (void)c;
    const LineInfoW *info = el_wline(line);
    const wchar_t *start = line_start(info, info->cursor);
    if (start == info->buffer) return CC_ERROR;
    return move_to_column(line, line_start(info, start - 1), info->cursor - start);
}

static unsigned char do_down(EditLine *line, int c) {
    (void)c;
    const LineInfoW *info = el_wline(line);
    const wchar_t *end = line_end(info, info->cursor);
    if (end == info->lastchar) return CC_ERROR;
    return move_to_column(line, end + 1, info->cursor - line_start(info, info->cursor));
}

static unsigned char do_home(EditLine *line, int c) {
    (void)c;
    const LineInfoW *info = el_wline(line);
    return move_to(line, line_start(info, info->cursor));
}

static unsigned char do_end(EditLine *line, int c) {
    (void)c;
    const LineInfoW *info = el_wline(line);
    return move_to(line, line_end(info, info->cursor));
}

static void bind_all(EditLine *line) {
    static const struct {
        const wchar_t *key, *name;
        unsigned char (*run)(EditLine *line, int c); // NULL: libedit's own
    } rows[] = {
        {L"^C", L"jl-cancel", do_cancel},
        {L"^O", L"jl-line", do_line},
        {L"^S", L"jl-continue", do_continue},
        {L"^]", L"jl-paste", do_paste},
        {L"^G", L"jl-outside", do_outside},
        {L"^^", L"jl-up", do_up},
        {L"^_", L"jl-down", do_down},
        {L"^A", L"jl-home", do_home},
        {L"^E", L"jl-end", do_end},
        {L"^\\", L"ed-delete-next-char", NULL},
        {L"^P", L"ed-prev-history", NULL},
        {L"^N", L"ed-next-history", NULL},
        {L"^B", L"ed-prev-char", NULL},
        {L"^F", L"ed-next-char", NULL},
        {L"^W", L"ed-delete-prev-word", NULL},
        {L"^U", L"vi-kill-line-prev", NULL},
        {L"^R", L"ed-search-prev-history", NULL},
        {L"^I", L"ed-insert", NULL},
        {L"^J", L"ed-newline", NULL},
        {L"^M", L"ed-newline", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].run) el_wset(line, EL_ADDFN, rows[i].name, L"Jinlin's own", rows[i].run);
        el_wset(line, EL_BIND, rows[i].key, rows[i].name, NULL);
    }
}

/* ---- opening ---- */

static void enter(struct editor *editor, const wchar_t *text) {
    HistEventW event;
    history_w(editor->history, &event, H_ENTER, text);
}

static void add_past(void *ctx, const char *entry) {
    wchar_t *text = wide_from_utf8(entry, strlen(entry));
    if (text) enter(ctx, text);
    free(text);
}

/* A chat works without its history file; it says once why it has none. */
static void drop_past(struct editor *editor, const struct jl_error *err) {
    fprintf(stderr, "(history is not kept: %s)\n", err->message);
    free(editor->past);
    editor->past = NULL;
}

static enum jl_status open_full(struct editor *editor, struct jl_error *err) {
    struct jl_error inner;
    HistEventW event;
    editor->screen = editor_screen() == STDOUT_FILENO ? stdout : stderr;
    editor->line = el_init("jinlin", stdin, editor->screen, stderr);
    editor->history = history_winit();
    if (!editor->line || !editor->history)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for the line editor");
    history_w(editor->history, &event, H_SETSIZE, PAST_MAX_ENTRIES);
    history_w(editor->history, &event, H_SETUNIQUE, 1);
    el_wset(editor->line, EL_CLIENTDATA, editor);
    el_wset(editor->line, EL_EDITOR, L"emacs");
    el_wset(editor->line, EL_SIGNAL, 0); // ours, see signals.h
    el_wset(editor->line, EL_PROMPT_ESC, prompt, L'\1');
    el_wset(editor->line, EL_HIST, history_w, editor->history);
    el_wset(editor->line, EL_GETCFN, next_character);
    // While a line is edited all bytes are data: a pasted block may hold Ctrl-C, and \r\n is one
    // end.
    el_wset(editor->line, EL_SETTY, L"-d", L"-isig", L"-icrnl", L"-inlcr", L"-ixon", NULL);
    bind_all(editor->line);
    editor->past = past_path();
    if (editor->past && past_load(editor->past, add_past, editor, &inner) != JL_OK)
        drop_past(editor, &inner);
    return JL_OK;
}

enum jl_status editor_open(enum editor_kind kind, bool color, struct editor **out,
                           struct jl_error *err) {
    *out = calloc(1, sizeof **out);
    if (!*out) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the line editor");
    **out = (struct editor){.kind = kind, .color = color, .screen = stdout};
    keys_open(&(*out)->keys, STDIN_FILENO);
    if (kind != EDITOR_FULL) return JL_OK;
    enum jl_status status = open_full(*out, err);
    if (status == JL_OK) return JL_OK;
    editor_close(*out);
    *out = NULL;
    return status;
}

void editor_close(struct editor *editor) {
    if (!editor) return;
    if (editor->line) el_end(editor->line);
    if (editor->history) history_wend(editor->history);
    keys_close(&editor->keys);
    free(editor->past);
    free(editor);
}

/* ---- reading ---- */

/* Ctrl-C clears the line; on an empty line it warns, and a second time it leaves. */
static bool cancel(struct editor *editor, bool empty) {
    bool leave = empty && editor->warned;
    editor->warned = empty;
    if (empty && !leave)
        fprintf(stderr, "(Ctrl-C once more leaves, as Ctrl-D does; /help lists the commands)\n");
    return leave;
}

static void remember(struct editor *editor, const wchar_t *wide, const char *text) {
    struct jl_error inner;
    enter(editor, wide);
    if (editor->past && past_append(editor->past, text, &inner) != JL_OK) drop_past(editor, &inner);
}

static size_t trimmed(const char *text, size_t len) {
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    return len;
}

static enum jl_status read_full(struct editor *editor, enum editor_event *event, char **text,
                                size_t *len, struct jl_error *err) {
    for (;;) {
        int n = 0;
        fflush(stdout);
        editor->cancelled = false;
        signals_take_resize(); // of the answer's time: the line begins with the size as it is
        signals_take_continue();
        el_wset(editor->line, EL_PREP_TERM, 1);
        const wchar_t *line = el_wgets(editor->line, &n);
        el_wset(editor->line, EL_PREP_TERM, 0);
        signals_quiet_terminal();
        if (!line || n <= 0) {
            fputc('\n', editor->screen);
            *event = EDITOR_LEAVE;
            return JL_OK;
        }
        if (editor->cancelled) {
            *event = EDITOR_LEAVE;
            if (cancel(editor, n == 1)) return JL_OK;
            continue;
        }
        editor->warned = false;
        while (n && line[n - 1] == L'\n')
            n--;
        if (n == 0) continue;
        wchar_t *kept = wide_copy(line, (size_t)n);
        *text = kept ? wide_to_utf8(kept, len) : NULL;
        if (*text) remember(editor, kept, *text);
        free(kept);
        if (!*text) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a message");
        *event = EDITOR_MESSAGE;
        return JL_OK;
    }
}

enum line_end { LINE_WHOLE, LINE_CONTINUES, LINE_CLOSED, LINE_SIGNAL, LINE_FAILED };

/* Adds one line without its end to *text. */
static enum line_end read_line(struct keys *keys, char **text, size_t *len, size_t *cap) {
    size_t start = *len;
    for (;;) {
        int c = keys_byte(keys, -1);
        if (c == KEYS_SIGNAL && signals_take_interrupt()) return LINE_SIGNAL;
        if (c == KEYS_SIGNAL) continue;
        if (c < 0) return LINE_CLOSED;
        if (c == '\n') break;
        if (*len + 2 > *cap) {
            size_t more = *cap ? 2 * *cap : 256;
            char *grown = more > 2 * EDITOR_MESSAGE_LIMIT ? NULL : realloc(*text, more);
            if (!grown) return LINE_FAILED;
            *text = grown;
            *cap = more;
        }
        (*text)[(*len)++] = (char)c;
    }
    if (*len == start || (*text)[*len - 1] != '\\') return LINE_WHOLE;
    (*text)[*len - 1] = '\n';
    return LINE_CONTINUES;
}

static enum jl_status too_long(struct jl_error *err) {
    return jl_fail(err, JL_ERR_LIMIT, "a message is longer than %zu MiB, or memory is out",
                   EDITOR_MESSAGE_LIMIT >> 20);
}

static enum jl_status read_plain(struct editor *editor, enum editor_event *event, char **text,
                                 size_t *len, struct jl_error *err) {
    bool terminal = editor->kind == EDITOR_PLAIN;
    size_t cap = 0;
    *text = NULL;
    for (*len = 0;;) {
        if (terminal) fputs(*len ? ". " : "> ", stdout);
        fflush(stdout);
        enum line_end end = read_line(&editor->keys, text, len, &cap);
        if (end == LINE_FAILED) return too_long(err);
        if (end == LINE_SIGNAL) {
            if (!terminal) return jl_fail(err, JL_ERR_CANCELLED, "stopped by Ctrl-C");
            fputc('\n', stdout);
            if (cancel(editor, *len == 0)) break;
            *len = 0;
            continue;
        }
        if (end == LINE_CONTINUES) continue;
        *len = *text ? trimmed(*text, *len) : 0;
        if (*len) {
            (*text)[*len] = 0;
            editor->warned = false;
            *event = EDITOR_MESSAGE;
            return JL_OK;
        }
        if (end == LINE_CLOSED) {
            if (terminal) fputc('\n', stdout);
            break;
        }
    }
    *event = EDITOR_LEAVE;
    return JL_OK;
}

enum jl_status editor_read(struct editor *editor, enum editor_event *event, char **text,
                           size_t *len, struct jl_error *err) {
    *text = NULL;
    *len = 0;
    enum jl_status status = editor->kind == EDITOR_FULL ? read_full(editor, event, text, len, err)
                                                        : read_plain(editor, event, text, len, err);
    if (status != JL_OK || *event == EDITOR_LEAVE) {
        free(*text);
        *text = NULL;
    }
    return status;
}
