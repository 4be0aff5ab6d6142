/* Encoding through the stages of pipeline.h, and the small questions about a tokenizer. */
#include "text/tokenizer.h"

#include <stdlib.h>

#include "text/tokenizer/pipeline.h"

void tokenizer_free(struct tokenizer *tokenizer) {
    if (!tokenizer) return;
    bpe_free(&tokenizer->bpe);
    added_free(&tokenizer->added_raw);
    added_free(&tokenizer->added_normalized);
    arena_free(&tokenizer->arena);
    free(tokenizer);
}

int tokenizer_vocab_size(const struct tokenizer *tokenizer) { return tokenizer->vocab.n; }

int32_t tokenizer_bos(const struct tokenizer *tokenizer) { return tokenizer->bos; }

int32_t tokenizer_eos(const struct tokenizer *tokenizer) { return tokenizer->eos; }

bool tokenizer_is_control(const struct tokenizer *tokenizer, int32_t id) {
    return vocab_has(&tokenizer->vocab, id) && tokenizer->vocab.tokens[id].type == TOKEN_CONTROL;
}

/* ---- encoding ---- */

struct encoding {
    const struct tokenizer *tokenizer;
    bool with_special;
    struct id_buffer ids;
    struct byte_buffer normal[2], marked;
    struct bpe_run run;
    struct jl_error *err;
};

static enum jl_status no_memory(struct encoding *e) {
    return jl_fail(e->err, JL_ERR_MEMORY, "out of memory while encoding a text");
}

/* Splits a stretch without added tokens into words and merges each. */
static enum jl_status encode_words(struct encoding *e, const char *text, size_t len,
                                   bool at_text_start) {
    const struct metaspace *metaspace = &e->tokenizer->metaspace;
    if (len == 0) return JL_OK;
    if (!metaspace->present) {
        bpe_run_text(&e->run, text, len);
        return bpe_run_word(&e->run, 0, len, e->err);
    }
    if (!metaspace_mark(metaspace, text, len, at_text_start, &e->marked)) return no_memory(e);
    bpe_run_text(&e->run, e->marked.data, e->marked.len);
    for (size_t at = 0, end; at < e->marked.len; at = end) {
        end = metaspace_word_end(metaspace, e->marked.data, e->marked.len, at);
        JL_TRY(bpe_run_word(&e->run, at, end, e->err));
    }
    return JL_OK;
}

typedef enum jl_status (*encode_stretch)(struct encoding *e, const char *text, size_t len,
                                         bool at_text_start);

/* The ids of the set's tokens where they occur; what lies between goes to the next stage. */
static enum jl_status encode_around(struct encoding *e, const struct added_set *set,
                                    const char *text, size_t len, bool at_text_start,
                                    encode_stretch between) {
    size_t at = 0;
    struct added_match match;
    while (added_find(set, text, len, at, e->with_special, &match)) {
        JL_TRY(between(e, text + at, match.start - at, at_text_start && at == 0));
        if (!buffer_append_id(&e->ids, match.id)) return no_memory(e);
        at = match.stop;
    }
    return between(e, text + at, len - at, at_text_start && at == 0);
}

static enum jl_status encode_normal(struct encoding *e, const char *text, size_t len,
                                    bool at_text_start) {
    if (len == 0) return JL_OK;
    if (!normalize_text(&e->tokenizer->normalizer, text, len, e->normal)) return no_memory(e);
    return encode_around(e, &e->tokenizer->added_normalized, e->normal[0].data, e->normal[0].len,
                         at_text_start, encode_words);
}

static bool append_all(struct id_buffer *ids, const int32_t *extra, int n) {
    for (int i = 0; i < n; i++) {
        if (!buffer_append_id(ids, extra[i])) return false;
    }
    return true;
}

static enum jl_status encode_all(struct encoding *e, const char *text, size_t len, int flags) {
    const struct tokenizer *tokenizer = e->tokenizer;
    bool extra = flags & ENCODE_ADD_BOS;
    if (!buffer_reserve_ids(&e->ids, 1)) return no_memory(e); // an empty result is not NULL
    if (extra && !append_all(&e->ids, tokenizer->before, tokenizer->n_before)) return no_memory(e);
    JL_TRY(encode_around(e, &tokenizer->added_raw, text, len, true, encode_normal));
    if (extra && !append_all(&e->ids, tokenizer->after, tokenizer->n_after)) return no_memory(e);
    return JL_OK;
}

enum jl_status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t len,
                                int flags, int32_t **ids, size_t *n_ids, struct jl_error *err) {
    struct encoding e = {
        .tokenizer = tokenizer, .with_special = flags & ENCODE_SPECIAL, .err = err};
    e.run.bpe = &tokenizer->bpe;
    e.run.ids = &e.ids;
    *ids = NULL;
    *n_ids = 0;
    enum jl_status status = encode_all(&e, len ? text : "", len, flags);
    if (status == JL_OK) {
        *ids = e.ids.data;
        *n_ids = e.ids.len;
    } else {
        free(e.ids.data);
    }
    buffer_free(&e.normal[0]);
    buffer_free(&e.normal[1]);
    buffer_free(&e.marked);
    bpe_run_free(&e.run);
    return status;
}
