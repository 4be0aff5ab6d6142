#include "session/score_batch.h"

#include <stdlib.h>

#include "session/score.h"

/* A text on its way: rows [0, at) are read. Row i predicts token i + 1; the last has none. */
struct slot {
    const struct score_text *text; // NULL: free
    int at;
};

struct scoring {
    const struct score_batch *batch;
    const struct score_text *texts;
    int64_t n, next;
    struct slot *slots; // (n_state)
    // Of one pass.
    struct feed *feeds;    // (n_state)
    struct slot **feeding; // (n_state): whose they are
    int n_feed;
    int32_t *targets;         // (n_row)
    struct score_token **out; // (n_row)
    int n_row;
    int32_t n_vocab;
};

static enum jl_status check(const struct score_batch *batch, const struct score_text *texts,
                            int64_t n, struct jl_error *err) {
    const struct hparams *hp = &exec_model(batch->exec)->hp;
    if (batch->n_state < 1 || batch->n_state > exec_max_rows(batch->exec) || batch->n_row < 1)
        return jl_fail(err, JL_ERR_USAGE, "%d texts and %d rows a pass, of %d rows", batch->n_state,
                       batch->n_row, exec_max_rows(batch->exec));
    for (int64_t i = 0; i < n; i++) {
        const struct score_text *text = &texts[i];
        if (text->first < 1 || text->first > text->n)
            return jl_fail(err, JL_ERR_USAGE,
                           "text %lld has %d tokens: they cannot be scored from token %d on, the "
                           "first has nothing before it",
                           (long long)i, text->n, text->first);
        if (text->n - 1 > hp->n_ctx_train)
            return jl_fail(err, JL_ERR_LIMIT,
                           "text %lld has %d tokens; the model's context holds %d", (long long)i,
                           text->n, hp->n_ctx_train);
        for (int k = 0; k < text->n; k++)
            if (text->ids[k] < 0 || text->ids[k] >= hp->n_vocab)
                return jl_fail(err, JL_ERR_USAGE,
                               "text %lld: token %d is outside the vocabulary of %d", (long long)i,
                               text->ids[k], hp->n_vocab);
    }
    return JL_OK;
}

/* The next text that has something to score into a free slot. */
static enum jl_status refill(struct scoring *s, struct slot *slot, struct jl_error *err) {
    while (!slot->text && s->next < s->n) {
        const struct score_text *text = &s->texts[s->next++];
        if (text->first == text->n) continue;
        *slot = (struct slot){text, 0};
        return state_rewind(s->batch->states[slot - s->slots], 0, err);
    }
    return JL_OK;
}

static int least(int a, int b) { return a < b ? a : b; }

/* As much of the slot's text as the pass has room for; rows that score nothing go by themselves. */
static void add_feed(struct scoring *s, struct slot *slot, int *rows_left) {
    const struct score_text *text = slot->text;
    int silent = text->first - 1 - slot->at, n;
    bool scores = silent <= 0;
    if (scores)
        n = least(least(text->n - 1 - slot->at, *rows_left), s->batch->n_row - s->n_row);
    else
        n = least(silent, *rows_left);
    if (n == 0) return;
    for (int i = 0; scores && i < n; i++) {
        int row = slot->at + i;
        s->targets[s->n_row] = text->ids[row + 1];
        s->out[s->n_row] = &text->tokens[row + 1 - text->first];
        s->n_row++;
    }
    s->feeding[s->n_feed] = slot;
    s->feeds[s->n_feed++] = (struct feed){.state = s->batch->states[slot - s->slots],
                                          .tokens = text->ids + slot->at,
                                          .n_token = n,
                                          .n_logits = scores ? n : 0};
    *rows_left -= n;
}

static void score_one(void *ctx, int item, int thread) {
    const struct scoring *s = ctx;
    const float *logits = s->batch->logits + (size_t)item * (size_t)s->n_vocab;
    struct score_row row = {.logits = logits, .target = s->targets[item], .scale = s->batch->scale};
    struct score score;
    (void)thread;
    score_row(&row, s->n_vocab, &score);
    *s->out[item] = (struct score_token){-score.nll, score.hit};
}

static enum jl_status pass(struct scoring *s, struct jl_error *err) {
    const struct score_batch *batch = s->batch;
    int rows_left = exec_max_rows(batch->exec);
    s->n_feed = s->n_row = 0;
    for (int i = 0; i < batch->n_state; i++) {
        JL_TRY(refill(s, &s->slots[i], err));
        if (s->slots[i].text) add_feed(s, &s->slots[i], &rows_left);
    }
    if (s->n_feed == 0) return JL_OK;
    JL_TRY(feed_forward(batch->exec, s->feeds, s->n_feed, batch->cancel, batch->logits, err));
    if (batch->pool)
        pool_run(batch->pool, s->n_row, score_one, s);
    else
        for (int i = 0; i < s->n_row; i++)
            score_one(s, i, 0);
    for (int i = 0; i < s->n_feed; i++) {
        struct slot *slot = s->feeding[i];
        slot->at += s->feeds[i].n_token;
        if (slot->at == slot->text->n - 1) slot->text = NULL;
    }
    if (batch->step) batch->step(batch->ctx, s->next, s->n);
    return JL_OK;
}

enum jl_status score_texts(const struct score_batch *batch, const struct score_text *texts,
                           int64_t n, struct jl_error *err) {
    JL_TRY(check(batch, texts, n, err));
    size_t n_state = (size_t)batch->n_state, n_row = (size_t)batch->n_row;
    struct scoring s = {.batch = batch,
                        .texts = texts,
                        .n = n,
                        .slots = calloc(n_state, sizeof *s.slots),
                        .feeds = calloc(n_state, sizeof *s.feeds),
                        .feeding = calloc(n_state, sizeof *s.feeding),
                        .targets = calloc(n_row, sizeof *s.targets),
                        .out = calloc(n_row, sizeof *s.out),
                        .n_vocab = exec_model(batch->exec)->hp.n_vocab};
    enum jl_status status = JL_OK;
    if (!s.slots || !s.feeds || !s.feeding || !s.targets || !s.out)
        status = jl_fail(err, JL_ERR_MEMORY, "out of memory for scores");
    if (status == JL_OK) do
            status = pass(&s, err);
        while (status == JL_OK && s.n_feed > 0);
    free(s.slots);
    free(s.feeds);
    free(s.feeding);
    free(s.targets);
    free(s.out);
    return status;
}
