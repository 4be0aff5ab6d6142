/* Session files. Byte 0 says what the rest is: bit 0 picks the model, the second with recurrent
 * layers; with bit 1 the rest is the file as it stands. Else it is a list of edits of a good file,
 * which then gets the checksums and the size that a liar who knows the format would give it:
 *
 *   bit 2: of the head, bit 3: of the records, bit 4: of the whole
 *   bit 5: the size that its counts make, bit 6: the hashes of its tokens
 *
 * An edit is a place (enum place), an offset in two bytes, a count and so many bytes. A file that
 * is refused leaves the session as it was; one that is taken makes one that can go on. */
#include "fuzz.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "session/prefix.h"
#include "session/session_file.h"
#include "session/session_format.h"

enum { READ = 150, KEPT = 5, FILE_MOST = 1 << 21 };

enum place {
    AT_HEAD,
    AT_TOKENS,
    AT_PAGE,      // the head of the first record
    AT_PAGE_2,    // of the second
    AT_RECURRENT, // of the first record of recurrent layers; without them: the logits
    AT_END,       // so many bytes before it
    CUT_AT_END,   // so many bytes less
    ADD_AT_END,
    PLACES
};

struct bench {
    struct session_set *set;
    struct session *session;
    int32_t n_vocab;
    float *logits; // of the session before a load
    uint8_t *good, *file;
    size_t size;
    int fd; // in memory, with a name under /proc
    char path[64];
};

static void must(enum jl_status status, const struct jl_error *err) {
    if (status == JL_OK) return;
    fprintf(stderr, "%s\n", err->message);
    abort();
}

static int32_t token(const struct bench *b, int i) { return (i * 37 + 11) % b->n_vocab; }

static void sync_to(struct bench *b, int n) {
    struct jl_error err;
    int32_t ids[READ];
    int reused;
    for (int i = 0; i < n; i++)
        ids[i] = token(b, i);
    must(session_sync(b->session, ids, n, NULL, &reused, &err), &err);
}

static void start_session(struct bench *b) {
    struct jl_error err;
    session_free(b->session);
    must(session_create(b->set, &b->session, &err), &err);
    sync_to(b, KEPT);
}

static void make_good_file(struct bench *b) {
    struct jl_error err;
    char folder[] = P_tmpdir "/jinlin-fuzz-XXXXXX", path[64], *data;
    if (!mkdtemp(folder)) abort();
    snprintf(path, sizeof path, "%s/good", folder);
    must(session_save(b->session, path, &err), &err);
    must(file_read(path, FILE_MOST / 2, &data, &b->size, &err), &err);
    b->good = (uint8_t *)data;
    unlink(path);
    rmdir(folder);
}

static void open_bench(struct bench *b, const char *path) {
    struct jl_error err;
    struct backend *backend;
    struct model *model;
    struct exec *exec;
    const struct backend_options cpu = {NULL, 1};
    const struct class_request request = {NULL, NULL};
    const struct session_options options = {.n_seq = 1, .n_page = 6};
    must(backend_cpu_create(&cpu, &backend, &err), &err);
    must(model_load(path, &request, &model, &err), &err);
    must(exec_create(model, backend, 40, &exec, &err), &err);
    must(session_set_create(exec, &options, &b->set, &err), &err);
    must(session_create(b->set, &b->session, &err), &err);
    b->n_vocab = model->hp.n_vocab;
    sync_to(b, READ);
    make_good_file(b);
    start_session(b);
    b->logits = malloc((size_t)b->n_vocab * sizeof *b->logits);
    b->file = malloc(FILE_MOST);
    b->fd = memfd_create("session", MFD_CLOEXEC);
    if (!b->logits || !b->file || b->fd < 0) abort();
    memcpy(b->logits, session_logits(b->session), (size_t)b->n_vocab * sizeof *b->logits);
    snprintf(b->path, sizeof b->path, "/proc/self/fd/%d", b->fd);
}

/* ---- the file ---- */

static const struct session_head *good_head(const struct bench *b) {
    return (const struct session_head *)(const void *)b->good;
}

/* Where record i of the good file begins; past the last: the logits. */
static size_t record_at(const struct bench *b, uint32_t i) {
    const struct session_head *h = good_head(b);
    uint32_t keys = i < h->n_page ? i : h->n_page;
    return sizeof *h + h->n_token * sizeof(int32_t) +
           keys * (sizeof(struct session_page_head) + h->page_bytes) +
           (i - keys) * (sizeof(struct session_page_head) + h->recurrent_bytes);
}

static size_t place_of(const struct bench *b, enum place place, size_t offset, size_t size) {
    switch (place) {
    case AT_HEAD: return offset;
    case AT_TOKENS: return sizeof(struct session_head) + offset;
    case AT_PAGE: return record_at(b, 0) + offset;
    case AT_PAGE_2: return record_at(b, 1) + offset;
    case AT_RECURRENT: return record_at(b, good_head(b)->n_page) + offset;
    default: return offset < size ? size - offset : 0;
    }
}

static size_t edited(struct bench *b, const uint8_t *data, size_t left) {
    size_t size = b->size;
    memcpy(b->file, b->good, size);
    while (left >= 4) {
        enum place place = (enum place)(data[0] % PLACES);
        size_t offset = data[1] + 256u * data[2], n = data[3];
        data += 4;
        left -= 4;
        if (n > left) n = left;
        size_t at = place == ADD_AT_END ? size : place_of(b, place, offset, size);
        if (place == CUT_AT_END) {
            size = at;
        } else if (at + n <= (place == ADD_AT_END ? FILE_MOST / 2 : size)) {
            memcpy(b->file + at, data, n);
            if (at + n > size) size = at + n;
        }
        data += n;
        left -= n;
    }
    return size;
}

/* The chain behind page i, of the file's own tokens. */
static uint64_t tokens_hash(const struct bench *b, uint64_t chain, int i) {
    int left = (int)good_head(b)->n_token - i * KV_CHUNK, n = left < KV_CHUNK ? left : KV_CHUNK;
    int32_t ids[KV_CHUNK];
    memcpy(ids, b->file + sizeof(struct session_head) + (size_t)i * sizeof ids,
           (size_t)n * sizeof ids[0]);
    return prefix_hash(chain, ids, n);
}

/* Checksums of the records that lie where those of the good file do. */
static void seal_records(struct bench *b, uint8_t flags, size_t size) {
    const struct session_head *h = good_head(b);
    uint64_t chain = 0;
    for (uint32_t i = 0; i < h->n_page + h->n_recur; i++) {
        struct session_page_head record;
        size_t at = record_at(b, i), data = at + sizeof record, end = record_at(b, i + 1);
        if (end > size) return;
        memcpy(&record, b->file + at, sizeof record);
        if (flags & 64 && i < h->n_page) record.chain = chain = tokens_hash(b, chain, (int)i);
        session_sum(b->file + data, end - data, record.data_sum);
        session_sum(&record, sizeof record - SESSION_SUM_BYTES, record.sum);
        memcpy(b->file + at, &record, sizeof record);
    }
}

static size_t sealed(struct bench *b, uint8_t flags, size_t size) {
    struct session_head head;
    uint64_t made;
    if (flags & 8) seal_records(b, flags, size);
    if (size < sizeof head + SESSION_SUM_BYTES) return size;
    memcpy(&head, b->file, sizeof head);
    if (flags & 32 && session_file_bytes(&head, &made) && made < FILE_MOST &&
        made >= sizeof head + SESSION_SUM_BYTES) {
        if (made > size) memset(b->file + size, 0, made - size);
        size = head.file_bytes = made;
    }
    if (flags & 4) session_sum(&head, sizeof head - SESSION_SUM_BYTES, head.sum);
    memcpy(b->file, &head, sizeof head);
    size_t end = size - SESSION_SUM_BYTES;
    if (flags & 16) session_sum(b->file, end, b->file + end);
    return size;
}

/* ---- what must hold ---- */

static void check_kept(const struct bench *b, const int free_pages[PAGE_KINDS]) {
    size_t bytes = (size_t)b->n_vocab * sizeof *b->logits;
    if (session_n_token(b->session) != KEPT || session_n_pending(b->session) != 0) abort();
    for (int i = 0; i < KEPT; i++)
        if (session_ids(b->session)[i] != token(b, i)) abort();
    const float *logits = session_logits(b->session);
    if (!logits || memcmp(logits, b->logits, bytes)) abort();
    for (int kind = 0; kind < PAGE_KINDS; kind++)
        if (page_pool_free_pages(session_set_pool(b->set), (enum page_kind)kind) !=
            free_pages[kind])
            abort();
}

/* Its numbers may be anything that has good checksums: a pass may fail, but not in another way. */
static void check_taken(struct bench *b) {
    struct jl_error err;
    const float *logits = session_logits(b->session);
    int n = session_n_token(b->session);
    if (n < 0 || n > session_capacity(b->session)) abort();
    for (int i = 0; i < n; i++)
        if (session_ids(b->session)[i] < 0 || session_ids(b->session)[i] >= b->n_vocab) abort();
    for (int32_t i = 0; logits && i < b->n_vocab; i++)
        if (!isfinite(logits[i])) abort();
    if (session_push(b->session, 1, &err) == JL_OK && session_n_token(b->session) != n + 1) abort();
    if (session_rewind(b->session, n / 2, &err) != JL_OK) abort();
    start_session(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct bench benches[2];
    static const char *const models[] = {JL_SOURCE_ROOT "/tests/golden/llama",
                                         JL_SOURCE_ROOT "/tests/golden/qwen3-next"};
    struct jl_error err;
    int free_pages[PAGE_KINDS];
    if (size == 0) return 0;
    struct bench *b = &benches[data[0] & 1];
    if (!b->set) open_bench(b, models[data[0] & 1]);
    bool raw = data[0] & 2;
    size_t n = raw ? size - 1 : sealed(b, data[0], edited(b, data + 1, size - 1));
    if (ftruncate(b->fd, 0) != 0 || pwrite(b->fd, raw ? data + 1 : b->file, n, 0) != (ssize_t)n)
        abort();
    for (int kind = 0; kind < PAGE_KINDS; kind++)
        free_pages[kind] = page_pool_free_pages(session_set_pool(b->set), (enum page_kind)kind);
    if (session_load(b->session, b->path, &err) == JL_OK)
        check_taken(b);
    else
        check_kept(b, free_pages);
    return 0;
}
