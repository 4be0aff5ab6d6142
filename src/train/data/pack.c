/* Documents into batches. */
#include <stdlib.h>

#include "train/data/self.h"

/* What of a document comes next. */
struct place {
    int source;
    uint64_t document; // of the file
    uint32_t example;
    uint64_t offset; // rows of the example that were given
};

enum jl_status data_batch_create(const struct data *data, struct data_batch *out,
                                 struct jl_error *err) {
    *out = (struct data_batch){.rows = calloc((size_t)data->rows, sizeof *out->rows),
                               .seqs = calloc((size_t)data->rows, sizeof *out->seqs),
                               .max_rows = data->rows};
    if (out->rows && out->seqs) return JL_OK;
    data_batch_free(out);
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for batches of %d rows", data->rows);
}

void data_batch_free(struct data_batch *batch) {
    free(batch->rows);
    free(batch->seqs);
    *batch = (struct data_batch){0};
}

/* n rows of the example, from the place on, as a sequence. */
static void put(const struct data *data, const struct data_example *example,
                const struct place *place, uint32_t n, struct data_batch *batch) {
    const struct data_cache_entry *entry =
        &data->sources[place->source].cache.entries[place->document];
    batch->seqs[batch->n_seq] = (struct data_seq){.first = batch->n_row,
                                                  .n_row = (int32_t)n,
                                                  .source = place->source,
                                                  .document = place->document,
                                                  .line = entry->line,
                                                  .offset = place->offset};
    for (uint32_t i = 0; i < n; i++) {
        uint64_t at = place->offset + i;
        bool follows = at + 2 < example->n && data_example_loss(example, at + 2);
        struct data_row row = {.token = (int32_t)example->ids[at],
                               .target = (int32_t)example->ids[at + 1],
                               .after = follows ? (int32_t)example->ids[at + 2] : -1,
                               .seq = batch->n_seq,
                               .pos = (int32_t)i,
                               .weight = data_example_loss(example, at + 1)};
        batch->n_loss += row.weight;
        batch->rows[batch->n_row++] = row;
    }
    batch->n_seq++;
}

/* Rows of the example that go into the batch now; 0: none, the batch is full. */
static uint32_t rows_now(const struct data *data, uint64_t left_of_example,
                         const struct data_batch *batch) {
    uint64_t room = (uint64_t)(batch->max_rows - batch->n_row), n = left_of_example;
    if (data->mode == DATA_WHOLE) return n <= room ? (uint32_t)n : 0;
    if (n > (uint64_t)data->seq_len) n = (uint64_t)data->seq_len;
    return (uint32_t)(n < room ? n : room);
}

/* Gives of the document what fits; true: all of it, false: the batch is full and the place is what
 * comes next. Adds the rows given to *rows. */
static bool give(const struct data *data, struct place *place, struct data_batch *batch,
                 uint64_t *rows) {
    const struct data_cache *cache = &data->sources[place->source].cache;
    uint32_t n_example = cache->entries[place->document].n_example;
    while (place->example < n_example) {
        struct data_example example = data_cache_example(cache, place->document, place->example);
        uint32_t all = example.n - 1;
        bool too_long = data->mode == DATA_WHOLE && all > data_max_whole(data);
        if (!too_long && place->offset < all) {
            uint32_t n = rows_now(data, all - place->offset, batch);
            if (n == 0) return false;
            put(data, &example, place, n, batch);
            place->offset += n;
            *rows += n;
        }
        if (!too_long && place->offset < all) continue;
        place->example++;
        place->offset = 0;
    }
    return true;
}

/* The source that is furthest behind its share; the first of those that are level. */
static int choose(const struct data *data, const struct data_cursor *cursor) {
    double total = 0, most = 0;
    int best = 0;
    for (int i = 0; i < data->n_source; i++)
        total += (double)cursor->sources[i].rows;
    for (int i = 0; i < data->n_source; i++) {
        double due = total * (data->sources[i].weight / data->weight_sum);
        double behind = due - (double)cursor->sources[i].rows;
        if (i == 0 || behind > most) {
            best = i;
            most = behind;
        }
    }
    return best;
}

static void finish_document(const struct data *data, struct data_cursor *cursor) {
    struct data_cursor_source *s = &cursor->sources[cursor->open];
    if (++s->next == data->sources[cursor->open].n_train) {
        s->next = 0;
        s->epoch++;
    }
    cursor->open = -1;
    cursor->example = 0;
    cursor->offset = 0;
}

static void fill(const struct data *data, struct data_cursor *cursor, struct data_batch *batch) {
    for (;;) {
        if (cursor->open < 0) cursor->open = choose(data, cursor);
        struct data_cursor_source *s = &cursor->sources[cursor->open];
        struct place place = {cursor->open,
                              data_train_document(data, cursor->open, s->epoch, s->next),
                              cursor->example, cursor->offset};
        bool all = give(data, &place, batch, &s->rows);
        cursor->example = place.example;
        cursor->offset = place.offset;
        if (!all) return;
        finish_document(data, cursor);
    }
}

static void clear(struct data_batch *batch) { batch->n_row = batch->n_seq = batch->n_loss = 0; }

static enum jl_status check_batch(const struct data *data, const struct data_batch *batch,
                                  struct jl_error *err) {
    if (batch->max_rows == data->rows) return JL_OK;
    return jl_fail(err, JL_ERR_USAGE, "a batch of %d rows was given for data of %d",
                   batch->max_rows, data->rows);
}

enum jl_status data_next(const struct data *data, struct data_cursor *cursor,
                         struct data_batch *batch, struct jl_error *err) {
    JL_TRY(check_batch(data, batch, err));
    if (!data_cursor_fits(data, cursor))
        return jl_fail(err, JL_ERR_USAGE, "the cursor is not one of this data");
    do { // a prompt may be longer than a batch
        clear(batch);
        fill(data, cursor, batch);
    } while (batch->n_loss == 0);
    return JL_OK;
}

/* ---- held out ---- */

static void fill_held(const struct data *data, struct data_held *held, struct data_batch *batch) {
    uint64_t rows = 0;
    while (held->source < data->n_source) {
        if (held->next >= data->sources[held->source].n_hold) {
            *held = (struct data_held){.source = held->source + 1};
            continue;
        }
        struct place place = {held->source, data_held_document(data, held->source, held->next),
                              held->example, held->offset};
        bool all = give(data, &place, batch, &rows);
        held->example = all ? 0 : place.example;
        held->offset = all ? 0 : place.offset;
        if (!all) return;
        held->next++;
    }
}

enum jl_status data_held_next(const struct data *data, struct data_held *held,
                              struct data_batch *batch, struct jl_error *err) {
    JL_TRY(check_batch(data, batch, err));
    if (held->source < 0) return jl_fail(err, JL_ERR_USAGE, "the place is not one of this data");
    do {
        clear(batch);
        fill_held(data, held, batch);
    } while (batch->n_loss == 0 && held->source < data->n_source);
    if (batch->n_loss == 0) clear(batch); // prompts alone are nothing to evaluate
    return JL_OK;
}
