#include "train/learn/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/file.h"

/* Layout, little-endian: this head; the cursor; for each array 8 bytes of its length and 8 of the
 * hash of its name, then its floats; at the end 8 bytes of XXH3 over all before them. */
struct head {
    char magic[8];
    uint64_t version, steps, stage, stage_step, n_cursor, n_array, bytes; // bytes: of the file
    uint8_t mark[CHECKPOINT_MARK];
};
static const char magic[8] = {'J', 'L', 'T', 'R', 'A', 'I', 'N', '\n'};
#define VERSION 1
#define NAME_FORMAT "checkpoint-%012" PRId64 ".jinlin"

/* ---- writing ---- */

struct sink {
    struct file_writer file;
    XXH3_state_t *sum;
    bool failed;
};

static void put(struct sink *sink, const void *bytes, size_t n) {
    if (n == 0) return;
    XXH3_64bits_update(sink->sum, bytes, n);
    if (fwrite(bytes, 1, n, sink->file.stream) != n) sink->failed = true;
}

static uint64_t total_bytes(struct learner *learner, size_t n_cursor) {
    uint64_t bytes = sizeof(struct head) + n_cursor + sizeof(uint64_t);
    for (int i = 0; i < learner_n_array(learner); i++)
        bytes += 16 + learner_array(learner, i).n * sizeof(float);
    return bytes;
}

static void put_all(struct sink *sink, struct learner *learner, const struct checkpoint *at,
                    const uint8_t mark[CHECKPOINT_MARK]) {
    struct head head = {.version = VERSION,
                        .steps = (uint64_t)at->steps,
                        .stage = (uint64_t)at->stage,
                        .stage_step = (uint64_t)at->stage_step,
                        .n_cursor = at->n_cursor,
                        .n_array = (uint64_t)learner_n_array(learner),
                        .bytes = total_bytes(learner, at->n_cursor)};
    memcpy(head.magic, magic, sizeof magic);
    memcpy(head.mark, mark, CHECKPOINT_MARK);
    put(sink, &head, sizeof head);
    put(sink, at->cursor, at->n_cursor);
    for (int i = 0; i < learner_n_array(learner); i++) {
        const struct learner_array a = learner_array(learner, i);
        uint64_t n = a.n, name = XXH3_64bits(a.name, strlen(a.name));
        put(sink, &n, sizeof n);
        put(sink, &name, sizeof name);
        put(sink, a.data, a.n * sizeof(float));
    }
    uint64_t sum = XXH3_64bits_digest(sink->sum);
    put(sink, &sum, sizeof sum);
}

/* ---- the folder ---- */

/* Steps of the file's name; -1: it is no checkpoint. */
static int64_t steps_of(const char *name) {
    int64_t steps;
    char again[64];
    if (sscanf(name, "checkpoint-%" SCNd64 ".jinlin", &steps) != 1 || steps < 0) return -1;
    snprintf(again, sizeof again, NAME_FORMAT, steps);
    return strcmp(again, name) ? -1 : steps;
}

static char *path_of(const char *folder, int64_t steps) {
    char name[64];
    snprintf(name, sizeof name, NAME_FORMAT, steps);
    return file_path_in(folder, name);
}

/* The largest number of steps below `below` that there is a file for; -1: none. */
static int64_t newest_below(const char *folder, int64_t below) {
    int64_t best = -1;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        int64_t steps = steps_of(entry->d_name);
        if (steps > best && steps < below) best = steps;
    }
    if (dir) closedir(dir);
    return best;
}

static void remove_old(const char *folder, int64_t newest, int keep) {
    int64_t at = newest + 1;
    for (int i = 0; (at = newest_below(folder, at)) >= 0; i++) {
        char *path = i < keep ? NULL : path_of(folder, at);
        if (path) unlink(path); // one that stays is only in the way
        free(path);
    }
}

enum jl_status checkpoint_write(const char *folder, struct learner *learner,
                                const struct checkpoint *at, const uint8_t mark[CHECKPOINT_MARK],
                                int keep, struct jl_error *err) {
    char *path = path_of(folder, at->steps);
    struct sink sink = {.sum = XXH3_createState()};
    enum jl_status status = JL_OK;
    if (!path || !sink.sum) status = jl_fail(err, JL_ERR_MEMORY, "out of memory for a checkpoint");
    if (status == JL_OK) status = file_writer_open(path, &sink.file, err);
    if (status == JL_OK) {
        errno = 0;
        XXH3_64bits_reset(sink.sum);
        put_all(&sink, learner, at, mark);
        if (sink.failed)
            status = jl_fail(err, JL_ERR_IO,
                             "%s: %s: the checkpoint is not written, earlier ones "
                             "are as they were",
                             path, strerror(errno ? errno : EIO));
        else
            status = file_writer_commit(&sink.file, err);
        if (sink.failed) file_writer_abort(&sink.file);
    }
    if (status == JL_OK) remove_old(folder, at->steps, keep);
    XXH3_freeState(sink.sum);
    free(path);
    return status;
}

/* ---- reading ---- */

struct source {
    const uint8_t *at, *end;
};

static const uint8_t *next(struct source *s, uint64_t n) {
    const uint8_t *at = s->at;
    if (n > (uint64_t)(s->end - s->at)) return NULL;
    s->at += n;
    return at;
}

/* NULL, or what is wrong with the file's bytes. */
static const char *check_whole(const struct file_map *map, struct head *head) {
    uint64_t sum;
    if (map->size < sizeof *head + sizeof sum) return "it is too short";
    memcpy(head, map->data, sizeof *head);
    if (memcmp(head->magic, magic, sizeof magic)) return "it is no checkpoint";
    if (head->version != VERSION) return "it is of another version";
    if (head->bytes != map->size) return "it was cut short";
    memcpy(&sum, map->data + map->size - sizeof sum, sizeof sum);
    if (sum != XXH3_64bits(map->data, map->size - sizeof sum)) return "its checksum does not fit";
    return NULL;
}

/* With `write` false only whether the arrays are this learner's. */
static bool walk_arrays(struct source s, uint64_t n_array, struct learner *learner, bool write) {
    if (n_array != (uint64_t)learner_n_array(learner)) return false;
    for (int i = 0; i < learner_n_array(learner); i++) {
        const struct learner_array a = learner_array(learner, i);
        const uint8_t *front = next(&s, 16);
        uint64_t n, name;
        if (!front) return false;
        memcpy(&n, front, sizeof n);
        memcpy(&name, front + 8, sizeof name);
        if (n != a.n || name != XXH3_64bits(a.name, strlen(a.name))) return false;
        const uint8_t *data = next(&s, n * sizeof(float));
        if (!data) return false;
        if (write) memcpy(a.data, data, n * sizeof(float));
    }
    return true;
}

static enum jl_status take(const char *path, const struct file_map *map, const struct head *head,
                           struct learner *learner, const struct checkpoint_reader *reader,
                           struct checkpoint *out, struct jl_error *err) {
    uint8_t mark[CHECKPOINT_MARK];
    struct source s = {map->data + sizeof *head, map->data + map->size - sizeof(uint64_t)};
    const uint8_t *cursor = next(&s, head->n_cursor);
    reader->mark(reader->ctx, (int64_t)head->stage, mark);
    if (!cursor || memcmp(mark, head->mark, sizeof mark) ||
        !walk_arrays(s, head->n_array, learner, false))
        return jl_fail(err, JL_ERR_USAGE,
                       "%s is of another recipe or model: go on with the recipe that it was made "
                       "by, or give another folder",
                       path);
    out->cursor = malloc(head->n_cursor ? head->n_cursor : 1);
    if (!out->cursor) return jl_fail(err, JL_ERR_MEMORY, "out of memory for %s", path);
    memcpy(out->cursor, cursor, head->n_cursor);
    out->n_cursor = head->n_cursor;
    out->steps = (int64_t)head->steps;
    out->stage = (int64_t)head->stage;
    out->stage_step = (int64_t)head->stage_step;
    walk_arrays(s, head->n_array, learner, true);
    return JL_OK;
}

enum jl_status checkpoint_read_newest(const char *folder, struct learner *learner,
                                      const struct checkpoint_reader *reader,
                                      struct checkpoint *out, struct jl_error *err) {
    *out = (struct checkpoint){.steps = -1};
    for (int64_t steps = INT64_MAX; (steps = newest_below(folder, steps)) >= 0;) {
        char *path = path_of(folder, steps), message[512];
        struct file_map map;
        struct head head;
        if (!path) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a checkpoint");
        enum jl_status status = file_map_open(path, &map, err);
        if (status != JL_OK) {
            free(path);
            return status;
        }
        const char *wrong = check_whole(&map, &head);
        if (wrong) {
            snprintf(message, sizeof message, "%.300s is not taken: %s; the one before it is", path,
                     wrong);
            reader->torn(reader->ctx, message);
        } else {
            status = take(path, &map, &head, learner, reader, out, err);
        }
        file_map_close(&map);
        free(path);
        if (!wrong) return status;
    }
    return JL_OK;
}
