#include "train/eval/tasks.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/rng.h"
#include "text/json_print.h"
#include "train/data/line.h"

#define MOST_BYTES ((size_t)1 << 30)
#define MOST_FILES 4096

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for tasks");
}

/* ---- a file ---- */

struct reading {
    struct eval_tasks *list;
    const char *path, *name;
    struct eval_head head;
    int64_t line, first; // first: of the list, of this file
    struct jl_error *err;
};

static enum jl_status at_line(const struct reading *r, enum jl_status status,
                              const struct jl_error *inner) {
    if (status == JL_OK) return JL_OK;
    return jl_fail(r->err, status, "%s, line %lld: %s", r->path, (long long)r->line,
                   inner->message);
}

/* "tasks/sums.jsonl" is the task "sums". */
static const char *name_of(struct eval_tasks *list, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t n = strlen(name);
    if (n > 6 && !strcmp(name + n - 6, ".jsonl")) n -= 6;
    return arena_strndup(&list->arena, name, n);
}

static enum jl_status take_name(struct reading *r) {
    struct eval_tasks *list = r->list;
    if (!r->name) return no_memory(r->err);
    for (int i = 0; i < list->n_name; i++)
        if (!strcmp(list->names[i], r->name))
            return jl_fail(r->err, JL_ERR_FORMAT, "%s: another file has the task '%s', too",
                           r->path, r->name);
    if (list->n_name == MOST_FILES)
        return jl_fail(r->err, JL_ERR_LIMIT, "more than %d files of tasks", MOST_FILES);
    if (!list->names) list->names = arena_calloc(&list->arena, MOST_FILES, sizeof *list->names);
    if (!list->names) return no_memory(r->err);
    list->names[list->n_name++] = r->name;
    return JL_OK;
}

static enum jl_status identify(struct eval_task *task, struct jl_error *err) {
    const struct json_print_options plain = {.sort_keys = true, .compact = true};
    struct byte_buffer text = {0};
    enum jl_status status = buffer_append(&text, task->name, strlen(task->name) + 1)
                                ? json_print_value(task->line.root, &plain, &text, err)
                                : no_memory(err);
    if (status == JL_OK) {
        XXH128_canonical_t sum;
        XXH128_canonicalFromHash(&sum, XXH3_128bits(text.data, text.len));
        for (int i = 0; i < 32; i++)
            task->id[i] = "0123456789abcdef"[(sum.digest[i / 2] >> (i % 2 ? 0 : 4)) & 15];
    }
    buffer_free(&text);
    return status;
}

static enum jl_status add_line(struct reading *r, const char *bytes, size_t n) {
    struct eval_tasks *list = r->list;
    struct jl_error inner = {0};
    if (list->n == list->cap) {
        int64_t cap = list->cap ? 2 * list->cap : 64;
        struct eval_task *grown = realloc(list->tasks, (size_t)cap * sizeof *grown);
        if (!grown) return no_memory(r->err);
        list->tasks = grown;
        list->cap = cap;
    }
    struct eval_task *task = &list->tasks[list->n];
    *task = (struct eval_task){.name = r->name, .path = r->path, .number = r->line};
    JL_TRY(at_line(r, eval_line_parse(bytes, n, r->head.defaults, &task->line, &inner), &inner));
    list->n++;
    return identify(task, r->err);
}

/* The first line that is not blank may be a head. */
static enum jl_status first_line(struct reading *r, const char *bytes, size_t n, bool *is_head) {
    struct jl_error inner = {0};
    JL_TRY(at_line(r, eval_head_parse(bytes, n, is_head, &r->head, &inner), &inner));
    r->name = *is_head ? arena_strdup(&r->list->arena, r->head.task) : name_of(r->list, r->path);
    return take_name(r);
}

static enum jl_status read_lines(struct reading *r, const char *text, size_t len) {
    const char *at = text, *end = text + len;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((newline ? newline : end) - at);
        bool is_head = false;
        r->line++;
        if (!data_line_is_blank(at, n)) {
            if (!r->name) JL_TRY(first_line(r, at, n, &is_head));
            if (!is_head) JL_TRY(add_line(r, at, n));
        }
        at += n + (newline != NULL);
    }
    if (r->list->n > r->first) return JL_OK;
    return jl_fail(r->err, JL_ERR_FORMAT, "%s: there is no task in it", r->path);
}

static enum jl_status add_file(struct eval_tasks *list, const char *path, struct jl_error *err) {
    struct reading r = {
        .list = list, .path = arena_strdup(&list->arena, path), .first = list->n, .err = err};
    char *text;
    size_t len;
    if (!r.path) return no_memory(err);
    JL_TRY(file_read(path, MOST_BYTES, &text, &len, err));
    enum jl_status status = read_lines(&r, text, len);
    eval_head_free(&r.head);
    free(text);
    return status;
}

/* ---- the same task again ---- */

struct known {
    const char *id;
    int64_t index;
};

static int by_id(const void *a, const void *b) {
    const struct known *x = a, *y = b;
    int order = strcmp(x->id, y->id);
    return order ? order : x->index < y->index ? -1 : x->index > y->index;
}

static enum jl_status count_again(struct eval_tasks *list, struct jl_error *err) {
    struct known *known = calloc((size_t)list->n + 1, sizeof *known);
    if (!known) return no_memory(err);
    for (int64_t i = 0; i < list->n; i++)
        known[i] = (struct known){list->tasks[i].id, i};
    qsort(known, (size_t)list->n, sizeof *known, by_id);
    for (int64_t i = 1; i < list->n; i++)
        if (!strcmp(known[i].id, known[i - 1].id))
            list->tasks[known[i].index].again = list->tasks[known[i - 1].index].again + 1;
    free(known);
    return JL_OK;
}

/* ---- a folder ---- */

static int is_jsonl(const struct dirent *entry) {
    size_t n = strlen(entry->d_name);
    return entry->d_name[0] != '.' && n > 6 && !strcmp(entry->d_name + n - 6, ".jsonl");
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

enum jl_status eval_tasks_add(struct eval_tasks *list, const char *path, struct jl_error *err) {
    struct dirent **entries = NULL;
    if (!file_is_dir(path)) {
        JL_TRY(add_file(list, path, err));
        return count_again(list, err);
    }
    int n = scandir(path, &entries, is_jsonl, by_name);
    enum jl_status status = n < 0 ? jl_fail(err, JL_ERR_IO, "%s: %s", path, strerror(errno))
                            : n == 0
                                ? jl_fail(err, JL_ERR_FORMAT, "%s: there is no .jsonl in it", path)
                                : JL_OK;
    for (int i = 0; i < n; i++) {
        char *name = file_path_in(path, entries[i]->d_name);
        if (status == JL_OK) status = name ? add_file(list, name, err) : no_memory(err);
        free(name);
        free(entries[i]);
    }
    free(entries);
    return status == JL_OK ? count_again(list, err) : status;
}

unsigned eval_tasks_parts(const struct eval_tasks *list) {
    unsigned parts = 0;
    for (int64_t i = 0; i < list->n; i++)
        if (list->tasks[i].line.verifier) parts |= list->tasks[i].line.verifier->tables;
    return parts;
}

void eval_tasks_give(struct eval_tasks *list, const struct skill_tables *tables) {
    for (int64_t i = 0; i < list->n; i++)
        list->tasks[i].line.expect.tables = tables;
}

void eval_tasks_free(struct eval_tasks *list) {
    for (int64_t i = 0; i < list->n; i++)
        eval_line_free(&list->tasks[i].line);
    free(list->tasks);
    arena_free(&list->arena);
    *list = (struct eval_tasks){0};
}

/* ---- some of them ---- */

struct draw {
    uint64_t number;
    int64_t index;
};

static int by_draw(const void *a, const void *b) {
    const struct draw *x = a, *y = b;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Marks, in keep (n of the list), the chosen ones of the file's tasks [first, last). */
static void choose(int64_t first, int64_t last, int64_t limit, uint64_t seed, struct draw *draws,
                   bool *keep) {
    for (int64_t i = first; i < last; i++) {
        const struct rng_key key = {seed, 0, (uint32_t)(i - first), RNG_SHUFFLE};
        uint32_t words[4];
        rng_block(&key, 0, words);
        draws[i - first] = (struct draw){(uint64_t)words[0] << 32 | words[1], i};
    }
    qsort(draws, (size_t)(last - first), sizeof *draws, by_draw);
    for (int64_t i = 0; i < last - first && i < limit; i++)
        keep[draws[i].index] = true;
}

enum jl_status eval_tasks_limit(struct eval_tasks *list, int64_t limit, uint64_t seed,
                                struct jl_error *err) {
    struct draw *draws = calloc((size_t)list->n + 1, sizeof *draws);
    bool *keep = calloc((size_t)list->n + 1, sizeof *keep);
    enum jl_status status = draws && keep ? JL_OK : no_memory(err);
    int64_t n = 0;
    for (int64_t first = 0, last; status == JL_OK && first < list->n; first = last) {
        for (last = first; last < list->n && list->tasks[last].name == list->tasks[first].name;)
            last++;
        choose(first, last, limit, seed, draws, keep);
    }
    for (int64_t i = 0; status == JL_OK && i < list->n; i++) {
        if (keep[i])
            list->tasks[n++] = list->tasks[i];
        else
            eval_line_free(&list->tasks[i].line);
    }
    if (status == JL_OK) {
        list->n_left_out += list->n - n;
        list->n = n;
    }
    free(draws);
    free(keep);
    return status;
}
