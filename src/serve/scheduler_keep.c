/* Resting sessions in a folder, from one run of the server to the next: OWNER-NUMBER.session, the
 * one that was used last first (session/session_file.h). */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "serve/scheduler_self.h"
#include "session/session_file.h"

#define NAME_BYTES (16 + 1 + 3 + 9) // "0123456789abcdef-000.session" and its NUL
enum { MOST_KEPT = 1000 };

static void note(const struct scheduler *s, const char *what, const char *why) {
    char line[1200];
    if (!s->options.note) return;
    snprintf(line, sizeof line, "%s: %s", what, why);
    s->options.note(s->options.note_ctx, line);
}

/* *owner of a name that we have given. */
static bool read_name(const char *name, uint64_t *owner) {
    int number, used = 0;
    return strlen(name) == NAME_BYTES - 1 &&
           sscanf(name, "%16" SCNx64 "-%3d.session%n", owner, &number, &used) == 2 &&
           used == NAME_BYTES - 1;
}

static int by_number(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name + 17, (*b)->d_name + 17);
}

static int is_ours(const struct dirent *entry) {
    uint64_t owner;
    return read_name(entry->d_name, &owner);
}

/* Names of the folder's sessions, the last used first; the caller frees each and the list. */
static int list_kept(const struct scheduler *s, struct dirent ***out) {
    int n = scandir(s->options.keep_folder, out, is_ours, by_number);
    if (n < 0) *out = NULL;
    return n < 0 ? 0 : n;
}

static void free_list(struct dirent **list, int n) {
    for (int i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

/* ---- at the start ---- */

static enum jl_status load_one(struct scheduler *s, const char *path, uint64_t owner,
                               struct jl_error *err) {
    struct session *session;
    JL_TRY(session_create(s->set, &session, err));
    session_own(session, owner);
    enum jl_status status = session_load(session, path, err);
    if (status == JL_OK)
        scheduler_rest(s, session, owner);
    else
        session_free(session);
    return status;
}

void scheduler_load_kept(struct scheduler *s) {
    struct dirent **list;
    if (!s->options.keep_folder) return;
    int n = list_kept(s, &list);
    for (int i = n - 1; i >= 0; i--) { // the last used comes last, and rests longest
        struct jl_error err = {0};
        uint64_t owner = 0;
        char *path = file_path_in(s->options.keep_folder, list[i]->d_name);
        if (i < s->options.n_resting && path && read_name(list[i]->d_name, &owner) &&
            load_one(s, path, owner, &err) != JL_OK)
            note(s, "a conversation that was kept is left out", err.message);
        free(path);
    }
    free_list(list, n);
}

/* ---- at the end ---- */

static void remove_kept(const struct scheduler *s) {
    struct dirent **list;
    int n = list_kept(s, &list);
    for (int i = 0; i < n; i++) {
        char *path = file_path_in(s->options.keep_folder, list[i]->d_name);
        if (path && unlink(path)) note(s, path, strerror(errno));
        free(path);
    }
    free_list(list, n);
}

static enum jl_status save_one(const struct scheduler *s, const struct resting *resting, int number,
                               size_t *bytes, struct jl_error *err) {
    char name[NAME_BYTES];
    struct stat info;
    snprintf(name, sizeof name, "%016" PRIx64 "-%03d.session", resting->owner, number);
    char *path = file_path_in(s->options.keep_folder, name);
    if (!path) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a file's name");
    enum jl_status status = session_save(resting->session, path, err);
    *bytes = status == JL_OK && stat(path, &info) == 0 ? (size_t)info.st_size : 0;
    if (status == JL_OK) chmod(path, 0600); // what people have said
    free(path);
    return status;
}

static struct resting *last_used(struct scheduler *s, uint64_t before) {
    struct resting *found = NULL;
    for (int i = 0; i < s->options.n_resting; i++) {
        struct resting *r = &s->resting[i];
        if (r->session && r->used < before && (!found || r->used > found->used)) found = r;
    }
    return found;
}

void scheduler_save_kept(struct scheduler *s) {
    const char *folder = s->options.keep_folder;
    size_t left = s->options.keep_bytes, bytes = 0;
    struct jl_error err = {0};
    int number = 0;
    if (!folder || atomic_load(&s->keeps_nothing)) return;
    if (mkdir(folder, 0700) && errno != EEXIST) {
        note(s, folder, strerror(errno));
        return;
    }
    remove_kept(s);
    for (struct resting *r = last_used(s, UINT64_MAX); r && number < MOST_KEPT;
         r = last_used(s, r->used)) {
        if (session_bytes(r->session) > left) continue; // a shorter one may fit
        if (save_one(s, r, number++, &bytes, &err) != JL_OK) {
            note(s, "a conversation is not kept", err.message);
            continue;
        }
        left -= bytes < left ? bytes : left;
    }
}
