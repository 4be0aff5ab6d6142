#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session/session_file.h"
#include "session/session_format.h"

struct loading {
    struct session *session;
    const struct model *model;
    const char *path;
    int fd;
    XXH3_state_t *sum; // of what was read
    struct session_head head;
    struct state *state; // what the session's will be
    int32_t *ids;        // (n_token)
    float *logits;       // (n_vocab)
    uint8_t *data;       // room for a page
    struct jl_error *err;
};

#define BAD(s, status, ...) jl_fail((s)->err, status, __VA_ARGS__)

static enum jl_status take(struct loading *s, void *out, size_t bytes, const char *what) {
    for (size_t done = 0; done < bytes;) {
        ssize_t n = read(s->fd, (uint8_t *)out + done, bytes - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return BAD(s, JL_ERR_IO, "%s: cannot read its %s: %m", s->path, what);
        if (n == 0)
            return BAD(s, JL_ERR_FORMAT, "%s: the file ends in its %s: it was cut off", s->path,
                       what);
        done += (size_t)n;
    }
    XXH3_128bits_update(s->sum, out, bytes);
    return JL_OK;
}

static enum jl_status check_sum(struct loading *s, const void *data, size_t bytes,
                                const uint8_t *wanted, const char *what) {
    uint8_t sum[SESSION_SUM_BYTES];
    session_sum(data, bytes, sum);
    if (!memcmp(sum, wanted, sizeof sum)) return JL_OK;
    return BAD(s, JL_ERR_FORMAT, "%s: the checksum of its %s does not fit: the file is damaged",
               s->path, what);
}

static bool all_zero(const uint8_t *data, size_t n) {
    while (n > 0 && data[n - 1] == 0)
        n--;
    return n == 0;
}

/* ---- the head ---- */

/* What a set decides, field by field: each is its own fault. */
static enum jl_status check_owner(struct loading *s) {
    struct session_head *got = &s->head, want;
    JL_TRY(session_head_of(s->session->set, &want, s->err));
    if (memcmp(got->cls, want.cls, sizeof want.cls))
        return BAD(s, JL_ERR_UNSUPPORTED,
                   "%s: class is '%.*s', the model runs as '%s': load it with the same --act and "
                   "--kv, or start a new session",
                   s->path, CLASS_NAME_BYTES, got->cls, want.cls);
    if (memcmp(got->model, want.model, sizeof want.model))
        return BAD(s, JL_ERR_UNSUPPORTED,
                   "%s: model fingerprint is not that of %s: the session is another model's",
                   s->path, s->model->file->path);
    if (got->page_bytes != want.page_bytes || got->recurrent_bytes != want.recurrent_bytes)
        return BAD(s, JL_ERR_FORMAT,
                   "%s: page_bytes %" PRIu64 " and recurrent_bytes %" PRIu64 " should be %" PRIu64
                   " and %" PRIu64,
                   s->path, got->page_bytes, got->recurrent_bytes, want.page_bytes,
                   want.recurrent_bytes);
    return JL_OK;
}

static enum jl_status check_counts(struct loading *s) {
    const struct session_head *h = &s->head;
    const struct hparams *hp = &s->model->hp;
    uint32_t kept = (uint32_t)state_checkpoints_kept(s->model->recurrent_bytes);
    if (h->n_token > (uint32_t)hp->n_ctx_train)
        return BAD(s, JL_ERR_LIMIT, "%s: n_token is %" PRIu32 ", the model's context holds %d",
                   s->path, h->n_token, hp->n_ctx_train);
    if (h->n_token > (uint32_t)session_capacity(s->session))
        return BAD(s, JL_ERR_LIMIT, "%s: n_token is %" PRIu32 ", a session holds %d here", s->path,
                   h->n_token, session_capacity(s->session));
    if (h->n_page != (h->n_token + KV_CHUNK - 1) / KV_CHUNK)
        return BAD(s, JL_ERR_FORMAT, "%s: n_page is %" PRIu32 " for %" PRIu32 " tokens", s->path,
                   h->n_page, h->n_token);
    if (h->recurrent_bytes ? h->n_recur < 1 || h->n_recur > 1 + kept : h->n_recur != 0)
        return BAD(s, JL_ERR_FORMAT, "%s: n_recur is %" PRIu32 ", at most %" PRIu32 " are kept",
                   s->path, h->n_recur, h->recurrent_bytes ? 1 + kept : 0);
    if (h->n_vocab != 0 && (h->n_vocab != (uint32_t)hp->n_vocab || h->n_token == 0))
        return BAD(s, JL_ERR_FORMAT, "%s: n_vocab is %" PRIu32 ", the model's is %d", s->path,
                   h->n_vocab, hp->n_vocab);
    if (h->n_prompt > h->n_token || h->n_ahead > (hp->n_mtp ? h->n_token : 0))
        return BAD(s, JL_ERR_FORMAT,
                   "%s: n_prompt %" PRIu32 " or n_ahead %" PRIu32 " is more than %" PRIu32
                   " tokens allow",
                   s->path, h->n_prompt, h->n_ahead, h->n_token);
    return JL_OK;
}

static enum jl_status read_head(struct loading *s) {
    struct session_head *h = &s->head;
    struct stat st;
    uint64_t bytes;
    if (fstat(s->fd, &st) != 0) return BAD(s, JL_ERR_IO, "%s: cannot read its size: %m", s->path);
    if (!S_ISREG(st.st_mode))
        return BAD(s, JL_ERR_IO, "%s is not a regular file, as a session's must be", s->path);
    JL_TRY(take(s, h, sizeof *h, "head"));
    if (memcmp(h->magic, SESSION_MAGIC, sizeof h->magic))
        return BAD(s, JL_ERR_FORMAT, "%s: magic is not a session file's", s->path);
    if (h->version != SESSION_VERSION || h->head_bytes != sizeof *h)
        return BAD(s, JL_ERR_UNSUPPORTED, "%s: version is %" PRIu32 ", this program reads %d",
                   s->path, h->version, SESSION_VERSION);
    JL_TRY(check_sum(s, h, sizeof *h - SESSION_SUM_BYTES, h->sum, "head"));
    if (!all_zero(h->zero, sizeof h->zero))
        return BAD(s, JL_ERR_FORMAT, "%s: zero holds something", s->path);
    JL_TRY(check_owner(s));
    JL_TRY(check_counts(s));
    if (!session_file_bytes(h, &bytes) || bytes != h->file_bytes)
        return BAD(s, JL_ERR_FORMAT, "%s: file_bytes is %" PRIu64 ", which its counts do not make",
                   s->path, h->file_bytes);
    if ((uint64_t)st.st_size != bytes)
        return BAD(s, JL_ERR_FORMAT, "%s has %jd bytes and should have %" PRIu64 ": %s", s->path,
                   (intmax_t)st.st_size, bytes,
                   (uint64_t)st.st_size < bytes ? "it was cut off" : "something follows its end");
    return JL_OK;
}

/* ---- tokens, pages, logits ---- */

static enum jl_status read_tokens(struct loading *s) {
    uint32_t n = s->head.n_token;
    s->ids = calloc((size_t)n + 1, sizeof *s->ids);
    if (!s->ids) return BAD(s, JL_ERR_MEMORY, "out of memory for %" PRIu32 " tokens", n);
    JL_TRY(take(s, s->ids, n * sizeof *s->ids, "tokens"));
    for (uint32_t i = 0; i < n; i++)
        if (s->ids[i] < 0 || s->ids[i] >= s->model->hp.n_vocab)
            return BAD(s, JL_ERR_FORMAT,
                       "%s: token %" PRIu32 " is %" PRId32 ", outside the vocabulary 0 .. %d",
                       s->path, i, s->ids[i], s->model->hp.n_vocab - 1);
    return JL_OK;
}

/* One record: its head is what is expected but for the checksums, its data are in s->data. */
static enum jl_status read_page(struct loading *s, const struct session_page_head *want) {
    struct session_page_head got;
    char what[64];
    snprintf(what, sizeof what, "page of %s %" PRIu32,
             want->kind == SESSION_PAGE_KEYS ? "positions from" : "the state after",
             want->kind == SESSION_PAGE_KEYS ? want->first : want->n_pos);
    JL_TRY(take(s, &got, sizeof got, what));
    if (memcmp(got.magic, SESSION_PAGE_MAGIC, sizeof got.magic) || got.version != SESSION_VERSION)
        return BAD(s, JL_ERR_FORMAT, "%s: %s: magic or version is not a page's", s->path, what);
    JL_TRY(check_sum(s, &got, sizeof got - SESSION_SUM_BYTES, got.sum, what));
    if (got.kind != want->kind || got.first != want->first || got.n_pos != want->n_pos ||
        got.bytes != want->bytes)
        return BAD(s, JL_ERR_FORMAT,
                   "%s: %s: kind %" PRIu32 ", first %" PRIu32 ", n_pos %" PRIu32
                   " or bytes %" PRIu64 " is not what belongs here",
                   s->path, what, got.kind, got.first, got.n_pos, got.bytes);
    if (got.chain != want->chain)
        return BAD(s, JL_ERR_FORMAT, "%s: %s: chain is not that of the tokens", s->path, what);
    if (!all_zero(got.summary, sizeof got.summary))
        return BAD(s, JL_ERR_UNSUPPORTED, "%s: %s: summary is not known here", s->path, what);
    JL_TRY(take(s, s->data, want->bytes, what));
    return check_sum(s, s->data, want->bytes, got.data_sum, what);
}

static enum jl_status read_keys(struct loading *s) {
    struct page **pages = s->session->set->pages;
    struct page_pool *pool = s->session->set->pool;
    int n_pos = (int)s->head.n_token, n_page = 0;
    enum jl_status status = page_pool_want(pool, PAGE_KEYS, (int)s->head.n_page, s->err);
    uint64_t chain = 0;
    for (int first = 0; first < n_pos && status == JL_OK; first += KV_CHUNK) {
        int n = n_pos - first < KV_CHUNK ? n_pos - first : KV_CHUNK;
        chain = prefix_hash(chain, s->ids + first, n);
        const struct session_page_head want = {.kind = SESSION_PAGE_KEYS,
                                               .first = (uint32_t)first,
                                               .n_pos = (uint32_t)n,
                                               .bytes = s->head.page_bytes,
                                               .chain = chain};
        status = read_page(s, &want);
        if (status != JL_OK) break;
        pages[n_page] = page_pool_take(pool, PAGE_KEYS);
        backend_write(pages[n_page++]->buffer, s->data);
    }
    if (status == JL_OK) {
        state_adopt(s->state, 0, n_pos, pages, NULL);
        // Of the last position nobody knows which token came next: its key is zeros.
        if (s->session->set->mtp && (int)s->head.n_ahead >= n_pos - 1)
            state_append_ahead(s->state, n_pos);
    }
    while (n_page > 0) // those of the state are held by it
        page_drop(pool, pages[--n_page]);
    return status;
}

/* A checkpoint's place and kind are its own; they come in order. */
static enum jl_status read_recurrent(struct loading *s, uint32_t i) {
    struct page_pool *pool = s->session->set->pool;
    struct session_page_head peek;
    int last = state_last_checkpoint(s->state);
    struct session_page_head want = {
        .kind = SESSION_PAGE_NOW, .n_pos = s->head.n_token, .bytes = s->head.recurrent_bytes};
    if (i > 0) {
        ssize_t n = pread(s->fd, &peek, sizeof peek, lseek(s->fd, 0, SEEK_CUR));
        bool fits = n == sizeof peek && peek.n_pos > (uint32_t)last &&
                    peek.n_pos <= s->head.n_token &&
                    (peek.kind == SESSION_PAGE_ROAD || peek.kind == SESSION_PAGE_TURN);
        if (!fits)
            return BAD(s, JL_ERR_FORMAT,
                       "%s: checkpoint %" PRIu32 ": kind or n_pos is not what belongs behind %d",
                       s->path, i - 1, last);
        want.kind = peek.kind;
        want.n_pos = peek.n_pos;
    }
    JL_TRY(read_page(s, &want));
    JL_TRY(page_pool_want(pool, PAGE_RECUR, 1, s->err));
    struct page *page = page_pool_take(pool, PAGE_RECUR);
    backend_write(page->buffer, s->data);
    if (i == 0) {
        state_set_recurrent(s->state, page);
    } else {
        struct state_checkpoint_view c = {
            (int)want.n_pos, want.kind == SESSION_PAGE_TURN ? CHECKPOINT_TURN : CHECKPOINT_ROAD,
            page};
        state_add_checkpoint(s->state, &c); // their number was checked
    }
    page_drop(pool, page);
    return JL_OK;
}

static enum jl_status read_logits(struct loading *s) {
    uint32_t n = s->head.n_vocab;
    s->logits = calloc((size_t)n + 1, sizeof *s->logits);
    if (!s->logits) return BAD(s, JL_ERR_MEMORY, "out of memory for %" PRIu32 " logits", n);
    JL_TRY(take(s, s->logits, n * sizeof *s->logits, "logits"));
    for (uint32_t i = 0; i < n; i++)
        if (!isfinite(s->logits[i]))
            return BAD(s, JL_ERR_FORMAT, "%s: logit %" PRIu32 " is not finite", s->path, i);
    return JL_OK;
}

static enum jl_status read_end(struct loading *s) {
    XXH128_canonical_t sum, got;
    XXH128_canonicalFromHash(&sum, XXH3_128bits_digest(s->sum));
    JL_TRY(take(s, &got, sizeof got, "checksum"));
    if (memcmp(&sum, &got, sizeof sum))
        return BAD(s, JL_ERR_FORMAT,
                   "%s: the checksum of the whole does not fit: the file is damaged", s->path);
    uint8_t more;
    if (read(s->fd, &more, 1) > 0)
        return BAD(s, JL_ERR_FORMAT, "%s: something follows its end", s->path);
    return JL_OK;
}

static enum jl_status read_all(struct loading *s) {
    size_t most = s->model->page_bytes;
    if (most < s->model->recurrent_bytes) most = s->model->recurrent_bytes;
    JL_TRY(read_head(s));
    s->data = malloc(most + 1);
    if (!s->data) return BAD(s, JL_ERR_MEMORY, "out of memory for a page of %zu bytes", most);
    JL_TRY(state_create(s->session->set->pool, &s->state, s->err));
    JL_TRY(read_tokens(s));
    JL_TRY(read_keys(s));
    for (uint32_t i = 0; i < s->head.n_recur; i++)
        JL_TRY(read_recurrent(s, i));
    JL_TRY(read_logits(s));
    return read_end(s);
}

/* From here on nothing fails. */
static void become(struct loading *s) {
    struct session *session = s->session;
    struct state *old = session->state;
    session_unshare(session, 0);
    session->state = s->state;
    s->state = old;
    session->n_id = (int)s->head.n_token;
    session->n_prompt = (int)s->head.n_prompt;
    session->n_draft = session->n_hidden = 0;
    session->n_scored = session->n_id;
    memcpy(session->ids, s->ids, s->head.n_token * sizeof *s->ids);
    session_logits_put(session, s->logits, s->head.n_vocab ? 1 : 0);
    session_share(session);
}

enum jl_status session_load(struct session *session, const char *path, struct jl_error *err) {
    struct loading s = {.session = session,
                        .model = exec_model(session->set->exec),
                        .path = path,
                        .sum = XXH3_createState(),
                        .err = err};
    if (!s.sum) return jl_fail(err, JL_ERR_MEMORY, "out of memory reading %s", path);
    XXH3_128bits_reset(s.sum);
    s.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a pipe must not keep us waiting
    enum jl_status status =
        s.fd < 0 ? jl_fail(err, JL_ERR_IO, "cannot open %s: %m", path) : read_all(&s);
    if (status == JL_OK) become(&s);
    if (s.fd >= 0) close(s.fd);
    state_free(s.state);
    XXH3_freeState(s.sum);
    free(s.ids);
    free(s.logits);
    free(s.data);
    return status;
}
