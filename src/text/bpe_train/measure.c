/* What a tokenizer makes of a source. */
#include <stdlib.h>

#include "text/bpe_train/sources.h"

struct measure {
    const struct tokenizer *tokenizer;
    struct bpe_train_measure *sums; // one a thread
};

static enum jl_status measure_text(void *ctx, const struct bpe_train_source *source,
                                   const char *text, size_t len, int thread, struct jl_error *err) {
    struct measure *measure = ctx;
    int32_t *ids;
    size_t n;
    (void)source;
    JL_TRY(tokenizer_encode(measure->tokenizer, text, len, 0, &ids, &n, err));
    free(ids);
    measure->sums[thread].n_byte += len;
    measure->sums[thread].n_token += n;
    return JL_OK;
}

enum jl_status bpe_train_measure(const struct tokenizer *tokenizer,
                                 const struct bpe_train_source *source, struct pool *pool,
                                 struct bpe_train_measure *out, struct jl_error *err) {
    int n_thread = pool_threads(pool);
    struct measure measure = {tokenizer, calloc((size_t)n_thread, sizeof *measure.sums)};
    *out = (struct bpe_train_measure){0};
    if (!measure.sums) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the measurement");
    enum jl_status status = bpe_sources_walk(source, 1, pool, measure_text, &measure, err);
    for (int i = 0; i < n_thread; i++) {
        out->n_byte += measure.sums[i].n_byte;
        out->n_token += measure.sums[i].n_token;
    }
    free(measure.sums);
    return status;
}
