#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "model/page_layout.h"
#include "session/session_file.h"
#include "session/session_format.h"

enum jl_status session_head_of(struct session_set *set, struct session_head *out,
                               struct jl_error *err) {
    const struct model *model = exec_model(set->exec);
    if (!set->has_fingerprint)
        JL_TRY(fingerprint_model(model, exec_backend(set->exec), set->fingerprint, err));
    set->has_fingerprint = true;
    *out = (struct session_head){
        .version = SESSION_VERSION,
        .head_bytes = sizeof *out,
        .page_bytes = model->page_bytes,
        .recurrent_bytes = model->recurrent_bytes,
    };
    memcpy(out->magic, SESSION_MAGIC, sizeof out->magic);
    memcpy(out->model, set->fingerprint, sizeof out->model);
    class_name(&model->cls, out->cls);
    return JL_OK;
}

bool session_file_bytes(const struct session_head *head, uint64_t *out) {
    size_t sum = sizeof *head + SESSION_SUM_BYTES, part, record;
    return size_mul(head->n_token, sizeof(int32_t), &part) && size_add(sum, part, &sum) &&
           size_add(head->page_bytes, sizeof(struct session_page_head), &record) &&
           size_mul(head->n_page, record, &part) && size_add(sum, part, &sum) &&
           size_add(head->recurrent_bytes, sizeof(struct session_page_head), &record) &&
           size_mul(head->n_recur, record, &part) && size_add(sum, part, &sum) &&
           size_mul(head->n_vocab, sizeof(float), &part) && size_add(sum, part, &sum) &&
           ((*out = sum), true);
}

struct saving {
    const struct session *session;
    const struct model *model;
    struct file_writer writer;
    XXH3_state_t *sum; // of what is written
    uint8_t *data;     // room for a page
    bool failed;
};

static void put(struct saving *s, const void *data, size_t bytes) {
    if (s->failed) return;
    s->failed = fwrite(data, 1, bytes, s->writer.stream) != bytes;
    XXH3_128bits_update(s->sum, data, bytes);
}

/* The page's record, of the bytes in s->data. */
static void put_page(struct saving *s, struct session_page_head *head) {
    memcpy(head->magic, SESSION_PAGE_MAGIC, sizeof head->magic);
    head->version = SESSION_VERSION;
    session_sum(s->data, head->bytes, head->data_sum);
    session_sum(head, sizeof *head - SESSION_SUM_BYTES, head->sum);
    put(s, head, sizeof *head);
    put(s, s->data, head->bytes);
}

static void put_keys(struct saving *s) {
    const struct session *session = s->session;
    int n_pos = state_n_pos(session->state), n_ahead = state_n_ahead(session->state);
    uint64_t chain = 0;
    for (int first = 0; first < n_pos; first += KV_CHUNK) {
        int n = n_pos - first < KV_CHUNK ? n_pos - first : KV_CHUNK;
        int ahead = n_ahead < first ? 0 : n_ahead - first < n ? n_ahead - first : n;
        chain = prefix_hash(chain, session->ids + first, n);
        backend_read(state_page(session->state, first / KV_CHUNK)->buffer, s->data);
        page_layout_clear(s->model, s->data, n, ahead); // what others left there stays here
        struct session_page_head head = {.kind = SESSION_PAGE_KEYS,
                                         .first = (uint32_t)first,
                                         .n_pos = (uint32_t)n,
                                         .bytes = s->model->page_bytes,
                                         .chain = chain};
        put_page(s, &head);
    }
}

static void put_recurrent(struct saving *s, const struct page *page, int n_pos,
                          enum session_page_kind kind) {
    struct session_page_head head = {
        .kind = (uint32_t)kind, .n_pos = (uint32_t)n_pos, .bytes = s->model->recurrent_bytes};
    backend_read(page->buffer, s->data);
    put_page(s, &head);
}

static void put_all(struct saving *s, const struct session_head *head) {
    const struct state *state = s->session->state;
    put(s, head, sizeof *head);
    put(s, s->session->ids, head->n_token * sizeof(int32_t));
    put_keys(s);
    if (head->n_recur)
        put_recurrent(s, state_recurrent(state), state_n_pos(state), SESSION_PAGE_NOW);
    for (int i = 0; i + 1 < (int)head->n_recur; i++) {
        struct state_checkpoint_view c = state_checkpoint_at(state, i);
        put_recurrent(s, c.recur, c.n_pos,
                      c.kind == CHECKPOINT_TURN ? SESSION_PAGE_TURN : SESSION_PAGE_ROAD);
    }
    if (head->n_vocab) put(s, session_logits(s->session), head->n_vocab * sizeof(float));
    XXH128_canonical_t sum;
    XXH128_canonicalFromHash(&sum, XXH3_128bits_digest(s->sum));
    put(s, &sum, sizeof sum);
}

static enum jl_status fill_head(struct session *session, struct session_head *head,
                                struct jl_error *err) {
    JL_TRY(session_head_of(session->set, head, err));
    int n_pos = state_n_pos(session->state);
    head->n_token = (uint32_t)n_pos;
    head->n_page = (uint32_t)((n_pos + KV_CHUNK - 1) / KV_CHUNK);
    if (head->recurrent_bytes) head->n_recur = 1 + (uint32_t)state_n_checkpoint(session->state);
    if (n_pos == session->n_id && session_logits(session))
        head->n_vocab = (uint32_t)exec_model(session->set->exec)->hp.n_vocab;
    head->n_prompt = (uint32_t)(session->n_prompt < n_pos ? session->n_prompt : n_pos);
    head->n_ahead = (uint32_t)state_n_ahead(session->state);
    if (!session_file_bytes(head, &head->file_bytes))
        return jl_fail(err, JL_ERR_LIMIT, "a session of %d tokens overflows a file", n_pos);
    session_sum(head, sizeof *head - SESSION_SUM_BYTES, head->sum);
    return JL_OK;
}

enum jl_status session_save(struct session *session, const char *path, struct jl_error *err) {
    struct session_head head;
    struct saving s = {.session = session, .model = exec_model(session->set->exec)};
    size_t most = s.model->page_bytes;
    if (most < s.model->recurrent_bytes) most = s.model->recurrent_bytes;
    session_drop_draft(session);
    session_ahead_settle(session);
    JL_TRY(fill_head(session, &head, err));
    s.sum = XXH3_createState();
    s.data = malloc(most + 1);
    enum jl_status status = s.sum && s.data
                                ? file_writer_open(path, &s.writer, err)
                                : jl_fail(err, JL_ERR_MEMORY, "out of memory writing %s", path);
    if (status == JL_OK) {
        XXH3_128bits_reset(s.sum);
        put_all(&s, &head);
        status = file_writer_commit(&s.writer, err); // finds what has failed
    }
    XXH3_freeState(s.sum);
    free(s.data);
    return status;
}
