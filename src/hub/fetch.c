#include "hub/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/json.h"

#define MAX_NAME 256
#define READ_BYTES ((size_t)1 << 20)
#define MAX_NOTE 16384
#define MAX_RESTARTS 5

struct fetch {
    struct hub_line *line;
    const struct hub_target *target;
    int dir, fd;
    char part[MAX_NAME], note[MAX_NAME];
    int64_t size;                    // -1: not known yet
    int64_t have;                    // bytes in the part, all of them in the digest
    char validator[HUB_HEADER_TEXT]; // of the bytes that are there: an ETag or a date; "": none
    struct hub_digest digest;
    bool resumed;    // bytes of an earlier run or answer are in it
    bool from_zero;  // the answer under way does not fit what is there: start again
    int restarts;    // after something had come
    bool distrusted; // the pieces did not fit together once already
};

static enum jl_status fail_errno(const struct fetch *f, const char *what, struct jl_error *err) {
    return jl_fail(err, JL_ERR_IO, "%s: cannot %s %s: %m", f->target->shown, what, f->part);
}

static void names(const char *file, char part[MAX_NAME], char note[MAX_NAME]) {
    snprintf(part, MAX_NAME, "%s" HUB_PART, file);
    snprintf(note, MAX_NAME, "%s" HUB_NOTE, file);
}

int64_t hub_fetch_begun(int dir, const char *file) {
    char part[MAX_NAME], note[MAX_NAME];
    struct stat st;
    names(file, part, note);
    if (fstatat(dir, part, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode)) return 0;
    return st.st_size;
}

void hub_fetch_forget(int dir, const char *file) {
    char part[MAX_NAME], note[MAX_NAME];
    names(file, part, note);
    unlinkat(dir, part, 0);
    unlinkat(dir, note, 0);
}

static bool stopped(const struct hub_line *line) {
    return line->cancel && atomic_load(line->cancel);
}

static void show(struct hub_line *line, const char *file, int64_t done, int64_t total) {
    if (line->watch.progress) line->watch.progress(line->watch.ctx, file, done, total);
}

/* ---- reading what is there ---- */

/* Adds `bytes` bytes of a file to a digest. */
static enum jl_status digest_file(struct hub_line *line, int fd, const char *name, int64_t bytes,
                                  struct hub_digest *digest, struct jl_error *err) {
    char *buffer = malloc(READ_BYTES), shown[MAX_NAME + 16];
    enum jl_status status = JL_OK;
    if (!buffer) return jl_fail(err, JL_ERR_MEMORY, "out of memory to read %s", name);
    snprintf(shown, sizeof shown, "checking %s", name);
    for (int64_t at = 0; at < bytes && status == JL_OK;) {
        int64_t want = bytes - at < (int64_t)READ_BYTES ? bytes - at : (int64_t)READ_BYTES;
        ssize_t got = pread(fd, buffer, (size_t)want, at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            if (got == 0) errno = EIO; // somebody shortened it
            status = jl_fail(err, JL_ERR_IO, "cannot read %s: %m", name);
        } else if (stopped(line)) {
            status = jl_fail(err, JL_ERR_CANCELLED, "stopped; the same command goes on from here");
        } else {
            hub_digest_add(digest, buffer, (size_t)got);
            at += got;
            show(line, shown, at, bytes);
        }
    }
    free(buffer);
    return status;
}

enum jl_status hub_fetch_check(struct hub_line *line, int dir, const char *name, int64_t size,
                               const struct hub_hash *hash, bool *same, struct jl_error *err) {
    struct stat st;
    struct hub_digest digest;
    struct hub_hash found;
    *same = false;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ELOOP)) return JL_OK;
    if (fd < 0) return jl_fail(err, JL_ERR_IO, "cannot open %s: %m", name);
    bool fits = !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size == size;
    enum jl_status status = JL_OK;
    if (fits && hash->kind != HUB_HASH_NONE) {
        hub_digest_start(&digest, hash->kind, size);
        status = digest_file(line, fd, name, size, &digest, err);
        hub_digest_end(&digest, &found);
        fits = !strcmp(found.hex, hash->hex);
    }
    close(fd);
    *same = status == JL_OK && fits;
    return status;
}

/* ---- the note beside a part ---- */

static enum jl_status write_all(int fd, const void *data, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
        ssize_t put = write(fd, (const char *)data + done, bytes - done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return JL_ERR_IO;
        done += (size_t)put;
    }
    return JL_OK;
}

/* What is not written whole is not read back: then the part starts again, no harm done. */
static enum jl_status write_note(struct fetch *f, struct jl_error *err) {
    json_t *note =
        json_pack("{s:s, s:s?, s:I, s:s, s:s, s:s}", "url", f->target->url, "revision",
                  f->target->revision, "size", (json_int_t)f->size, "hash", f->target->hash.hex,
                  "kind", hub_hash_name(f->target->hash.kind), "validator", f->validator);
    char *text = note ? json_dumps(note, JSON_COMPACT) : NULL;
    json_decref(note);
    if (!text) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a note beside %s", f->part);
    int fd = openat(f->dir, f->note, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    bool failed = fd < 0 || write_all(fd, text, strlen(text)) != JL_OK;
    enum jl_status status = failed ? fail_errno(f, "write the note beside", err) : JL_OK;
    if (fd >= 0) close(fd);
    free(text);
    return status;
}

static bool same_text(const json_t *note, const char *key, const char *wanted) {
    const char *text = json_string_value(json_object_get(note, key));
    return text && wanted && !strcmp(text, wanted);
}

/* Does the note say that the part is the start of what is wanted? By its hash, or where the hub has
 * none by address, revision and a validator that the server will be asked about. */
static bool read_note(struct fetch *f) {
    char text[MAX_NOTE];
    int fd = openat(f->dir, f->note, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    ssize_t len = read(fd, text, sizeof text);
    close(fd);
    json_t *note = NULL; // without memory as without a note: from the start
    if (len > 0) jl_json_load(text, (size_t)len, 0, &note, NULL);
    const char *validator = json_string_value(json_object_get(note, "validator"));
    int64_t size = json_integer_value(json_object_get(note, "size"));
    bool fits = validator && strlen(validator) < sizeof f->validator && size > 0 &&
                (f->size < 0 || size == f->size);
    if (f->target->hash.kind != HUB_HASH_NONE)
        fits = fits && same_text(note, "hash", f->target->hash.hex);
    else
        fits = fits && *validator && same_text(note, "url", f->target->url);
    if (fits) {
        f->size = size;
        snprintf(f->validator, sizeof f->validator, "%s", validator);
    }
    json_decref(note);
    return fits;
}

/* ---- the part ---- */

static enum jl_status start_again(struct fetch *f, struct jl_error *err) {
    if (ftruncate(f->fd, 0)) return fail_errno(f, "empty", err);
    f->have = 0;
    f->resumed = f->from_zero = false;
    f->validator[0] = 0;
    f->size = f->target->size;
    hub_digest_start(&f->digest, f->target->hash.kind, f->size);
    return JL_OK;
}

/* The same because of what a server does, which it may do for ever. */
static enum jl_status restart(struct fetch *f, struct jl_error *err) {
    if (++f->restarts <= MAX_RESTARTS) return start_again(f, err);
    return jl_fail(err, JL_ERR_IO,
                   "%s: the server made the download start again %d times; try later, or another "
                   "source (--from)",
                   f->target->shown, MAX_RESTARTS);
}

static enum jl_status open_part(struct fetch *f, struct jl_error *err) {
    struct stat st;
    f->fd = openat(f->dir, f->part, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0666);
    if (f->fd < 0) return fail_errno(f, "open", err);
    if (fstat(f->fd, &st) || !S_ISREG(st.st_mode))
        return jl_fail(err, JL_ERR_IO, "%s: %s is in the way and no plain file", f->target->shown,
                       f->part);
    bool fits = st.st_size > 0 && read_note(f) && st.st_size <= f->size;
    if (!fits) return start_again(f, err);
    hub_digest_start(&f->digest, f->target->hash.kind, f->size);
    JL_TRY(digest_file(f->line, f->fd, f->part, st.st_size, &f->digest, err));
    f->have = st.st_size;
    f->resumed = true;
    return JL_OK;
}

/* ---- an answer ---- */

static enum jl_status lies(const struct fetch *f, const char *what, int64_t said, int64_t wanted,
                           struct jl_error *err) {
    return jl_fail(err, JL_ERR_FORMAT,
                   "%s: %s %lld bytes where %lld were announced; what came before stays in %s",
                   f->target->shown, what, (long long)said, (long long)wanted, f->part);
}

/* The file itself and not a page about it, of the right revision and content? */
static enum jl_status check_kind(const struct fetch *f, const struct hub_response *head,
                                 struct jl_error *err) {
    const struct hub_target *t = f->target;
    struct hub_hash linked;
    char bare[HUB_HEADER_TEXT];
    if (!strncasecmp(head->type, "text/html", 9))
        return jl_fail(
            err, JL_ERR_FORMAT,
            "%s: %s sends a web page in place of the file (a log-in, a proxy or an error "
            "page?)",
            t->shown, head->host);
    if (head->encoding[0] && strcasecmp(head->encoding, "identity"))
        return jl_fail(
            err, JL_ERR_FORMAT,
            "%s: %s sends the file compressed (%s), which was not asked for and cannot be "
            "checked",
            t->shown, head->host, head->encoding);
    if (t->revision && head->commit[0] && strcmp(head->commit, t->revision))
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: the hub answers with commit %s where %s was asked for", t->shown,
                       head->commit, t->revision);
    size_t skip = strspn(head->linked_etag, "W/\""), len = strcspn(head->linked_etag + skip, "\"");
    snprintf(bare, sizeof bare, "%.*s", (int)len, head->linked_etag + skip);
    if (t->hash.kind == HUB_HASH_SHA256 && hub_hash_read(bare, HUB_HASH_SHA256, &linked) &&
        strcmp(linked.hex, t->hash.hex))
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: the list of files says sha256 %s, the file's own headers say %s",
                       t->shown, t->hash.hex, linked.hex);
    return JL_OK;
}

/* A strong ETag, or a date: what If-Range takes. */
static const char *validator_of(const struct hub_response *head) {
    return head->etag[0] == '"' ? head->etag : head->etag[0] ? "" : head->modified;
}

static enum jl_status check_room(const struct fetch *f, struct jl_error *err) {
    struct statvfs fs;
    if (fstatvfs(f->fd, &fs)) return JL_OK;
    unsigned long long room = (unsigned long long)fs.f_bavail * fs.f_frsize;
    if ((unsigned long long)f->size <= room) return JL_OK;
    return jl_fail(err, JL_ERR_IO, "%s: needs %.2f GB, the disk has %.2f GB free", f->target->shown,
                   (double)f->size / 1e9, (double)room / 1e9);
}

static enum jl_status take_whole(struct fetch *f, const struct hub_response *head,
                                 struct jl_error *err) {
    if (f->have) {
        hub_line_say(f->line, "%s: the server sends it from the start again", f->target->shown);
        JL_TRY(restart(f, err));
    }
    if (f->size >= 0 && head->length >= 0 && head->length != f->size)
        return lies(f, "the server sends", head->length, f->size, err);
    if (f->size < 0 && head->length < 0)
        return jl_fail(
            err, JL_ERR_UNSUPPORTED,
            "%s: %s does not say how long the file is, so that nobody could tell whether "
            "all of it came",
            f->target->shown, head->host);
    if (f->size >= 0) return JL_OK;
    f->size = head->length;
    return check_room(f, err);
}

static enum jl_status take_rest(struct fetch *f, const struct hub_response *head,
                                struct jl_error *err) {
    const char *validator = validator_of(head);
    bool other = f->validator[0] && validator[0] && strcmp(validator, f->validator);
    bool total = head->range_total >= 0 && head->range_total != f->size;
    if (f->have == 0 || head->range_start != f->have || other || total) {
        f->from_zero = true;
        return jl_fail(err, JL_ERR_IO, "%s: %s", f->target->shown,
                       other ? "the file has changed on the server (another ETag)"
                             : "the server sends another part than was asked for");
    }
    if (head->length >= 0 && head->length != f->size - f->have)
        return lies(f, "the server sends", head->length, f->size - f->have, err);
    return JL_OK;
}

static enum jl_status on_head(void *ctx, const struct hub_response *head, struct jl_error *err) {
    struct fetch *f = ctx;
    JL_TRY(check_kind(f, head, err));
    JL_TRY(head->code == 200 ? take_whole(f, head, err) : take_rest(f, head, err));
    snprintf(f->validator, sizeof f->validator, "%s", validator_of(head));
    return write_note(f, err);
}

static enum jl_status on_body(void *ctx, const void *data, size_t bytes, struct jl_error *err) {
    struct fetch *f = ctx;
    if (bytes > (uint64_t)(f->size - f->have))
        return lies(f, "the server goes on after", f->size, f->size, err);
    ssize_t put;
    for (size_t done = 0; done < bytes; done += (size_t)put) {
        put = pwrite(f->fd, (const char *)data + done, bytes - done, f->have + (int64_t)done);
        if (put < 0 && errno == EINTR)
            put = 0;
        else if (put < 0)
            return fail_errno(f, "write", err);
    }
    hub_digest_add(&f->digest, data, bytes);
    f->have += (int64_t)bytes;
    show(f->line, f->target->file, f->have, f->size);
    return JL_OK;
}

/* ---- until it is there ---- */

static enum jl_status get(struct fetch *f, struct hub_response *response, struct jl_error *err) {
    const struct hub_target *t = f->target;
    struct hub_request request = {.url = t->url,
                                  .token = t->token,
                                  .token_is_cookie = t->token_is_cookie,
                                  .from = f->have,
                                  .if_range = f->validator[0] ? f->validator : NULL,
                                  .on_head = on_head,
                                  .on_body = on_body,
                                  .ctx = f};
    enum jl_status status = hub_http_get(f->line->http, &request, response, err);
    if (status == JL_OK && f->have < f->size) { // a body that just ends: no length was said
        response->again = true;
        return jl_fail(err, JL_ERR_IO, "%s: ends after %lld of %lld bytes", t->shown,
                       (long long)f->have, (long long)f->size);
    }
    if (status != JL_OK && (f->from_zero || response->code == 416) && f->have > 0) {
        hub_line_say(f->line, "%s; starting again", err->message);
        JL_TRY(restart(f, err));
        response->again = true;
        return jl_fail(err, JL_ERR_IO, "%s: the server would not go on where it stopped", t->shown);
    }
    if (status != JL_OK && f->have > 0) f->resumed = true;
    return status;
}

/* A try counts as one that brought something from 1/256 of the file on: a server that sends a byte
 * a time cannot keep us for ever. */
static enum jl_status get_all(struct fetch *f, struct hub_response *response,
                              struct jl_error *err) {
    for (int tries = 0; f->size < 0 || f->have < f->size;) {
        int64_t before = f->have;
        enum jl_status status = get(f, response, err);
        if (status == JL_OK) break;
        if (!response->again) return status;
        bool gained = f->have - before > f->size / 256;
        tries = gained ? 1 : tries + 1;
        if (tries >= HUB_TRIES) return status;
        JL_TRY(hub_line_wait(f->line, tries + 1, response, err));
    }
    return JL_OK;
}

static enum jl_status check_hash(struct fetch *f, bool *again, struct jl_error *err) {
    struct hub_hash found;
    const struct hub_hash *wanted = &f->target->hash;
    hub_digest_end(&f->digest, &found);
    *again = false;
    if (wanted->kind == HUB_HASH_NONE || !strcmp(found.hex, wanted->hex)) return JL_OK;
    *again = f->resumed && !f->distrusted;
    if (*again) {
        f->distrusted = true;
        hub_line_say(f->line, "%s: the pieces do not fit together (hash %s); starting again",
                     f->target->shown, found.hex);
        return start_again(f, err);
    }
    hub_fetch_forget(f->dir, f->target->file);
    return jl_fail(err, JL_ERR_FORMAT,
                   "%s: what came is not what the hub lists: %s is %s, must be %s; it was removed. "
                   "Try again, or another source (--from)",
                   f->target->shown, wanted->kind == HUB_HASH_GIT ? "git hash" : "sha256",
                   found.hex, wanted->hex);
}

static enum jl_status settle(struct fetch *f, const char *as, struct jl_error *err) {
    if (fsync(f->fd)) return fail_errno(f, "sync", err);
    if (renameat(f->dir, f->part, f->dir, as)) return fail_errno(f, "give its name to", err);
    unlinkat(f->dir, f->note, 0);
    if (fsync(f->dir) && errno != EINVAL && errno != ENOTSUP)
        return jl_fail(err, JL_ERR_IO, "cannot sync the folder of %s: %m", as);
    return JL_OK;
}

enum jl_status hub_fetch(struct hub_line *line, int dir, const struct hub_target *target,
                         const char *as, int64_t *size, struct hub_response *response,
                         struct jl_error *err) {
    struct fetch f = {.line = line, .target = target, .dir = dir, .fd = -1, .size = target->size};
    bool again = true;
    *response = (struct hub_response){0};
    names(target->file, f.part, f.note);
    enum jl_status status = open_part(&f, err);
    while (status == JL_OK && again) {
        status = get_all(&f, response, err);
        if (status == JL_OK) status = check_hash(&f, &again, err);
    }
    if (status == JL_OK) status = settle(&f, as, err);
    if (f.fd >= 0) close(f.fd);
    *size = f.size;
    return status;
}
