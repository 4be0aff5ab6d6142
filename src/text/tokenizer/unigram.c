#include "text/tokenizer/unigram.h"

#include <stdlib.h>

#include "base/arena.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

struct unigram_node { // best cut that ends here
    double score;
    int32_t id;    // of its last piece; NOT_REACHED, UNKNOWN
    uint32_t size; // of its last piece, bytes
};

#define NOT_REACHED (-2)
#define UNKNOWN (-1)

bool unigram_build(struct unigram *unigram, const struct unigram_piece *pieces, size_t n,
                   size_t n_id) {
    struct trie_key *keys = calloc(n ? n : 1, sizeof *keys);
    unigram->scores = calloc(n_id ? n_id : 1, sizeof *unigram->scores);
    bool ok = keys && unigram->scores;
    for (size_t i = 0; ok && i < n; i++) {
        keys[i] = (struct trie_key){pieces[i].text, pieces[i].len, pieces[i].id};
        unigram->scores[pieces[i].id] = pieces[i].score;
    }
    ok = ok && trie_build(&unigram->trie, keys, n);
    free(keys);
    if (!ok) unigram_free(unigram);
    return ok;
}

void unigram_free(struct unigram *unigram) {
    trie_free(&unigram->trie);
    free(unigram->scores);
    unigram->scores = NULL;
}

double unigram_user_score(size_t len, float max_score) {
    return (double)((float)len * max_score) - 0.1;
}

void unigram_run_free(struct unigram_run *run) {
    free(run->nodes);
    free(run->path.data);
    *run = (struct unigram_run){0};
}

/* ---- one encoding ---- */

/* The text is worked off in stretches that no piece crosses the end of: what comes later cannot
 * change how they are cut. `reach` is the furthest place that some cut ends at. */
struct encoding {
    const struct unigram *unigram;
    struct unigram_run *run;
    const char *text;
    size_t start, reach; // bytes; nodes[i] is the place start + i, for all up to reach
    struct id_buffer *ids;
    bool after_unknown;
    struct jl_error *err;
};

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while encoding a text");
}

static bool reach_to(struct encoding *e, size_t end) {
    struct unigram_run *run = e->run;
    if (end <= e->reach) return true;
    size_t need = end - e->start + 1;
    if (need > run->cap) {
        size_t cap = run->cap * 2 > need ? run->cap * 2 : need + 255, bytes;
        struct unigram_node *nodes =
            size_mul(cap, sizeof *nodes, &bytes) ? realloc(run->nodes, bytes) : NULL;
        if (!nodes) return false;
        run->nodes = nodes;
        run->cap = cap;
    }
    for (size_t at = e->reach + 1; at <= end; at++)
        run->nodes[at - e->start] = (struct unigram_node){.id = NOT_REACHED};
    e->reach = end;
    return true;
}

static bool offer(struct encoding *e, size_t from, size_t size, int32_t id, double score) {
    if (!reach_to(e, from + size)) return false;
    struct unigram_node *node = &e->run->nodes[from + size - e->start];
    if (node->id != NOT_REACHED && !(score > node->score)) return true;
    if (e->unigram->round_sums) score = (double)(float)score;
    *node = (struct unigram_node){.score = score, .id = id, .size = (uint32_t)size};
    return true;
}

/* All pieces that begin at `at`, shortest first, then the unknown character. */
static bool offer_all(struct encoding *e, size_t at, size_t len, size_t step) {
    const struct unigram *u = e->unigram;
    double sum = e->run->nodes[at - e->start].score;
    uint32_t node = TRIE_ROOT;
    bool single = false;
    for (size_t end = at; end < len && trie_step(&u->trie, &node, (unsigned char)e->text[end]);) {
        int32_t id = trie_value(&u->trie, node);
        end++;
        if (id == TRIE_NO_VALUE) continue;
        if (!offer(e, at, end - at, id, u->scores[id] + sum)) return false;
        if (end - at == step) single = true;
    }
    if (single) return true;
    double score = u->unknown_score + sum;
    if (u->round_sums) score = (double)((float)u->unknown_score + (float)sum);
    return offer(e, at, step, UNKNOWN, score);
}

static enum jl_status emit_unknown(struct encoding *e, const char *text, size_t len) {
    const struct unigram *u = e->unigram;
    bool bytes = u->byte_fallback;
    for (size_t i = 0; bytes && i < len; i++)
        bytes = u->byte_token[(unsigned char)text[i]] != TOKEN_NONE;
    if (bytes) {
        for (size_t i = 0; i < len; i++) {
            if (!buffer_append_id(e->ids, u->byte_token[(unsigned char)text[i]]))
                return no_memory(e->err);
        }
        e->after_unknown = false;
        return JL_OK;
    }
    if (u->unknown == TOKEN_NONE) {
        uint32_t code;
        utf8_step(text, len, &code);
        return jl_fail(e->err, JL_ERR_UNSUPPORTED,
                       "the text holds %s 0x%X, for which the vocabulary has neither a token, nor "
                       "byte tokens, nor an unknown token",
                       code < UTF8_CODE_END ? "the character" : "the stray byte",
                       (unsigned)(code < UTF8_CODE_END ? code : code - UTF8_CODE_END));
    }
    bool fused = e->after_unknown;
    e->after_unknown = true;
    return fused || buffer_append_id(e->ids, u->unknown) ? JL_OK : no_memory(e->err);
}

/* Writes the best cut of text[start, end) and begins a new stretch there. */
static enum jl_status finish_stretch(struct encoding *e, size_t end) {
    struct unigram_node *nodes = e->run->nodes;
    struct id_buffer *path = &e->run->path;
    path->len = 0;
    for (size_t at = end; at > e->start; at -= nodes[at - e->start].size) {
        const struct unigram_node *node = &nodes[at - e->start];
        if (!buffer_append_id(path, (int32_t)node->size) || !buffer_append_id(path, node->id))
            return no_memory(e->err);
    }
    size_t at = e->start;
    while (path->len) {
        int32_t id = path->data[path->len - 1], size = path->data[path->len - 2];
        path->len -= 2;
        if (id == UNKNOWN) {
            JL_TRY(emit_unknown(e, e->text + at, (size_t)size));
        } else if (id == e->unigram->unknown) { // a piece that is the unknown token
            if (!e->after_unknown && !buffer_append_id(e->ids, id)) return no_memory(e->err);
            e->after_unknown = true;
        } else {
            if (!buffer_append_id(e->ids, id)) return no_memory(e->err);
            e->after_unknown = false;
        }
        at += (size_t)size;
    }
    nodes[0].score = nodes[end - e->start].score;
    e->start = e->reach = end;
    return JL_OK;
}

enum jl_status unigram_encode(const struct unigram *unigram, struct unigram_run *run,
                              const char *text, size_t len, struct id_buffer *ids,
                              struct jl_error *err) {
    struct encoding e = {.unigram = unigram, .run = run, .text = text, .ids = ids, .err = err};
    if (len == 0) return JL_OK;
    if (!reach_to(&e, 1)) return no_memory(err);
    e.reach = 0;
    run->nodes[0] = (struct unigram_node){.id = NOT_REACHED};
    for (size_t at = 0; at < len;) {
        uint32_t code;
        size_t step = (size_t)utf8_step(text + at, len - at, &code);
        if (!offer_all(&e, at, len, step)) return no_memory(err);
        at += step;
        if (e.reach == at) JL_TRY(finish_stretch(&e, at));
    }
    return JL_OK;
}
