/* jinlin.json: written by us, read with the same distrust as all files. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "hub/store.h"

#define MAX_BYTES ((size_t)16 << 20)
#define VERSION 1

static enum jl_status bad(const char *path, const char *what, struct jl_error *err) {
    return jl_fail(err, JL_ERR_FORMAT,
                   "%s is no list of a pulled model: %s; remove it and pull the model again (what "
                   "is there is checked, not fetched twice)",
                   path, what);
}

static const char *text_of(const json_t *object, const char *key, struct arena *arena) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? arena_strdup(arena, text) : NULL;
}

static bool read_hash(const json_t *object, struct hub_hash *out) {
    const char *sha256 = json_string_value(json_object_get(object, "sha256"));
    const char *git = json_string_value(json_object_get(object, "git"));
    *out = (struct hub_hash){0};
    if (sha256) return hub_hash_read(sha256, HUB_HASH_SHA256, out);
    return !git || hub_hash_read(git, HUB_HASH_GIT, out);
}

static enum jl_status read_files(const json_t *list, const char *path, struct arena *arena,
                                 struct hub_model *out, struct jl_error *err) {
    size_t i;
    const json_t *entry;
    out->n = json_array_size(list);
    out->files = arena_calloc(arena, out->n + 1, sizeof *out->files);
    if (!out->files) return jl_fail(err, JL_ERR_MEMORY, "%s: out of memory", path);
    json_array_foreach(list, i, entry) {
        struct hub_stored_file *file = &out->files[i];
        file->path = text_of(entry, "path", arena);
        file->file = text_of(entry, "file", arena);
        file->size = json_integer_value(json_object_get(entry, "size"));
        if (!file->path || !file->file || !hub_path_ok(file->path) || !hub_path_ok(file->file) ||
            strchr(file->file, '/') || file->size < 0 || !read_hash(entry, &file->hash))
            return bad(path, "an entry of 'files'", err);
    }
    return JL_OK;
}

/* What `list` prints must not move a cursor. */
static bool is_plain(const char *text) {
    for (; text && *text; text++)
        if ((unsigned char)*text < ' ' || (unsigned char)*text >= 0x7F) return false;
    return true;
}

static bool read_source(const char *text, enum hub_source *out) {
    *out = text && !strcmp(text, "ms") ? HUB_MS : text && !strcmp(text, "url") ? HUB_URL : HUB_HF;
    return text && !strcmp(text, hub_source_name(*out));
}

static enum jl_status read_root(const json_t *root, const char *path, struct arena *arena,
                                struct hub_model *out, struct jl_error *err) {
    const json_t *files = json_object_get(root, "files");
    const char *source = text_of(root, "source", arena), *empty = "";
    if (json_integer_value(json_object_get(root, "version")) != VERSION)
        return bad(path, "it is of another version", err);
    out->name.source_given = true;
    out->name.repo = text_of(root, "repo", arena);
    out->name.revision = text_of(root, "revision", arena);
    out->name.pick = text_of(root, "pick", arena);
    out->name.url = text_of(root, "url", arena);
    out->name.endpoint = text_of(root, "endpoint", arena);
    out->commit = text_of(root, "commit", arena);
    out->type = text_of(root, "type", arena);
    out->date = text_of(root, "date", arena);
    if (!out->commit) out->commit = empty;
    if (!out->type) out->type = empty;
    if (!out->date) out->date = empty;
    out->complete = json_is_true(json_object_get(root, "complete"));
    out->checked = json_is_true(json_object_get(root, "checked"));
    if (!read_source(source, &out->name.source)) return bad(path, "'source'", err);
    if (out->name.source == HUB_URL ? !out->name.url : !out->name.repo)
        return bad(path, "it does not say where the model is from", err);
    if (!is_plain(out->name.repo) || !is_plain(out->name.url) || !is_plain(out->name.endpoint) ||
        !is_plain(out->commit) || !is_plain(out->type) || !is_plain(out->date) ||
        (out->name.revision && !hub_path_ok(out->name.revision)))
        return bad(path, "a text in it has characters that it cannot have", err);
    if (out->name.pick && !hub_path_ok(out->name.pick)) return bad(path, "'pick'", err);
    if (!json_is_array(files) || json_array_size(files) == 0) return bad(path, "'files'", err);
    return read_files(files, path, arena, out, err);
}

enum jl_status hub_manifest_parse(const char *text, size_t size, const char *path,
                                  struct arena *arena, struct hub_model *out,
                                  struct jl_error *err) {
    json_error_t error;
    *out = (struct hub_model){0};
    json_t *root;
    enum jl_status status = jl_json_load(text, size, JSON_REJECT_DUPLICATES, &root, &error);
    if (status == JL_ERR_MEMORY) return jl_fail(err, status, "%s: out of memory", path);
    if (status != JL_OK) return bad(path, error.text, err);
    status = read_root(root, path, arena, out, err);
    json_decref(root);
    return status;
}

enum jl_status hub_manifest_read(const char *folder, struct arena *arena, struct hub_model *out,
                                 bool *found, struct jl_error *err) {
    char *text;
    size_t size;
    const char *path = hub_text(arena, "%s/" HUB_MANIFEST, folder);
    *out = (struct hub_model){0};
    *found = path && file_exists(path);
    if (!path) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a path");
    if (!*found) return JL_OK;
    JL_TRY(file_read_regular(path, MAX_BYTES, &text, &size, err));
    enum jl_status status = hub_manifest_parse(text, size, path, arena, out, err);
    free(text);
    out->folder = arena_strdup(arena, folder);
    return status;
}

static json_t *pack(const struct hub_model *model) {
    json_t *files = json_array();
    for (size_t i = 0; i < model->n; i++) {
        const struct hub_stored_file *file = &model->files[i];
        json_t *entry = json_pack("{s:s, s:s, s:I}", "path", file->path, "file", file->file, "size",
                                  (json_int_t)file->size);
        if (file->hash.kind != HUB_HASH_NONE)
            json_object_set_new(entry, hub_hash_name(file->hash.kind), json_string(file->hash.hex));
        if (json_array_append_new(files, entry)) {
            json_decref(files);
            return NULL;
        }
    }
    const struct hub_name *name = &model->name;
    return json_pack("{s:i, s:s, s:s*, s:s*, s:s*, s:s*, s:s*, s:s, s:s, s:s, s:b, s:b, s:o}",
                     "version", VERSION, "source", hub_source_name(name->source), "endpoint",
                     name->endpoint, "repo", name->repo, "url", name->url, "revision",
                     name->revision, "pick", name->pick, "commit", model->commit, "type",
                     model->type, "date", model->date, "complete", model->complete, "checked",
                     model->checked, "files", files);
}

enum jl_status hub_manifest_write(const struct hub_model *model, const char *folder,
                                  struct jl_error *err) {
    struct file_writer writer;
    struct arena arena = {.block_size = 4096};
    const char *path = hub_text(&arena, "%s/" HUB_MANIFEST, folder);
    json_t *root = pack(model);
    char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
    enum jl_status status = JL_OK;
    json_decref(root);
    if (!path || !text)
        status = jl_fail(err, JL_ERR_MEMORY, "out of memory for the list of a model's files");
    if (status == JL_OK) status = file_writer_open(path, &writer, err);
    if (status == JL_OK) {
        fprintf(writer.stream, "%s\n", text);
        status = file_writer_commit(&writer, err);
    }
    free(text);
    arena_free(&arena);
    return status;
}
