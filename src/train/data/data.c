#include "train/data/data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "train/data/build.h"
#include "train/data/order.h"
#include "train/data/self.h"

/* ---- the order ---- */

uint64_t data_held_document(const struct data *data, int source, uint64_t i) {
    const struct data_source *s = &data->sources[source];
    const struct rng_key key = {data->seed, (uint32_t)source, 0, RNG_HOLDOUT};
    return data_order(&key, s->n_hold + s->n_train, i);
}

uint64_t data_train_document(const struct data *data, int source, uint32_t epoch, uint64_t i) {
    const struct data_source *s = &data->sources[source];
    const struct rng_key key = {data->seed, (uint32_t)source, epoch, RNG_SHUFFLE};
    return data_held_document(data, source, s->n_hold + data_order(&key, s->n_train, i));
}

/* ---- checking what was asked for ---- */

static enum jl_status check_source(const struct data_source_spec *source, struct jl_error *err) {
    if (!source->path || !*source->path)
        return jl_fail(err, JL_ERR_USAGE, "a source of data has no path");
    if (!(source->weight > 0) || source->weight > 1e9)
        return jl_fail(err, JL_ERR_USAGE, "%s: the weight of a source must be above 0, at most 1e9",
                       source->path);
    if (!(source->holdout_share >= 0 && source->holdout_share < 1))
        return jl_fail(err, JL_ERR_USAGE,
                       "%s: the share of held-out documents must be at least 0 and below 1",
                       source->path);
    if (source->holdout_share > 0 && source->holdout_count)
        return jl_fail(err, JL_ERR_USAGE,
                       "%s: give a share of held-out documents or their number, not both",
                       source->path);
    return JL_OK;
}

static enum jl_status check_spec(const struct data_spec *spec, const struct data_model *model,
                                 struct jl_error *err) {
    if (spec->n_source < 1 || spec->n_source > DATA_MAX_SOURCES)
        return jl_fail(err, JL_ERR_USAGE, "there must be 1 to %d sources of data, not %d",
                       DATA_MAX_SOURCES, spec->n_source);
    if (spec->seq_len < 1 || spec->seq_len > DATA_MAX_ROWS || spec->rows < 1 ||
        spec->rows > DATA_MAX_ROWS)
        return jl_fail(err, JL_ERR_USAGE,
                       "a sequence and a batch must have 1 to %d rows, not %d and %d",
                       DATA_MAX_ROWS, spec->seq_len, spec->rows);
    if (!spec->cache_dir || !*spec->cache_dir)
        return jl_fail(err, JL_ERR_USAGE, "no folder is named for the tokens of the sources");
    if (tokenizer_vocab_size(model->tokenizer) > model->n_vocab)
        return jl_fail(err, JL_ERR_FORMAT, "the tokenizer has %d tokens, the model %d",
                       tokenizer_vocab_size(model->tokenizer), model->n_vocab);
    for (int i = 0; i < spec->n_source; i++)
        JL_TRY(check_source(&spec->sources[i], err));
    return JL_OK;
}

static enum jl_status make_folder(const char *path, struct jl_error *err) {
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && file_is_dir(path))) return JL_OK;
    return jl_fail(err, JL_ERR_IO, "cannot make the folder %s: %m", path);
}

/* ---- a source ---- */

/* What DATA_WHOLE cannot give is counted or, where that was not allowed, an error. */
static enum jl_status find_long(const struct data *data, struct data_source *s,
                                struct jl_error *err) {
    const struct data_cache *cache = &s->cache;
    uint32_t most = data_max_whole(data);
    for (uint64_t d = 0; d < cache->head->n_document; d++) {
        for (uint32_t i = 0; i < cache->entries[d].n_example; i++) {
            uint32_t rows = data_cache_example(cache, d, i).n - 1;
            if (rows <= most) continue;
            s->n_skip++;
            if (data->skip_long) continue;
            return jl_fail(err, JL_ERR_LIMIT,
                           "%s, line %llu: it has %u tokens to learn from, more than the %u of a "
                           "sequence or batch: allow more, split it, or let what is too long be "
                           "skipped",
                           s->path, (unsigned long long)cache->entries[d].line, rows, most);
        }
    }
    return JL_OK;
}

static enum jl_status hold_out(const struct data_source_spec *spec, struct data_source *s,
                               struct jl_error *err) {
    uint64_t n = s->cache.head->n_document, hold = spec->holdout_count;
    if (n == 0)
        return jl_fail(err, JL_ERR_FORMAT, "%s has no documents: every line is blank", s->path);
    if (spec->holdout_share > 0) {
        double share = spec->holdout_share * (double)n;
        hold = (uint64_t)share;
        hold += (double)hold < share;
    }
    if (hold >= n)
        return jl_fail(err, JL_ERR_USAGE,
                       "%s: %llu of %llu documents are to be held out: none is left to learn from",
                       s->path, (unsigned long long)hold, (unsigned long long)n);
    s->n_hold = hold;
    s->n_train = n - hold;
    return JL_OK;
}

/* Whether some document of the order can be given at all: else the search would not end. */
static enum jl_status check_usable(const struct data *data, int source, struct jl_error *err) {
    const struct data_source *s = &data->sources[source];
    if (s->n_skip == 0) return JL_OK;
    for (uint64_t i = 0; i < s->n_train; i++) {
        uint64_t document = data_held_document(data, source, s->n_hold + i);
        for (uint32_t e = 0; e < s->cache.entries[document].n_example; e++)
            if (data_cache_example(&s->cache, document, e).n - 1 <= data_max_whole(data))
                return JL_OK;
    }
    return jl_fail(err, JL_ERR_LIMIT,
                   "%s: every example is longer than the %u tokens of a sequence or batch", s->path,
                   data_max_whole(data));
}

/* The same lines twice would be learnt where they are held out. */
static enum jl_status check_twice(const struct data *data, int source, struct jl_error *err) {
    const struct data_source *s = &data->sources[source];
    for (int i = 0; i < source; i++) {
        const struct data_source *other = &data->sources[i];
        if (!memcmp(other->cache.head->source, s->cache.head->source, DATA_SHA256_BYTES))
            return jl_fail(err, JL_ERR_USAGE,
                           "%s and %s have the same content: name it once, with both weights",
                           other->path, s->path);
    }
    return JL_OK;
}

static enum jl_status open_source(struct data *data, int source, const struct data_spec *spec,
                                  const struct data_build *build, const uint8_t *key,
                                  struct jl_error *err) {
    struct data_source *s = &data->sources[source];
    s->weight = spec->sources[source].weight;
    s->path = strdup(build->path);
    if (!s->path) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a path");
    JL_TRY(data_build_cache(build, key, &s->cache, &s->had_cache, err));
    JL_TRY(check_twice(data, source, err));
    JL_TRY(hold_out(&spec->sources[source], s, err));
    if (data->mode != DATA_WHOLE) return JL_OK;
    JL_TRY(find_long(data, s, err));
    return check_usable(data, source, err);
}

/* ---- all ---- */

/* Of the tokens, not of what made them: a newer program may go on with an older one's run. */
static void fingerprint(struct data *data) {
    const uint64_t head[] = {data->seed,           (uint64_t)data->seq_len,
                             (uint64_t)data->rows, (uint64_t)data->mode,
                             data->skip_long,      (uint64_t)data->n_source};
    SHA2_CTX sum;
    SHA256Init(&sum);
    SHA256Update(&sum, (const uint8_t *)head, sizeof head);
    for (int i = 0; i < data->n_source; i++) {
        const struct data_source *s = &data->sources[i];
        SHA256Update(&sum, s->cache.head->body, DATA_CACHE_SUM_BYTES);
        SHA256Update(&sum, (const uint8_t *)&s->weight, sizeof s->weight);
        SHA256Update(&sum, (const uint8_t *)&s->n_hold, sizeof s->n_hold);
    }
    SHA256Final(data->fingerprint, &sum);
}

static enum jl_status open_all(struct data *data, const struct data_spec *spec,
                               const struct data_model *model, struct pool *pool,
                               struct jl_error *err) {
    struct data_chat chat;
    uint8_t key[DATA_SHA256_BYTES];
    JL_TRY(make_folder(spec->cache_dir, err));
    JL_TRY(data_chat_open(model, spec->now, &chat, err));
    JL_TRY(data_build_key(&chat, key, err));
    for (int i = 0; i < spec->n_source; i++) {
        const struct data_build build = {spec, &chat, pool, spec->sources[i].path};
        data->n_source = i + 1;
        JL_TRY(open_source(data, i, spec, &build, key, err));
        data->weight_sum += data->sources[i].weight;
    }
    fingerprint(data);
    return JL_OK;
}

enum jl_status data_open(const struct data_spec *spec, const struct data_model *model,
                         struct pool *pool, struct data **out, struct jl_error *err) {
    *out = NULL;
    JL_TRY(check_spec(spec, model, err));
    struct data *data = calloc(1, sizeof *data);
    if (!data) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the sources of data");
    data->seed = spec->seed;
    data->seq_len = spec->seq_len;
    data->rows = spec->rows;
    data->mode = spec->mode;
    data->skip_long = spec->skip_long;
    enum jl_status status = open_all(data, spec, model, pool, err);
    if (status == JL_OK)
        *out = data;
    else
        data_free(data);
    return status;
}

void data_free(struct data *data) {
    if (!data) return;
    for (int i = 0; i < data->n_source; i++) {
        data_cache_close(&data->sources[i].cache);
        free(data->sources[i].path);
    }
    free(data);
}

struct data_source_summary data_summary(const struct data *data, int source) {
    const struct data_source *s = &data->sources[source];
    const struct data_cache_head *head = s->cache.head;
    return (struct data_source_summary){.path = s->path,
                                        .n_line = head->n_line,
                                        .n_document = head->n_document,
                                        .n_example = head->n_example,
                                        .n_token = head->n_token,
                                        .n_loss = head->n_loss,
                                        .n_skip = s->n_skip,
                                        .n_train = s->n_train,
                                        .n_holdout = s->n_hold,
                                        .from_cache = s->had_cache};
}

int data_n_source(const struct data *data) { return data->n_source; }

uint64_t data_train_rows(const struct data *data) {
    uint64_t sum = 0;
    for (int source = 0; source < data->n_source; source++) {
        const struct data_source *s = &data->sources[source];
        for (uint64_t i = 0; i < s->n_train; i++) {
            uint64_t document = data_held_document(data, source, s->n_hold + i);
            for (uint32_t e = 0; e < s->cache.entries[document].n_example; e++) {
                uint32_t rows = data_cache_example(&s->cache, document, e).n - 1;
                if (data->mode == DATA_CUT || rows <= data_max_whole(data)) sum += rows;
            }
        }
    }
    return sum;
}

void data_fingerprint(const struct data *data, uint8_t out[DATA_FINGERPRINT_BYTES]) {
    memcpy(out, data->fingerprint, DATA_FINGERPRINT_BYTES);
}
