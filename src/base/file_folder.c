#include "base/file_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define ATTEMPTS 100

static enum jl_status fail_errno(const char *what, const char *path, struct jl_error *err) {
    return jl_fail(err, errno == ENOMEM ? JL_ERR_MEMORY : JL_ERR_IO, "cannot %s %s: %m", what,
                   path);
}

static void forget(struct file_folder *folder) {
    free(folder->path);
    free(folder->tmp_path);
    *folder = (struct file_folder){0};
}

static bool is_empty(const char *path) {
    DIR *dir = opendir(path);
    int n = 0;
    if (!dir) return false;
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return n == 0;
}

/* "a/b//" is "a/b". */
static char *without_slashes(const char *path) {
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    return strndup(path, len);
}

/* A name that nothing has yet, made. */
static bool make_tmp(struct file_folder *folder) {
    for (int i = 0; i < ATTEMPTS; i++) {
        free(folder->tmp_path);
        if (asprintf(&folder->tmp_path, i ? "%s.tmp-%ld-%d" : "%s.tmp-%ld", folder->path,
                     (long)getpid(), i) < 0) {
            folder->tmp_path = NULL;
            errno = ENOMEM;
            return false;
        }
        if (mkdir(folder->tmp_path, 0777) == 0) return true;
        if (errno != EEXIST) break;
    }
    int kept = errno;
    free(folder->tmp_path); // it is not ours to remove
    folder->tmp_path = NULL;
    errno = kept;
    return false;
}

enum jl_status file_folder_open(const char *path, struct file_folder *out, struct jl_error *err) {
    *out = (struct file_folder){.path = without_slashes(path)};
    if (!out->path) return jl_fail(err, JL_ERR_MEMORY, "out of memory writing %s", path);
    enum jl_status status = JL_OK;
    if (file_exists(out->path) && !(file_is_dir(out->path) && is_empty(out->path)))
        status =
            jl_fail(err, JL_ERR_IO, "%s exists already; choose another name or remove it", path);
    else if (!make_tmp(out))
        status = fail_errno("make a folder beside", path, err);
    if (status != JL_OK) forget(out);
    return status;
}

/* A folder's own entries, or those of the folder that holds it, on the disk. Some file systems
 * cannot sync a folder (EINVAL). */
static bool sync_folder(const char *path, bool parent) {
    const char *slash = parent ? strrchr(path, '/') : NULL;
    char *dir = !parent         ? strdup(path)
                : !slash        ? strdup(".")
                : slash == path ? strdup("/")
                                : strndup(path, (size_t)(slash - path));
    if (!dir) return false;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP);
    if (fd >= 0) close(fd);
    free(dir);
    return ok;
}

enum jl_status file_folder_commit(struct file_folder *folder, struct jl_error *err) {
    enum jl_status status = JL_OK;
    if (!folder->tmp_path)
        return jl_fail(err, JL_ERR_USAGE, "a folder was committed twice or never opened");
    if (!sync_folder(folder->tmp_path, false))
        status = fail_errno("sync", folder->tmp_path, err);
    else if (rename(folder->tmp_path, folder->path) != 0)
        status = fail_errno("move the finished folder to", folder->path, err);
    if (status != JL_OK) {
        file_folder_abort(folder);
        return status;
    }
    if (!sync_folder(folder->path, true))
        status = jl_fail(err, JL_ERR_IO, "%s is written, but its directory cannot be synced: %m",
                         folder->path);
    forget(folder);
    return status;
}

/* What is in an open folder; folders in it are emptied when they hold files alone. */
static void remove_entries(int fd, bool below) {
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0) close(fd);
        return;
    }
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (unlinkat(fd, entry->d_name, 0) == 0 || !below || entry->d_name[0] == '.') continue;
        remove_entries(openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                       false);
        unlinkat(fd, entry->d_name, AT_REMOVEDIR);
    }
    closedir(dir);
}

void file_folder_abort(struct file_folder *folder) {
    if (!folder->tmp_path) return;
    remove_entries(open(folder->tmp_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), true);
    rmdir(folder->tmp_path);
    forget(folder);
}
