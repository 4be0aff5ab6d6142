#include "cli/chat/outside.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

static enum jl_status write_file(int fd, const char *path, const char *text, size_t len,
                                 struct jl_error *err) {
    FILE *file = fdopen(fd, "w");
    if (!file) close(fd);
    bool whole = file && fwrite(text, 1, len, file) == len && fputc('\n', file) != EOF;
    if (file && fclose(file)) whole = false;
    return whole ? JL_OK : jl_fail(err, JL_ERR_IO, "%s: %s", path, strerror(errno));
}

/* The name is ours and holds no quote; what it is given to may have arguments of its own. */
static enum jl_status run_editor(const char *path, struct jl_error *err) {
    const char *visual = getenv("VISUAL"), *editor = getenv("EDITOR");
    const char *program = visual && *visual ? visual : editor && *editor ? editor : "vi";
    char *command;
    if (asprintf(&command, "%s '%s'", program, path) < 0)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for the editor's name");
    int result = system(command);
    free(command);
    if (result != -1 && WIFEXITED(result) && WEXITSTATUS(result) == 0) return JL_OK;
    return jl_fail(err, JL_ERR_USAGE, "the editor '%.80s' failed: set VISUAL or EDITOR", program);
}

enum jl_status outside_edit(const char *text, size_t len, size_t limit, char **out, size_t *out_len,
                            struct jl_error *err) {
    const char *folder = getenv("TMPDIR");
    char *path;
    bool usable = folder && folder[0] == '/' && !strchr(folder, '\'');
    if (asprintf(&path, "%s/jinlin-XXXXXX.md", usable ? folder : P_tmpdir) < 0)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for a file's name");
    int fd = mkstemps(path, 3);
    enum jl_status status =
        fd < 0 ? jl_fail(err, JL_ERR_IO, "%s: %s", path, strerror(errno)) : JL_OK;
    if (status == JL_OK) {
        status = write_file(fd, path, text, len, err);
        if (status == JL_OK) status = run_editor(path, err);
        if (status == JL_OK) status = file_read(path, limit, out, out_len, err);
        unlink(path);
    }
    free(path);
    if (status == JL_OK && *out_len && (*out)[*out_len - 1] == '\n') (*out)[--*out_len] = 0;
    return status;
}
