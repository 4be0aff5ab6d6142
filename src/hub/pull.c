#include "hub/pull.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "hub/choose.h"
#include "hub/fetch.h"
#include "hub/remote.h"

#define MAX_INDEX ((size_t)64 << 20)
#define TYPE_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."
#define MAX_CONFIG ((size_t)4 << 20)

enum have {
    HAVE_NOTHING,
    HAVE_FILE, // it is there and right
    HAVE_NEW,  // it waits under NAME.new
};

struct item {
    const struct hub_file *file;
    struct hub_target target;
    enum have have;
    bool waits; // under NAME.new until all is there: the old model is complete
};

struct pull {
    struct hub_line *line;
    const struct hub_pull *what;
    struct arena *arena;
    struct hub_remote remote;
    struct hub_choice choice;
    struct hub_model old, model;
    bool has_old;
    int dir, lock;
    struct item *items;
    struct hub_pulled *out;
};

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory to pull a model");
}

static void say(void *ctx, const char *line) { hub_line_say(ctx, "%s", line); }

/* ---- what there is to have ---- */

static enum jl_status choose(struct pull *p, struct jl_error *err) {
    struct hub_listing *listing = arena_calloc(p->arena, 1, sizeof *listing);
    struct hub_answer index = {0};
    if (!listing) return no_memory(err);
    JL_TRY(hub_remote_list(p->line, &p->remote, p->arena, listing, err));
    struct hub_question question = {.listing = listing,
                                    .repo = p->remote.name->repo,
                                    .pick = p->remote.name->pick,
                                    .tell = say,
                                    .ctx = p->line};
    if (hub_choose_needs_index(&question)) {
        struct hub_file file = {.path = "model.safetensors.index.json"};
        for (size_t i = 0; i < listing->n; i++)
            if (!strcmp(listing->files[i].path, file.path)) file = listing->files[i];
        JL_TRY(hub_remote_read(p->line, &p->remote, &file, MAX_INDEX, p->arena, &index, err));
        question.index = index.text;
        question.index_size = index.size;
    }
    enum jl_status status = hub_choose(&question, p->arena, &p->choice, err);
    free(index.text);
    return status;
}

/* One file at an address: no list, no hash; the server says the size. */
static enum jl_status choose_url(struct pull *p, struct jl_error *err) {
    struct hub_file *file = arena_calloc(p->arena, 1, sizeof *file);
    p->choice.files = arena_calloc(p->arena, 1, sizeof *p->choice.files);
    if (!file || !p->choice.files) return no_memory(err);
    file->path = p->remote.name->pick;
    file->size = -1;
    p->choice.files[0] = file;
    p->choice.n = 1;
    p->choice.gguf = true;
    p->choice.pick = file->path;
    return JL_OK;
}

static enum jl_status make_items(struct pull *p, struct jl_error *err) {
    bool url = p->remote.name->source == HUB_URL;
    const char *repo = p->remote.name->repo;
    size_t n = p->choice.n;
    p->items = arena_calloc(p->arena, n, sizeof *p->items);
    p->model.files = arena_calloc(p->arena, n, sizeof *p->model.files);
    if (!p->items || !p->model.files) return no_memory(err);
    p->model.n = n;
    for (size_t i = 0; i < n; i++) {
        const struct hub_file *file = p->choice.files[i];
        struct item *item = &p->items[i];
        item->file = file;
        item->target = (struct hub_target){
            .url = url ? p->remote.name->url : hub_remote_url(&p->remote, file, p->arena),
            .token = url ? NULL : p->remote.token,
            .token_is_cookie = p->remote.name->source == HUB_MS,
            .file = hub_path_base(file->path),
            .shown = url ? file->path : hub_text(p->arena, "%s: %s", repo, file->path),
            .revision = p->remote.name->source == HUB_HF ? p->remote.commit : NULL,
            .size = file->size,
            .hash = file->hash,
        };
        if (!item->target.url || !item->target.shown) return no_memory(err);
        p->model.files[i] =
            (struct hub_stored_file){file->path, item->target.file, file->size, file->hash};
    }
    return JL_OK;
}

/* ---- what is here ---- */

static const struct hub_stored_file *stored(const struct pull *p, const char *file) {
    for (size_t i = 0; p->has_old && i < p->old.n; i++)
        if (!strcmp(p->old.files[i].file, file)) return &p->old.files[i];
    return NULL;
}

/* Was this very content checked when it came? Where the hub has no hash, the commit must do. */
static bool is_trusted(const struct pull *p, const struct hub_target *t,
                       const struct hub_stored_file *old) {
    if (!old || !p->old.checked || old->hash.kind != t->hash.kind) return false;
    if (t->size >= 0 && old->size != t->size) return false;
    if (t->hash.kind == HUB_HASH_NONE) return !strcmp(p->old.commit, p->model.commit);
    return !strcmp(old->hash.hex, t->hash.hex);
}

/* What was checked when it came needs its size only, unless --verify was given; other files of
 * these names are read. */
static enum jl_status look(struct pull *p, struct item *item, struct jl_error *err) {
    const struct hub_target *t = &item->target;
    const struct hub_stored_file *old = stored(p, t->file);
    const char *fresh = hub_text(p->arena, "%s" HUB_NEW, t->file);
    const struct hub_hash none = {0};
    struct stat st;
    bool there = !fstatat(p->dir, t->file, &st, AT_SYMLINK_NOFOLLOW), same = false;
    bool trusted = is_trusted(p, t, old), hashed = t->hash.kind != HUB_HASH_NONE;
    if (!fresh) return no_memory(err);
    if (trusted || hashed)
        JL_TRY(hub_fetch_check(p->line, p->dir, t->file, t->size >= 0 ? t->size : old->size,
                               trusted && !p->what->verify ? &none : &t->hash, &same, err));
    if (same) item->have = HAVE_FILE;
    if (same) return JL_OK;
    if (there && trusted)
        hub_line_say(p->line, "%s: is not what came; it is fetched again", t->shown);
    item->waits = !trusted && p->old.complete;
    if (hashed) JL_TRY(hub_fetch_check(p->line, p->dir, fresh, t->size, &t->hash, &same, err));
    if (same) item->have = HAVE_NEW;
    return JL_OK;
}

static enum jl_status check_room(const struct pull *p, struct jl_error *err) {
    int64_t need = 0;
    struct statvfs fs;
    for (size_t i = 0; i < p->model.n; i++) {
        const struct item *item = &p->items[i];
        if (item->have != HAVE_NOTHING || item->target.size < 0) continue;
        int64_t begun = hub_fetch_begun(p->dir, item->target.file);
        int64_t rest = begun < item->target.size ? item->target.size - begun : 0;
        if (__builtin_add_overflow(need, rest, &need))
            return jl_fail(err, JL_ERR_FORMAT, "%s: the sizes in the list of files are absurd",
                           p->what->shown);
    }
    if (fstatvfs(p->dir, &fs)) return jl_fail(err, JL_ERR_IO, "cannot ask for free space: %m");
    unsigned long long room = (unsigned long long)fs.f_bavail * fs.f_frsize;
    if ((unsigned long long)need <= room) return JL_OK;
    return jl_fail(err, JL_ERR_IO,
                   "%s needs %.2f GB more, but the disk of %s has %.2f GB free; make room, or set "
                   "JINLIN_HOME to a folder on another disk",
                   p->what->shown, (double)need / 1e9, p->model.folder, (double)room / 1e9);
}

/* ---- getting it ---- */

static enum jl_status fetch_all(struct pull *p, struct jl_error *err) {
    for (size_t i = 0; i < p->model.n; i++) {
        struct item *item = &p->items[i];
        struct hub_response response;
        const char *file = item->target.file, *fresh = hub_text(p->arena, "%s" HUB_NEW, file);
        if (!fresh) return no_memory(err);
        if (item->have != HAVE_NOTHING) continue;
        enum jl_status status =
            hub_fetch(p->line, p->dir, &item->target, item->waits ? fresh : file,
                      &p->model.files[i].size, &response, err);
        if (status != JL_OK)
            return hub_remote_refused(&p->remote, item->file->path, &response, status, err);
        item->have = item->waits ? HAVE_NEW : HAVE_FILE;
        p->out->n_fetched++;
        p->out->bytes_fetched += p->model.files[i].size;
    }
    return JL_OK;
}

static bool is_wanted(const struct pull *p, const char *file) {
    for (size_t i = 0; i < p->model.n; i++)
        if (!strcmp(p->model.files[i].file, file)) return true;
    return false;
}

/* All new files are whole: they take the places of the old ones, and what the model no longer has
 * goes. From the first of these renames on the manifest says that the model is not complete. */
static enum jl_status change_over(struct pull *p, struct jl_error *err) {
    for (size_t i = 0; i < p->model.n; i++) {
        const char *file = p->items[i].target.file;
        const char *fresh = hub_text(p->arena, "%s" HUB_NEW, file);
        if (p->items[i].have != HAVE_NEW) continue;
        if (!fresh) return no_memory(err);
        if (renameat(p->dir, fresh, p->dir, file))
            return jl_fail(err, JL_ERR_IO, "cannot replace %s/%s: %m", p->model.folder, file);
    }
    for (size_t i = 0; p->has_old && i < p->old.n; i++) {
        const char *file = p->old.files[i].file;
        if (is_wanted(p, file) || !strcmp(file, HUB_MANIFEST)) continue;
        const char *fresh = hub_text(p->arena, "%s" HUB_NEW, file);
        unlinkat(p->dir, file, 0);
        if (fresh) unlinkat(p->dir, fresh, 0);
        hub_fetch_forget(p->dir, file);
    }
    return JL_OK;
}

/* "Q4_K_M" of a file's name, the element type of config.json. */
static enum jl_status find_type(struct pull *p, struct jl_error *err) {
    char *text;
    size_t size;
    p->model.type = "";
    if (p->choice.gguf) {
        const char *stem = hub_gguf_stem(p->choice.pick, p->arena);
        if (stem) p->model.type = hub_gguf_type(stem);
        return JL_OK;
    }
    const char *path = hub_text(p->arena, "%s/config.json", p->model.folder);
    if (!path) return no_memory(err);
    if (file_read_regular(path, MAX_CONFIG, &text, &size, NULL) != JL_OK) return JL_OK;
    json_t *config; // NULL where it is no JSON: the type is only for people
    jl_json_load(text, size, JSON_DECODE_INT_AS_REAL, &config, NULL);
    const json_t *quant = json_object_get(config, "quantization_config");
    const char *type = json_string_value(json_object_get(quant, "quant_method"));
    if (!type) type = json_string_value(json_object_get(config, "torch_dtype"));
    if (!type) type = json_string_value(json_object_get(config, "dtype"));
    size_t plain = type ? strspn(type, TYPE_CHARACTERS) : 0;
    if (plain && plain < 32 && !type[plain]) p->model.type = arena_strdup(p->arena, type);
    if (!p->model.type) p->model.type = "";
    json_decref(config);
    free(text);
    return JL_OK;
}

/* `checked`: files under their own names are what the manifest says, whichever are there. */
static enum jl_status write_manifest(struct pull *p, bool complete, bool checked,
                                     struct jl_error *err) {
    char date[32];
    struct tm utc;
    time_t now = time(NULL);
    gmtime_r(&now, &utc);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    p->model.date = arena_strdup(p->arena, date);
    p->model.complete = complete;
    p->model.checked = checked;
    if (!p->model.date) return no_memory(err);
    for (size_t i = 0; i < p->model.n; i++)
        if (p->model.files[i].size < 0) p->model.files[i].size = 0; // an address, nothing came yet
    return hub_manifest_write(&p->model, p->model.folder, err);
}

static bool changes(const struct pull *p) {
    bool same = p->has_old && p->old.complete && p->old.checked && p->old.n == p->model.n &&
                !strcmp(p->old.commit, p->model.commit);
    for (size_t i = 0; i < p->model.n; i++)
        same = same && p->items[i].have == HAVE_FILE;
    return !same;
}

static enum jl_status bring(struct pull *p, struct jl_error *err) {
    for (size_t i = 0; i < p->model.n; i++)
        JL_TRY(look(p, &p->items[i], err));
    JL_TRY(check_room(p, err));
    JL_TRY(find_type(p, err));
    if (!changes(p)) {
        p->model.date = p->old.date;
        p->model.complete = p->model.checked = true;
        for (size_t i = 0; i < p->model.n; i++)
            p->model.files[i].size = stored(p, p->model.files[i].file)->size;
        return JL_OK;
    }
    bool kept = p->has_old && p->old.complete; // the old model works until the change
    for (size_t i = 0; i < p->model.n && !kept; i++)
        if (p->items[i].have != HAVE_FILE) unlinkat(p->dir, p->items[i].target.file, 0);
    if (!kept) JL_TRY(write_manifest(p, false, true, err));
    JL_TRY(fetch_all(p, err));
    if (kept) JL_TRY(write_manifest(p, false, false, err));
    JL_TRY(change_over(p, err));
    JL_TRY(find_type(p, err));
    return write_manifest(p, true, true, err);
}

static enum jl_status read_old(struct pull *p, struct jl_error *err) {
    struct jl_error unread;
    enum jl_status status =
        hub_manifest_read(p->model.folder, p->arena, &p->old, &p->has_old, &unread);
    if (status == JL_ERR_MEMORY) return jl_fail(err, status, "%s", unread.message);
    if (status == JL_OK) return JL_OK;
    hub_line_say(p->line, "%s", unread.message);
    p->has_old = false;
    p->old = (struct hub_model){0};
    return JL_OK;
}

static enum jl_status plan(struct pull *p, struct jl_error *err) {
    bool url = p->what->name->source == HUB_URL;
    JL_TRY(url ? choose_url(p, err) : choose(p, err));
    p->model.name = *p->what->name;
    p->model.name.pick = p->choice.pick;
    p->model.name.revision = url ? NULL : p->remote.revision;
    p->model.name.endpoint = url ? NULL : p->what->endpoint;
    p->model.commit = p->remote.commit ? p->remote.commit : "";
    JL_TRY(make_items(p, err));
    return hub_store_folder(p->what->home, &p->model.name, p->arena, &p->model.folder, err);
}

enum jl_status hub_pull(struct hub_line *line, const struct hub_pull *what, struct arena *arena,
                        struct hub_pulled *out, struct jl_error *err) {
    struct pull p = {.line = line, .what = what, .arena = arena, .dir = -1, .lock = -1, .out = out};
    const struct hub_name *name = what->name;
    *out = (struct hub_pulled){0};
    p.remote = (struct hub_remote){.name = name, .endpoint = what->endpoint, .token = what->token};
    p.remote.revision = name->revision           ? name->revision
                        : name->source == HUB_MS ? "master"
                                                 : "main";
    JL_TRY(plan(&p, err));
    JL_TRY(hub_store_open(what->home, p.model.folder, what->shown, &p.dir, &p.lock, err));
    enum jl_status status = read_old(&p, err);
    if (status == JL_OK) status = bring(&p, err);
    hub_store_close(what->home, p.model.folder, p.dir, p.lock);
    out->model = p.model;
    return status;
}
