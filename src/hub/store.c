#include "hub/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hub/choose.h"
#include "hub/fetch.h"

#define LOCK ".lock"
#define MAX_FOLDER 240 // bytes of a folder's name

const char *hub_store_home(const char *jinlin_home, const char *xdg_data_home, const char *home,
                           struct arena *arena) {
    if (jinlin_home) return arena_strdup(arena, jinlin_home);
    if (xdg_data_home && xdg_data_home[0] == '/')
        return hub_text(arena, "%s/jinlin/models", xdg_data_home);
    return home ? hub_text(arena, "%s/.local/share/jinlin/models", home) : NULL;
}

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for a model's folder");
}

/* ---- folders ---- */

enum jl_status hub_store_folder(const char *home, const struct hub_name *name, struct arena *arena,
                                const char **out, struct jl_error *err) {
    struct hub_url url;
    char *stem = name->pick ? (char *)(uintptr_t)hub_gguf_stem(name->pick, arena) : NULL;
    if (name->pick && !stem) return no_memory(err);
    for (char *c = stem; c && *c; c++)
        if (*c == '/') *c = '+';
    if (name->source == HUB_URL) {
        JL_TRY(hub_url_parse(name->url, name->url, arena, &url, err));
        *out = hub_text(arena, "%s/url/%s_%d/%s", home, url.host, url.port, stem);
    } else {
        *out = hub_text(arena, "%s/%s/%s%s%s", home, hub_source_name(name->source), name->repo,
                        stem ? "+" : "", stem ? stem : "");
    }
    if (!*out) return no_memory(err);
    if (strlen(hub_path_base(*out)) <= MAX_FOLDER) return JL_OK;
    return jl_fail(err, JL_ERR_LIMIT, "%s: the name is too long for a folder", *out);
}

/* Makes and opens the part of `path` below `from` (a descriptor, closed here). */
static int open_below(int from, const char *path) {
    while (from >= 0 && *path) {
        size_t len = strcspn(path, "/");
        char part[256];
        if (len == 0 || len >= sizeof part) {
            close(from);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(part, path, len);
        part[len] = 0;
        mkdirat(from, part, 0777);
        int next = openat(from, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int saved = errno;
        close(from);
        errno = saved;
        from = next;
        path += len + (path[len] == '/');
    }
    return from;
}

/* mkdir -p of what the user named: links in it are the user's own. */
static int open_home(const char *home, struct arena *arena) {
    char *path = arena_strdup(arena, home);
    for (char *c = path ? strchr(path + 1, '/') : NULL; c; c = strchr(c + 1, '/')) {
        *c = 0;
        mkdir(path, 0777);
        *c = '/';
    }
    mkdir(home, 0777);
    return open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static enum jl_status take_lock(int dir, const char *folder, const char *shown, int *lock,
                                struct jl_error *err) {
    struct stat st;
    *lock = openat(dir, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (*lock < 0) return jl_fail(err, JL_ERR_IO, "cannot make %s/" LOCK ": %m", folder);
    if (flock(*lock, LOCK_EX | LOCK_NB) == 0) {
        if (fstat(*lock, &st) == 0 && st.st_nlink > 0) return JL_OK; // not removed meanwhile
        errno = EWOULDBLOCK;
    }
    if (errno != EWOULDBLOCK) return jl_fail(err, JL_ERR_IO, "cannot lock %s: %m", folder);
    return jl_fail(err, JL_ERR_IO,
                   "another jinlin is pulling or removing %s; wait until it has finished", shown);
}

enum jl_status hub_store_open(const char *home, const char *folder, const char *shown, int *dir,
                              int *lock, struct jl_error *err) {
    struct arena arena = {.block_size = 4096};
    *lock = -1;
    *dir = open_home(home, &arena);
    arena_free(&arena);
    if (*dir < 0)
        return jl_fail(err, JL_ERR_IO,
                       "cannot use %s as the folder of models: %m (JINLIN_HOME sets it)", home);
    *dir = open_below(*dir, folder + strlen(home) + 1);
    if (*dir < 0)
        return jl_fail(err, JL_ERR_IO, "cannot make or open the folder %s: %m%s", folder,
                       errno == ELOOP || errno == ENOTDIR
                           ? "; no part of it below the folder of models may be a link or a file"
                           : "");
    enum jl_status status = take_lock(*dir, folder, shown, lock, err);
    if (status == JL_OK) return JL_OK;
    if (*lock >= 0) close(*lock);
    close(*dir);
    *dir = *lock = -1;
    return status;
}

/* Removes a folder and its parents below `home` while they are empty; false: it was not. */
static bool remove_folders(const char *home, const char *folder) {
    struct arena arena = {.block_size = 4096};
    char *path = arena_strdup(&arena, folder);
    bool gone = path && rmdir(path) == 0;
    for (char *slash; gone && (slash = strrchr(path, '/')) && slash > path + strlen(home);) {
        *slash = 0;
        if (strlen(path) <= strlen(home) || rmdir(path)) break;
    }
    arena_free(&arena);
    return gone;
}

static bool only_lock(const char *folder) {
    DIR *dir = opendir(folder);
    bool only = dir;
    for (struct dirent *entry; only && (entry = readdir(dir));)
        only = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
               !strcmp(entry->d_name, LOCK);
    if (dir) closedir(dir);
    return only;
}

void hub_store_close(const char *home, const char *folder, int dir, int lock) {
    if (only_lock(folder)) {
        unlinkat(dir, LOCK, 0);
        remove_folders(home, folder);
    }
    close(lock);
    close(dir);
}

/* ---- all of them ---- */

static enum jl_status add(struct hub_models *models, const struct hub_model *model,
                          struct arena *arena, struct jl_error *err) {
    if (models->n == models->cap) {
        size_t cap = models->cap ? 2 * models->cap : 16;
        struct hub_model *grown = arena_calloc(arena, cap, sizeof *grown);
        if (!grown) return no_memory(err);
        if (models->n) memcpy(grown, models->items, models->n * sizeof *grown);
        models->items = grown;
        models->cap = cap;
    }
    models->items[models->n++] = *model;
    return JL_OK;
}

struct walk {
    struct hub_models *out;
    struct arena *arena;
    void (*tell)(const char *line);
};

/* HOME/SOURCE/ORG/REPO: manifests lie three levels down. */
static enum jl_status walk(const struct walk *w, const char *path, int depth,
                           struct jl_error *err) {
    struct hub_model model;
    struct jl_error unread;
    bool found;
    if (depth == 3) {
        enum jl_status status = hub_manifest_read(path, w->arena, &model, &found, &unread);
        if (status == JL_OK) return found ? add(w->out, &model, w->arena, err) : JL_OK;
        if (w->tell) w->tell(unread.message);
        return JL_OK;
    }
    DIR *dir = opendir(path);
    if (!dir) return JL_OK; // nothing was pulled, or a stray file
    enum jl_status status = JL_OK;
    for (struct dirent *entry; status == JL_OK && (entry = readdir(dir));) {
        const char *below = hub_text(w->arena, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] == '.') continue;
        status = below ? walk(w, below, depth + 1, err) : no_memory(err);
    }
    closedir(dir);
    return status;
}

static int by_folder(const void *a, const void *b) {
    const struct hub_model *left = a, *right = b;
    return strcmp(left->folder, right->folder);
}

enum jl_status hub_store_list(const char *home, struct arena *arena, struct hub_models *out,
                              void (*tell)(const char *line), struct jl_error *err) {
    struct walk w = {out, arena, tell};
    *out = (struct hub_models){0};
    JL_TRY(walk(&w, home, 0, err));
    if (out->n) qsort(out->items, out->n, sizeof *out->items, by_folder);
    return JL_OK;
}

/* ---- one of them ---- */

/* 2: this very one; 1: it could be meant; 0: no. */
static int fits(const struct hub_model *model, const struct hub_name *name) {
    const struct hub_name *own = &model->name;
    if (name->source_given && own->source != name->source) return 0;
    if (own->source == HUB_URL || name->source == HUB_URL)
        return own->url && name->url && !strcmp(own->url, name->url) ? 2 : 0;
    if (strcmp(own->repo, name->repo)) return 0;
    if (name->revision) {
        size_t len = strlen(name->revision);
        bool named = own->revision && !strcmp(own->revision, name->revision);
        if (!named && (len < 7 || strncmp(model->commit, name->revision, len))) return 0;
    }
    if (!name->pick) return own->pick ? 1 : 2;
    if (!own->pick || !hub_pick_means(name->pick, own->pick)) return 0;
    return !strcmp(name->pick, own->pick) ? 2 : 1;
}

enum jl_status hub_store_find(const struct hub_models *models, const struct hub_name *name,
                              const char *shown, const struct hub_model **out,
                              struct jl_error *err) {
    const struct hub_model *best = NULL, *other = NULL;
    int grade = 0;
    *out = NULL;
    for (size_t i = 0; i < models->n; i++) {
        int own = fits(&models->items[i], name);
        if (own == 0 || own < grade) continue;
        other = own == grade ? best : NULL;
        best = &models->items[i];
        grade = own;
    }
    *out = other ? NULL : best;
    if (!other) return JL_OK;
    struct arena arena = {.block_size = 4096};
    const char *first = hub_model_label(other, &arena), *second = hub_model_label(best, &arena);
    enum jl_status status = jl_fail(
        err, JL_ERR_USAGE, "'%s' could mean several pulled models: %s%s, %s ...; say which", shown,
        other->name.source == HUB_HF ? "hf:" : "", first ? first : "?", second ? second : "?");
    arena_free(&arena);
    return status;
}

const char *hub_model_label(const struct hub_model *model, struct arena *arena) {
    const struct hub_name *name = &model->name;
    if (name->source == HUB_URL) return name->url;
    const char *prefix = name->source == HUB_MS ? "ms:" : "";
    return hub_text(arena, "%s%s%s%s", prefix, name->repo, name->pick ? ":" : "",
                    name->pick ? name->pick : "");
}

const char *hub_model_path(const struct hub_model *model, struct arena *arena) {
    if (!model->name.pick) return arena_strdup(arena, model->folder);
    return hub_text(arena, "%s/%s", model->folder, hub_path_base(model->name.pick));
}

int64_t hub_model_bytes(const struct hub_model *model) {
    int64_t bytes = 0;
    for (size_t i = 0; i < model->n; i++)
        if (__builtin_add_overflow(bytes, model->files[i].size, &bytes)) return INT64_MAX;
    return bytes;
}

int64_t hub_model_present(const struct hub_model *model, bool *whole) {
    int64_t bytes = 0;
    int dir = open(model->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *whole = dir >= 0;
    for (size_t i = 0; dir >= 0 && i < model->n; i++) {
        struct stat st;
        bool there = !fstatat(dir, model->files[i].file, &st, 0) && S_ISREG(st.st_mode);
        if (there) bytes += st.st_size;
        if (!there) bytes += hub_fetch_begun(dir, model->files[i].file);
        if (!there || st.st_size != model->files[i].size) *whole = false;
    }
    if (dir >= 0) close(dir);
    return bytes;
}

/* ---- removal ---- */

/* What downloads leave: also of a version that never became the model. */
static void remove_parts(int dir, const char *folder) {
    static const char *const ends[] = {HUB_PART, HUB_NOTE, HUB_NEW};
    DIR *list = opendir(folder);
    for (struct dirent *entry; list && (entry = readdir(list));)
        for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
            size_t len = strlen(entry->d_name), tail = strlen(ends[i]);
            if (len > tail && !strcmp(entry->d_name + len - tail, ends[i]))
                unlinkat(dir, entry->d_name, 0);
        }
    if (list) closedir(list);
}

enum jl_status hub_store_remove(const char *home, const struct hub_model *model, bool *left,
                                struct jl_error *err) {
    struct arena arena = {.block_size = 4096};
    int dir, lock;
    const char *label = hub_model_label(model, &arena);
    const char *path = model->folder;
    enum jl_status status = label ? JL_OK : no_memory(err);
    *left = false;
    if (status == JL_OK) status = hub_store_open(home, model->folder, label, &dir, &lock, err);
    if (status == JL_OK) {
        for (size_t i = 0; i < model->n; i++)
            unlinkat(dir, model->files[i].file, 0);
        remove_parts(dir, path);
        if (unlinkat(dir, HUB_MANIFEST, 0))
            status = jl_fail(err, JL_ERR_IO, "cannot remove %s/" HUB_MANIFEST ": %m", path);
        *left = !only_lock(path);
        hub_store_close(home, path, dir, lock);
    }
    arena_free(&arena);
    return status;
}
