#include "hub/listing.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "hub/name.h"

#define MAX_FILES 200000

static enum jl_status no_memory(const char *where, struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "%s: out of memory for the list of files", where);
}

static enum jl_status bad(const char *where, const char *what, struct jl_error *err) {
    return jl_fail(err, JL_ERR_FORMAT,
                   "%s: the answer is not what a hub sends: %s; is this the address of a hub, or "
                   "does a log-in page or a proxy answer in its place?",
                   where, what);
}

static enum jl_status parse(const char *text, size_t size, const char *where, json_t **out,
                            struct jl_error *err) {
    json_error_t error;
    enum jl_status status = jl_json_load(text, size, JSON_REJECT_DUPLICATES, out, &error);
    if (status == JL_ERR_MEMORY) return no_memory(where, err);
    return status == JL_OK ? JL_OK : bad(where, error.text, err);
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static enum jl_status set_commit(const char *text, struct arena *arena, struct hub_listing *out) {
    struct hub_hash commit;
    if (!hub_hash_read(text, HUB_HASH_GIT, &commit)) return JL_ERR_FORMAT;
    out->commit = arena_strdup(arena, commit.hex);
    return out->commit ? JL_OK : JL_ERR_MEMORY;
}

static enum jl_status add(struct hub_listing *list, const struct hub_file *file, const char *where,
                          struct arena *arena, struct jl_error *err) {
    if (!hub_path_ok(file->path))
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: the list of files names '%s', which is no path below a folder; nothing "
                       "was written",
                       where, file->path);
    if (list->n == MAX_FILES)
        return jl_fail(err, JL_ERR_LIMIT, "%s: the list has more than %d files", where, MAX_FILES);
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 64;
        struct hub_file *grown = arena_calloc(arena, cap, sizeof *grown);
        if (!grown) return no_memory(where, err);
        if (list->n) memcpy(grown, list->files, list->n * sizeof *grown);
        list->files = grown;
        list->cap = cap;
    }
    struct hub_file *own = &list->files[list->n];
    *own = *file;
    own->path = arena_strdup(arena, file->path);
    own->revision = file->revision ? arena_strdup(arena, file->revision) : NULL;
    if (!own->path || (file->revision && !own->revision)) return no_memory(where, err);
    list->n++;
    return JL_OK;
}

static enum jl_status read_size(const json_t *value, const char *path, const char *where,
                                int64_t *out, struct jl_error *err) {
    *out = json_is_integer(value) ? json_integer_value(value) : -1;
    if (*out >= 0) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT, "%s: the size of '%s' in the list of files is no size",
                   where, path);
}

/* ---- Hugging Face ---- */

enum jl_status hub_listing_hf_revision(const char *text, size_t size, const char *where,
                                       struct arena *arena, struct hub_listing *out,
                                       struct jl_error *err) {
    json_t *root;
    JL_TRY(parse(text, size, where, &root, err));
    enum jl_status status = set_commit(text_of(root, "sha"), arena, out);
    json_decref(root);
    if (status == JL_ERR_MEMORY) return no_memory(where, err);
    return status == JL_OK ? JL_OK : bad(where, "it has no commit ('sha')", err);
}

static enum jl_status add_hf(const json_t *entry, const char *where, struct arena *arena,
                             struct hub_listing *out, struct jl_error *err) {
    struct hub_file file = {.path = text_of(entry, "path")};
    const json_t *lfs = json_object_get(entry, "lfs");
    if (!json_is_object(entry)) return bad(where, "an entry of the list is no object", err);
    if (strcmp(text_of(entry, "type"), "file")) return JL_OK; // a directory
    bool big = json_is_object(lfs);
    JL_TRY(
        read_size(json_object_get(big ? lfs : entry, "size"), file.path, where, &file.size, err));
    if (!big) {
        hub_hash_read(text_of(entry, "oid"), HUB_HASH_GIT, &file.hash);
        return add(out, &file, where, arena, err);
    }
    const char *oid = text_of(lfs, "oid");
    if (!strncmp(oid, "sha256:", 7)) oid += 7;
    if (!hub_hash_read(oid, HUB_HASH_SHA256, &file.hash))
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: the hash of '%s' in the list of files is no SHA-256: '%s'", where,
                       file.path, oid);
    return add(out, &file, where, arena, err);
}

enum jl_status hub_listing_hf_tree(const char *text, size_t size, const char *where,
                                   struct arena *arena, struct hub_listing *out,
                                   struct jl_error *err) {
    json_t *root;
    size_t i;
    const json_t *entry;
    enum jl_status status = JL_OK;
    JL_TRY(parse(text, size, where, &root, err));
    if (!json_is_array(root)) status = bad(where, "it is no list of files", err);
    json_array_foreach(root, i, entry) {
        if (status == JL_OK) status = add_hf(entry, where, arena, out, err);
    }
    json_decref(root);
    return status;
}

/* ---- ModelScope ---- */

static enum jl_status add_ms(const json_t *entry, const char *where, struct arena *arena,
                             struct hub_listing *out, struct jl_error *err) {
    struct hub_file file = {.path = text_of(entry, "Path")};
    const char *sha256 = text_of(entry, "Sha256");
    struct hub_hash commit;
    if (!json_is_object(entry)) return bad(where, "an entry of 'Files' is no object", err);
    if (!strcmp(text_of(entry, "Type"), "tree")) return JL_OK;
    JL_TRY(read_size(json_object_get(entry, "Size"), file.path, where, &file.size, err));
    if (*sha256 && !hub_hash_read(sha256, HUB_HASH_SHA256, &file.hash))
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: the hash of '%s' in the list of files is no SHA-256: '%s'", where,
                       file.path, sha256);
    if (hub_hash_read(text_of(entry, "Revision"), HUB_HASH_GIT, &commit))
        file.revision = commit.hex;
    return add(out, &file, where, arena, err);
}

enum jl_status hub_listing_ms(const char *text, size_t size, const char *where, struct arena *arena,
                              struct hub_listing *out, struct jl_error *err) {
    json_t *root;
    size_t i;
    const json_t *entry;
    enum jl_status status = JL_OK;
    JL_TRY(parse(text, size, where, &root, err));
    const json_t *data = json_object_get(root, "Data");
    const json_t *files = json_object_get(data, "Files");
    if (json_is_false(json_object_get(root, "Success")))
        status =
            jl_fail(err, JL_ERR_IO, "%s: the hub refuses: %s", where, text_of(root, "Message"));
    else if (!json_is_array(files))
        status = bad(where, "it has no 'Data.Files'", err);
    json_array_foreach(files, i, entry) {
        if (status == JL_OK) status = add_ms(entry, where, arena, out, err);
    }
    json_int_t total = json_integer_value(json_object_get(data, "TotalCount"));
    if (status == JL_OK && total > 0 && (size_t)total > json_array_size(files))
        status = jl_fail(err, JL_ERR_UNSUPPORTED,
                         "%s: the list has %zu of %lld files, the rest would not be seen", where,
                         json_array_size(files), (long long)total);
    const char *commit = text_of(json_object_get(data, "LatestCommitter"), "Id");
    if (status == JL_OK && set_commit(commit, arena, out) == JL_ERR_MEMORY)
        status = no_memory(where, err);
    json_decref(root);
    return status;
}

/* ---- all pages ---- */

static int by_path(const void *a, const void *b) {
    const struct hub_file *left = a, *right = b;
    return strcmp(left->path, right->path);
}

enum jl_status hub_listing_finish(struct hub_listing *listing, const char *where,
                                  struct jl_error *err) {
    if (listing->n) qsort(listing->files, listing->n, sizeof *listing->files, by_path);
    for (size_t i = 1; i < listing->n; i++)
        if (!strcmp(listing->files[i - 1].path, listing->files[i].path))
            return jl_fail(err, JL_ERR_FORMAT, "%s: the list of files names '%s' twice", where,
                           listing->files[i].path);
    return JL_OK;
}

const char *hub_link_next(const char *header, struct arena *arena) {
    for (const char *open = strchr(header, '<'); open; open = strchr(open + 1, '<')) {
        const char *close = strchr(open, '>');
        if (!close) return NULL;
        size_t rest = strcspn(close, ","); // the parameters of this link
        const char *rel = memmem(close, rest, "rel=\"next\"", 10);
        if (!rel) rel = memmem(close, rest, "rel=next", 8);
        if (!rel) continue;
        const char *start = open + 1, *scheme = memmem(start, (size_t)(close - start), "://", 3);
        if (scheme) start = memchr(scheme + 3, '/', (size_t)(close - scheme - 3));
        return start && *start == '/' ? arena_strndup(arena, start, (size_t)(close - start)) : NULL;
    }
    return NULL;
}
