/* All texts of the sources, handed out over the threads of a pool. */
#ifndef JL_TEXT_BPE_TRAIN_SOURCES_H
#define JL_TEXT_BPE_TRAIN_SOURCES_H

#include "base/pool.h"
#include "text/bpe_train.h"

/* A stretch of a source's text: whole UTF-8, cut where no pattern of ours (rules.h) looks across.
 * `thread` is below pool_threads. */
typedef enum jl_status bpe_sources_fn(void *ctx, const struct bpe_train_source *source,
                                      const char *text, size_t len, int thread,
                                      struct jl_error *err);

/* Calls fn for every text, in any order, or fails: with the failure that comes first in the
 * sources, whatever the threads did. */
enum jl_status bpe_sources_walk(const struct bpe_train_source *sources, int n, struct pool *pool,
                                bpe_sources_fn *fn, void *ctx, struct jl_error *err);

#endif
