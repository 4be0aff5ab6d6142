/* One table a thread, added up at the end: sums do not depend on who counted what. */
#include "text/bpe_train/count.h"

#include <stdlib.h>

struct counter { // of one thread
    struct pretok_run run;
    struct bpe_pieces pieces;
    uint64_t weight;
};

static enum jl_status add_word(void *ctx, const char *text, size_t len, struct jl_error *err) {
    struct counter *counter = ctx;
    if (bpe_pieces_add(&counter->pieces, text, len, counter->weight)) return JL_OK;
    return jl_fail(err, JL_ERR_MEMORY, "out of memory after %zu different words",
                   counter->pieces.n);
}

static enum jl_status count_text(void *ctx, const struct bpe_train_source *source, const char *text,
                                 size_t len, int thread, struct jl_error *err) {
    struct counter *counter = (struct counter *)ctx + thread;
    counter->weight = source->weight;
    counter->run.ctx = counter;
    return pretok_text(&counter->run, text, len, true, err);
}

enum jl_status bpe_count(const struct bpe_train_source *sources, int n, const struct pretok *pretok,
                         struct pool *pool, struct bpe_pieces *out, struct jl_error *err) {
    int n_thread = pool_threads(pool);
    struct counter *counters = calloc((size_t)n_thread, sizeof *counters);
    *out = (struct bpe_pieces){0};
    if (!counters) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the tables of words");
    for (int i = 0; i < n_thread; i++)
        counters[i].run = (struct pretok_run){.pretok = pretok, .word = add_word};
    enum jl_status status = bpe_sources_walk(sources, n, pool, count_text, counters, err);
    for (int i = 0; i < n_thread; i++) {
        if (status == JL_OK && i == 0) {
            *out = counters[0].pieces;
            counters[0].pieces = (struct bpe_pieces){0};
        } else if (status == JL_OK && !bpe_pieces_join(out, &counters[i].pieces)) {
            status = jl_fail(err, JL_ERR_MEMORY, "out of memory after %zu different words", out->n);
        }
        bpe_pieces_free(&counters[i].pieces);
        pretok_run_free(&counters[i].run);
    }
    free(counters);
    if (status != JL_OK) bpe_pieces_free(out);
    return status;
}
