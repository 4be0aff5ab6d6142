#include "session/feed.h"

static void fill_rows(const struct feed *feeds, int n_feed, size_t n_embd, struct batch_row *rows) {
    int at = 0;
    for (int f = 0; f < n_feed; f++)
        for (int i = 0; i < feeds[f].n_token; i++)
            rows[at++] = (struct batch_row){
                .token = feeds[f].tokens[i],
                .pos = {state_n_pos(feeds[f].state) + i},
                .seq = f,
                .want_logits = i >= feeds[f].n_token - feeds[f].n_logits,
                .give = feeds[f].hidden ? feeds[f].hidden + (size_t)i * n_embd : NULL,
            };
}

enum jl_status feed_forward(struct exec *exec, const struct feed *feeds, int n_feed,
                            const atomic_bool *cancel, float *logits, struct jl_error *err) {
    int n_row = 0;
    for (int f = 0; f < n_feed; f++) {
        int end = state_n_pos(feeds[f].state) + feeds[f].n_token;
        if (feeds[f].n_token) JL_TRY(state_reserve(feeds[f].state, end, err));
        n_row += feeds[f].n_token;
    }
    if (n_row == 0) return JL_OK;
    if (n_row > exec_max_rows(exec) || n_feed > exec_max_rows(exec))
        return jl_fail(err, JL_ERR_LIMIT, "a pass of %d rows of %d sequences; at most %d fit",
                       n_row, n_feed, exec_max_rows(exec));
    struct exec_batch_memory memory = exec_batch_memory(exec);
    fill_rows(feeds, n_feed, (size_t)exec_model(exec)->hp.n_embd, memory.rows);
    for (int f = 0; f < n_feed; f++)
        memory.seqs[f] = feeds[f].n_token ? state_view(feeds[f].state)
                                          : (struct seq_view){.n_pos = state_n_pos(feeds[f].state)};
    struct batch batch = {memory.rows, n_row, memory.seqs, n_feed, cancel};
    JL_TRY(exec_forward(exec, &batch, logits, err));
    for (int f = 0; f < n_feed; f++)
        state_append(feeds[f].state, feeds[f].n_token);
    return JL_OK;
}

enum jl_status feed_ahead(struct exec *mtp, const struct feed_ahead *feed,
                          const atomic_bool *cancel, float *logits, struct jl_error *err) {
    struct exec_batch_memory memory = exec_batch_memory(mtp);
    size_t n_embd = (size_t)exec_model(mtp)->hp.n_embd;
    if (feed->n > exec_max_rows(mtp))
        return jl_fail(err, JL_ERR_LIMIT, "a pass of %d rows; at most %d fit", feed->n,
                       exec_max_rows(mtp));
    JL_TRY(state_reserve_ahead(feed->state, feed->first, feed->n, err));
    for (int i = 0; i < feed->n; i++)
        memory.rows[i] = (struct batch_row){.token = feed->tokens[i],
                                            .pos = {feed->first + i},
                                            .hidden = feed->hidden + (size_t)i * n_embd,
                                            .want_logits = i >= feed->n - feed->n_logits};
    if (feed->n > 0) memory.rows[feed->n - 1].give = feed->last_hidden;
    memory.seqs[0] = state_view_ahead(feed->state);
    memory.seqs[0].n_pos = feed->first;
    struct batch batch = {memory.rows, feed->n, memory.seqs, 1, cancel};
    JL_TRY(exec_forward(mtp, &batch, logits, err));
    state_append_ahead(feed->state, feed->first + feed->n);
    return JL_OK;
}

enum jl_status feed_prompt(struct exec *exec, struct state *state, const int32_t *tokens,
                           int n_token, int chunk, const atomic_bool *cancel, float *last_logits,
                           struct jl_error *err) {
    for (int at = 0; at < n_token; at += chunk) {
        int n = n_token - at < chunk ? n_token - at : chunk;
        struct feed feed = {state, tokens + at, n, at + n == n_token, NULL};
        JL_TRY(feed_forward(exec, &feed, 1, cancel, last_logits, err));
    }
    return JL_OK;
}
