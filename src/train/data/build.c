#include "train/data/build.h"

#include <stdlib.h>
#include <string.h>

#include "text/buffer.h"
#include "text/json_print.h"

#define LINES 1024                    // at a time: they are what threads share
#define KEPT_WORDS ((size_t)16 << 10) // of a document's buffer; longer ones are given back

/* One line on its way; a thread writes its own. */
struct job {
    struct data_reader_line line;
    struct data_doc doc;
    enum jl_status status;
    struct jl_error err;
};

struct window {
    const struct data_build *build;
    struct job jobs[LINES];
    struct data_reader_line lines[LINES];
};

/* ---- the key ---- */

static void add(SHA2_CTX *sum, const void *data, size_t bytes) {
    uint64_t size = bytes; // parts cannot run into each other
    SHA256Update(sum, (const uint8_t *)&size, sizeof size);
    if (bytes) SHA256Update(sum, data, bytes);
}

enum jl_status data_build_key(const struct data_chat *chat, uint8_t out[DATA_SHA256_BYTES],
                              struct jl_error *err) {
    const struct json_print_options sorted = {.sort_keys = true};
    uint8_t identity[TOKENIZER_IDENTITY_BYTES];
    struct byte_buffer tokens = {0};
    SHA2_CTX sum;
    SHA256Init(&sum);
    add(&sum, JINLIN_VERSION, strlen(JINLIN_VERSION));
    tokenizer_identity(chat->tokenizer, identity);
    add(&sum, identity, sizeof identity);
    add(&sum, &chat->n_vocab, sizeof chat->n_vocab);
    add(&sum, chat->ends.ids, (size_t)chat->ends.n * sizeof *chat->ends.ids);
    if (chat->form) {
        const struct model_template *source = &chat->form->source;
        enum jl_status status = json_print_value(source->tokens, &sorted, &tokens, err);
        if (status != JL_OK) {
            buffer_free(&tokens);
            return status;
        }
        add(&sum, source->source, source->len);
        add(&sum, tokens.data, tokens.len);
        add(&sum, &source->from_file, sizeof source->from_file);
        add(&sum, chat->form->dialect->name, strlen(chat->form->dialect->name));
        add(&sum, &chat->options.now, sizeof chat->options.now);
        buffer_free(&tokens);
    }
    SHA256Final(out, &sum);
    return JL_OK;
}

/* FOLDER/NAME-KEY.tokens: a changed file replaces its cache, another model has one beside it. */
static char *cache_path(const struct data_build *build, const uint8_t key[DATA_SHA256_BYTES]) {
    uint8_t digest[DATA_SHA256_BYTES];
    const char *slash = strrchr(build->path, '/');
    char *real = realpath(build->path, NULL), *name = NULL, *path = NULL;
    const char *whole = real ? real : build->path;
    SHA2_CTX sum;
    SHA256Init(&sum);
    add(&sum, key, DATA_SHA256_BYTES);
    add(&sum, whole, strlen(whole));
    SHA256Final(digest, &sum);
    free(real);
    if (asprintf(&name, "%.100s-%02x%02x%02x%02x%02x%02x%02x%02x.tokens",
                 slash ? slash + 1 : build->path, digest[0], digest[1], digest[2], digest[3],
                 digest[4], digest[5], digest[6], digest[7]) < 0)
        return NULL;
    path = file_path_in(build->spec->cache_dir, name);
    free(name);
    return path;
}

/* ---- looking whether a cache fits ---- */

static enum jl_status tell(const struct data_build *build, const struct data_reader *reader,
                           bool tokenizing, uint64_t n_document, struct jl_error *err) {
    const struct data_progress progress = {build->path, tokenizing, reader->done, reader->total,
                                           n_document};
    if (!build->spec->progress || build->spec->progress(build->spec->progress_ctx, &progress))
        return JL_OK;
    return jl_fail(err, JL_ERR_CANCELLED, "stopped while reading %s", build->path);
}

static enum jl_status digest_of(const struct data_build *build, uint8_t out[DATA_SHA256_BYTES],
                                struct jl_error *err) {
    struct data_reader reader;
    JL_TRY(data_reader_open(build->path, &reader, err));
    enum jl_status status = JL_OK;
    while (status == JL_OK && !reader.at_end) {
        status = data_reader_pass(&reader, err);
        if (status == JL_OK) status = tell(build, &reader, false, 0, err);
    }
    data_reader_sum(&reader, out);
    data_reader_close(&reader);
    return status;
}

/* ---- making one ---- */

static enum jl_status make_document(const struct data_chat *chat, struct job *job,
                                    struct jl_error *err) {
    struct data_line line;
    JL_TRY(data_line_parse(job->line.bytes, job->line.n, &line, err));
    enum jl_status status = JL_OK;
    if (line.form == DATA_LINE_TEXT)
        status = data_doc_add_text(&job->doc, chat->tokenizer, line.text, line.len, err);
    else if (line.form == DATA_LINE_CHAT)
        status = data_chat_add(chat, &line, &job->doc, err);
    data_line_free(&line);
    return status;
}

static void run_job(void *ctx, int item, int thread) {
    struct window *window = ctx;
    struct job *job = &window->jobs[item];
    (void)thread;
    job->doc.n_word = 0;
    job->doc.n_example = 0;
    job->line = window->lines[item];
    job->status = make_document(window->build->chat, job, &job->err);
}

static void run_jobs(struct window *window, int n) {
    if (window->build->pool) {
        pool_run(window->build->pool, n, run_job, window);
        return;
    }
    for (int i = 0; i < n; i++)
        run_job(window, i, 0);
}

/* In the order of the file, so that the first bad line is the one that is told of. */
static enum jl_status write_jobs(struct window *window, size_t n, uint64_t first_line,
                                 struct data_cache_writer *writer, struct jl_error *err) {
    for (size_t i = 0; i < n; i++) {
        struct job *job = &window->jobs[i];
        if (job->status != JL_OK)
            return jl_fail(err, job->status, "%s, line %llu: %s", window->build->path,
                           (unsigned long long)(first_line + i), job->err.message);
        if (job->doc.n_example)
            JL_TRY(data_cache_writer_add(writer, &job->doc, first_line + i, err));
        if (job->doc.cap > KEPT_WORDS) data_doc_free(&job->doc);
    }
    return JL_OK;
}

static enum jl_status tokenize(const struct data_build *build, struct data_reader *reader,
                               struct window *window, struct data_cache_writer *writer,
                               struct jl_error *err) {
    for (;;) {
        uint64_t first = reader->line + 1;
        size_t n;
        JL_TRY(data_reader_lines(reader, LINES, window->lines, &n, err));
        if (n == 0) return JL_OK;
        run_jobs(window, (int)n);
        JL_TRY(write_jobs(window, n, first, writer, err));
        JL_TRY(tell(build, reader, true, writer->head.n_document, err));
    }
}

static enum jl_status make_cache(const struct data_build *build, const char *path,
                                 const uint8_t key[DATA_SHA256_BYTES], struct jl_error *err) {
    struct data_reader reader = {.fd = -1};
    struct data_cache_writer writer = {0};
    uint8_t source[DATA_SHA256_BYTES];
    struct window *window = calloc(1, sizeof *window);
    if (!window) return jl_fail(err, JL_ERR_MEMORY, "out of memory while reading %s", build->path);
    window->build = build;
    enum jl_status status = data_reader_open(build->path, &reader, err);
    if (status == JL_OK)
        status = data_cache_writer_open(path, key, (uint32_t)build->chat->n_vocab, &writer, err);
    if (status == JL_OK) status = tokenize(build, &reader, window, &writer, err);
    if (status == JL_OK) {
        data_reader_sum(&reader, source);
        status = data_cache_writer_commit(&writer, reader.line, source, err);
    }
    data_cache_writer_abort(&writer);
    data_reader_close(&reader);
    for (int i = 0; i < LINES; i++)
        data_doc_free(&window->jobs[i].doc);
    free(window);
    return status;
}

/* ---- both ---- */

/* *fits only if the source has not changed since. */
static enum jl_status try_cache(const struct data_build *build, const char *path,
                                const uint8_t key[DATA_SHA256_BYTES], struct data_cache *out,
                                bool *fits, struct jl_error *err) {
    uint8_t source[DATA_SHA256_BYTES];
    *fits = false;
    if (!file_exists(path)) return JL_OK;
    enum jl_status status = data_cache_open(path, key, out, err);
    if (status == JL_ERR_FORMAT) return JL_OK; // torn: made anew
    if (status == JL_OK) status = digest_of(build, source, err);
    *fits = status == JL_OK && !memcmp(source, out->head->source, sizeof source);
    if (!*fits) data_cache_close(out);
    return status;
}

enum jl_status data_build_cache(const struct data_build *build,
                                const uint8_t key[DATA_SHA256_BYTES], struct data_cache *out,
                                bool *had, struct jl_error *err) {
    char *path = cache_path(build, key);
    *out = (struct data_cache){0};
    if (!path) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a path");
    enum jl_status status = try_cache(build, path, key, out, had, err);
    if (status == JL_OK && !*had) {
        status = make_cache(build, path, key, err);
        if (status == JL_OK) status = data_cache_open(path, key, out, err);
    }
    free(path);
    return status;
}
