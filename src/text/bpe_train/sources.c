/* A source is cut into chunks of about a megabyte, the items of the pool. Where it is cut depends
 * on nothing but its bytes. */
#include "text/bpe_train/sources.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "text/bpe_train/json_line.h"
#include "text/utf8.h"

#define CHUNK ((size_t)1 << 20) // bytes, at least

struct chunk {
    const struct bpe_train_source *source;
    size_t start, stop;
};

struct chunks {
    struct chunk *items;
    int n, cap;
};

/* What the first chunk that failed on one thread said. */
struct failure {
    int chunk;
    enum jl_status status;
    struct jl_error error;
};

struct walk {
    struct chunks chunks;
    bpe_sources_fn *fn;
    void *ctx;
    atomic_int failed;        // the lowest chunk that failed: those behind it need not run
    struct failure *failures; // one a thread
};

/* ---- cutting ---- */

/* A newline between two characters that are not white space: all patterns end a word there, and
 * none behaves otherwise at the end of a text. A slash may belong to the newline before it. */
static bool may_cut(const char *text, size_t len, size_t newline) {
    uint32_t code;
    size_t start = newline;
    if (newline == 0 || newline + 1 >= len) return false;
    do
        start--;
    while (start > 0 && newline - start < UTF8_MAX && ((unsigned char)text[start] & 0xC0) == 0x80);
    utf8_step(text + start, newline - start, &code);
    if (utf8_is_space(code)) return false;
    utf8_step(text + newline + 1, len - newline - 1, &code);
    return !utf8_is_space(code) && code != '/';
}

static size_t cut_behind(const struct bpe_train_source *source, size_t at) {
    while (at < source->len) {
        const char *newline = memchr(source->text + at, '\n', source->len - at);
        if (!newline) break;
        at = (size_t)(newline - source->text);
        if (source->lines || may_cut(source->text, source->len, at)) return at + 1;
        at++;
    }
    return source->len;
}

static bool add_chunk(struct chunks *chunks, struct chunk chunk) {
    if (chunks->n == chunks->cap) {
        int cap = chunks->cap ? 2 * chunks->cap : 64;
        struct chunk *grown = reallocarray(chunks->items, (size_t)cap, sizeof *grown);
        if (!grown) return false;
        chunks->items = grown;
        chunks->cap = cap;
    }
    chunks->items[chunks->n++] = chunk;
    return true;
}

static bool cut(const struct bpe_train_source *sources, int n, struct chunks *chunks) {
    for (int i = 0; i < n; i++) {
        for (size_t at = 0, end; at < sources[i].len; at = end) {
            end =
                sources[i].len - at > CHUNK ? cut_behind(&sources[i], at + CHUNK) : sources[i].len;
            if (!add_chunk(chunks, (struct chunk){&sources[i], at, end})) return false;
        }
    }
    return true;
}

/* ---- one chunk ---- */

static enum jl_status run_text(struct walk *walk, const struct chunk *chunk, int thread,
                               struct jl_error *err) {
    const char *text = chunk->source->text + chunk->start;
    size_t len = chunk->stop - chunk->start, good = utf8_valid_length(text, len);
    if (good < len)
        return jl_fail(err, JL_ERR_FORMAT, "%s: byte %zu (0x%02X) is not UTF-8",
                       chunk->source->name, chunk->start + good,
                       (unsigned)(unsigned char)text[good]);
    return walk->fn(walk->ctx, chunk->source, text, len, thread, err);
}

struct line_target {
    struct walk *walk;
    const struct chunk *chunk;
    int thread;
};

static enum jl_status take_string(void *ctx, const char *text, size_t len, struct jl_error *err) {
    const struct line_target *target = ctx;
    return target->walk->fn(target->walk->ctx, target->chunk->source, text, len, target->thread,
                            err);
}

static size_t line_number(const struct bpe_train_source *source, size_t at) {
    size_t n = 1;
    for (size_t i = 0; i < at; i++)
        n += source->text[i] == '\n';
    return n;
}

static enum jl_status run_lines(struct walk *walk, const struct chunk *chunk, int thread,
                                struct jl_error *err) {
    struct line_target target = {walk, chunk, thread};
    struct jl_error inner = {0};
    for (size_t at = chunk->start, end; at < chunk->stop; at = end + 1) {
        const char *line = chunk->source->text + at;
        const char *newline = memchr(line, '\n', chunk->stop - at);
        end = newline ? (size_t)(newline - chunk->source->text) : chunk->stop;
        enum jl_status status = bpe_json_line(line, end - at, take_string, &target, &inner);
        if (status == JL_OK) continue;
        return jl_fail(err, status, "%s, line %zu: %s", chunk->source->name,
                       line_number(chunk->source, at), inner.message);
    }
    return JL_OK;
}

static void run_chunk(void *ctx, int item, int thread) {
    struct walk *walk = ctx;
    const struct chunk *chunk = &walk->chunks.items[item];
    struct failure *failure = &walk->failures[thread];
    struct jl_error error = {0};
    int lowest = atomic_load(&walk->failed);
    if (item > lowest) return;
    enum jl_status status = chunk->source->lines ? run_lines(walk, chunk, thread, &error)
                                                 : run_text(walk, chunk, thread, &error);
    if (status == JL_OK) return;
    if (failure->status == JL_OK || item < failure->chunk)
        *failure = (struct failure){item, status, error};
    while (item < lowest && !atomic_compare_exchange_weak(&walk->failed, &lowest, item)) {
    }
}

/* ---- all ---- */

static enum jl_status first_failure(const struct walk *walk, int n_thread, struct jl_error *err) {
    const struct failure *first = NULL;
    for (int i = 0; i < n_thread; i++) {
        const struct failure *failure = &walk->failures[i];
        if (failure->status != JL_OK && (!first || failure->chunk < first->chunk)) first = failure;
    }
    return first ? jl_fail(err, first->status, "%s", first->error.message) : JL_OK;
}

enum jl_status bpe_sources_walk(const struct bpe_train_source *sources, int n, struct pool *pool,
                                bpe_sources_fn *fn, void *ctx, struct jl_error *err) {
    struct walk walk = {.fn = fn, .ctx = ctx};
    enum jl_status status = JL_OK;
    int n_thread = pool_threads(pool);
    walk.failures = calloc((size_t)n_thread, sizeof *walk.failures);
    if (walk.failures && cut(sources, n, &walk.chunks)) {
        atomic_init(&walk.failed, walk.chunks.n);
        if (walk.chunks.n) pool_run(pool, walk.chunks.n, run_chunk, &walk);
        status = first_failure(&walk, n_thread, err);
    } else {
        status = jl_fail(err, JL_ERR_MEMORY, "out of memory for the list of chunks");
    }
    free(walk.chunks.items);
    free(walk.failures);
    return status;
}
