#include "cli/chat/past.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define PAST_FILE_LIMIT ((size_t)256 << 20)

static bool make_folders(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made) return false;
    }
    return true;
}

/* A file of the user's folder for what programs remember; NULL: it is not known. */
static char *state_path(const char *name) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n = -1;
    if (state && state[0] == '/') // the specification: relative paths are to be ignored
        n = asprintf(&path, "%s/jinlin/%s", state, name);
    else if (home && *home)
        n = asprintf(&path, "%s/.local/state/jinlin/%s", home, name);
    return n < 0 ? NULL : path;
}

char *past_path(void) { return state_path("history"); }

char *past_file(const char *name) {
    char *path = state_path(name);
    if (!path || make_folders(path)) return path;
    free(path);
    return NULL;
}

/* In place: \n and \\ back to what they stand for. */
static void unescape(char *line) {
    char *to = line;
    for (const char *from = line; *from; from++) {
        if (*from == '\\' && (from[1] == 'n' || from[1] == '\\'))
            *to++ = *++from == 'n' ? '\n' : '\\';
        else
            *to++ = *from;
    }
    *to = 0;
}

static enum jl_status cut_back(const char *path, const char *newest, struct jl_error *err) {
    struct file_writer writer;
    JL_TRY(file_writer_open(path, &writer, err));
    if (fchmod(fileno(writer.stream), 0600) || fputs(newest, writer.stream) == EOF) {
        file_writer_abort(&writer);
        return jl_fail(err, JL_ERR_IO, "%s: cannot be cut back: %s", path, strerror(errno));
    }
    return file_writer_commit(&writer, err);
}

enum jl_status past_load(const char *path, void (*add)(void *ctx, const char *entry), void *ctx,
                         struct jl_error *err) {
    char *text;
    if (!file_exists(path)) return JL_OK;
    JL_TRY(file_read(path, PAST_FILE_LIMIT, &text, NULL, err));
    size_t n_line = 0;
    for (const char *c = text; *c; c++)
        n_line += *c == '\n';
    size_t skip = n_line > PAST_MAX_ENTRIES ? n_line - PAST_MAX_ENTRIES : 0;
    char *at = text;
    for (; skip; skip--)
        at = strchr(at, '\n') + 1;
    enum jl_status status = n_line > 2 * PAST_MAX_ENTRIES ? cut_back(path, at, err) : JL_OK;
    for (char *end; (end = strchr(at, '\n')); at = end + 1) {
        *end = 0;
        unescape(at);
        if (*at) add(ctx, at);
    }
    free(text);
    return status;
}

static char *escape(const char *entry, size_t *len) {
    char *line = malloc(2 * strlen(entry) + 2), *to = line;
    if (!line) return NULL;
    for (const char *c = entry; *c; c++) {
        if (*c == '\n' || *c == '\\') *to++ = '\\';
        *to++ = *c == '\n' ? 'n' : *c;
    }
    *to++ = '\n';
    *len = (size_t)(to - line);
    return line;
}

enum jl_status past_append(const char *path, const char *entry, struct jl_error *err) {
    size_t len = 0;
    if (strlen(entry) > PAST_MAX_ENTRY) return JL_OK;
    char *folders = strdup(path), *line = escape(entry, &len);
    int fd = -1;
    enum jl_status status = JL_OK;
    if (!folders || !line) status = jl_fail(err, JL_ERR_MEMORY, "out of memory for %s", path);
    if (status == JL_OK && make_folders(folders))
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    // One write of a whole line: chats that run side by side do not cut into each other.
    if (status == JL_OK && (fd < 0 || write(fd, line, len) != (ssize_t)len))
        status = jl_fail(err, JL_ERR_IO, "%s: %s", path, strerror(errno));
    if (fd >= 0) close(fd);
    free(folders);
    free(line);
    return status;
}
