/* Batches: nothing is lost, given twice or leaks; shares hold; every cut of a run goes on with the
 * same rows. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "fixture.h"
#include "support/scratch.h"
#include "train/data/self.h"

static struct data_fixture fixture;

static void texts(const char *name, int n, const char *tag, struct data_source_spec *source) {
    char *text = data_fixture_texts(n, tag);
    scratch_text(name, text);
    free(text);
    *source = (struct data_source_spec){.path = strdup(scratch_path(name)), .weight = 1};
}

static void chats(const char *name, int n, struct data_source_spec *source) {
    char *all = calloc((size_t)n, 4096), *at = all;
    for (int i = 0; i < n; i++) {
        at += sprintf(at, "{\"messages\":[{\"role\":\"user\",\"content\":\"%d ", i);
        for (int k = 0; k < (i * 31) % 17; k++)
            at += sprintf(at, "the river and the fish, ");
        at += sprintf(at, "\"},{\"role\":\"assistant\",\"content\":\"yes %d\"}]}\n", i);
    }
    scratch_text(name, all);
    free(all);
    *source = (struct data_source_spec){.path = strdup(scratch_path(name)), .weight = 1};
}

static struct data_spec spec_of(struct data_source_spec *sources, int n) {
    static char folder[512];
    snprintf(folder, sizeof folder, "%s", scratch_path("cache"));
    return (struct data_spec){.sources = sources,
                              .n_source = n,
                              .seed = 11,
                              .seq_len = 50,
                              .rows = 120,
                              .cache_dir = folder};
}

static void free_paths(struct data_source_spec *sources, int n) {
    for (int i = 0; i < n; i++)
        free((char *)sources[i].path);
}

static struct data_batch new_batch(const struct data *data) {
    struct data_batch batch;
    assert_int_equal(data_batch_create(data, &batch, NULL), JL_OK);
    return batch;
}

static void next(const struct data *data, struct data_cursor *cursor, struct data_batch *batch) {
    struct jl_error err;
    if (data_next(data, cursor, batch, &err) != JL_OK) fail_msg("%s", err.message);
}

/* The example a sequence is of: the one of its document that has its first token there. */
static struct data_example example_of(const struct data *data, const struct data_batch *batch,
                                      const struct data_seq *seq) {
    const struct data_cache *cache = &data->sources[seq->source].cache;
    for (uint32_t e = 0; e < cache->entries[seq->document].n_example; e++) {
        struct data_example example = data_cache_example(cache, seq->document, e);
        bool same = seq->offset + (uint64_t)seq->n_row < example.n;
        for (int i = 0; i < seq->n_row && same; i++)
            same = batch->rows[seq->first + i].token == (int32_t)example.ids[seq->offset + i];
        if (same) return example;
    }
    fail_msg("a sequence is of no example");
    return (struct data_example){0};
}

/* All that a batch promises, against the documents. */
static void check_batch(const struct data *data, const struct data_batch *batch) {
    int row = 0, loss = 0;
    assert_true(batch->n_row > 0 && batch->n_row <= data->rows);
    for (int s = 0; s < batch->n_seq; s++) {
        const struct data_seq *seq = &batch->seqs[s];
        struct data_example e = example_of(data, batch, seq);
        assert_int_equal(seq->first, row);
        assert_in_range(seq->n_row, 1, data->seq_len);
        assert_int_equal(seq->line, data->sources[seq->source].cache.entries[seq->document].line);
        for (int i = 0; i < seq->n_row; i++, row++) {
            const struct data_row *r = &batch->rows[row];
            uint64_t at = seq->offset + (uint64_t)i;
            assert_int_equal(r->seq, s);
            assert_int_equal(r->pos, i);
            assert_int_equal(r->target, e.ids[at + 1]);
            assert_int_equal(r->weight, data_example_loss(&e, at + 1));
            bool after = at + 2 < e.n && data_example_loss(&e, at + 2);
            assert_int_equal(r->after, after ? (int32_t)e.ids[at + 2] : -1);
            loss += r->weight;
        }
    }
    assert_int_equal(row, batch->n_row);
    assert_int_equal(loss, batch->n_loss);
    assert_true(loss > 0);
}

/* An epoch of texts: every row of every document once, in pieces that follow one another. */
static void cut_gives_all_rows_once(void **state) {
    (void)state;
    struct data_source_spec source;
    texts("cut.jsonl", 60, "c", &source);
    struct data_spec spec = spec_of(&source, 1);
    struct data *data = data_fixture_data(&fixture, &spec, 1);
    struct data_batch batch = new_batch(data);
    struct data_cursor cursor;
    uint64_t given[60] = {0}, n_row = 0, all;
    data_cursor_start(data, &cursor);
    all = data_summary(data, 0).n_loss;
    assert_int_equal(data_train_rows(data), all);
    while (n_row < all) {
        next(data, &cursor, &batch);
        check_batch(data, &batch);
        assert_int_equal(batch.n_row, spec.rows); // full, always
        for (int s = 0; s < batch.n_seq && n_row < all; s++) {
            const struct data_seq *seq = &batch.seqs[s];
            assert_int_equal(seq->offset, given[seq->document]);
            given[seq->document] += (uint64_t)seq->n_row;
            n_row += (uint64_t)seq->n_row;
        }
    }
    assert_int_equal(n_row, all);
    for (uint64_t d = 0; d < 60; d++)
        assert_int_equal(given[d], data_cache_example(&data->sources[0].cache, d, 0).n - 1);
    // The second epoch has another order.
    assert_true(cursor.sources[0].epoch == 1 || cursor.sources[0].next == 0);
    int moved = 0;
    for (uint64_t i = 0; i < 60; i++)
        moved += data_train_document(data, 0, 0, i) != data_train_document(data, 0, 1, i);
    assert_true(moved > 40);
    data_batch_free(&batch);
    data_free(data);
    free_paths(&source, 1);
}

static void whole_cuts_nothing(void **state) {
    (void)state;
    struct data_source_spec source;
    struct jl_error err;
    chats("whole.jsonl", 40, &source);
    struct data_spec spec = spec_of(&source, 1);
    struct data *data;
    spec.mode = DATA_WHOLE;
    spec.seq_len = spec.rows = 1000;
    data = data_fixture_data(&fixture, &spec, 1);
    struct data_batch batch = new_batch(data);
    struct data_cursor cursor;
    int seen[40] = {0}, n = 0;
    data_cursor_start(data, &cursor);
    while (n < 40) {
        next(data, &cursor, &batch);
        check_batch(data, &batch);
        for (int s = 0; s < batch.n_seq && n < 40; s++, n++) {
            const struct data_seq *seq = &batch.seqs[s];
            assert_int_equal(seq->offset, 0);
            assert_int_equal(seq->n_row, example_of(data, &batch, seq).n - 1);
            assert_int_equal(seen[seq->document]++, 0);
        }
    }
    data_batch_free(&batch);
    data_free(data);

    spec.seq_len = 100;
    assert_int_equal(data_open(&spec, &fixture.model, NULL, &data, &err), JL_ERR_LIMIT);
    assert_non_null(strstr(err.message, "whole.jsonl, line "));
    assert_non_null(strstr(err.message, "more than the 100"));
    spec.skip_long = true;
    data = data_fixture_data(&fixture, &spec, 1);
    uint64_t skipped = data_summary(data, 0).n_skip;
    assert_in_range(skipped, 5, 35);
    batch = new_batch(data);
    memset(seen, 0, sizeof seen);
    data_cursor_start(data, &cursor);
    while (cursor.sources[0].epoch == 0) {
        next(data, &cursor, &batch);
        check_batch(data, &batch);
        for (int s = 0; s < batch.n_seq; s++)
            seen[batch.seqs[s].document]++;
    }
    uint64_t n_row = 0;
    for (uint64_t d = 0; d < 40; d++) {
        uint32_t rows = data_cache_example(&data->sources[0].cache, d, 0).n - 1;
        n_row += rows > 100 ? 0 : rows;
        if (rows > 100)
            assert_int_equal(seen[d], 0);
        else
            assert_in_range(seen[d], 1, 2); // the last batch goes into the next epoch
    }
    assert_int_equal(data_train_rows(data), n_row);
    data_batch_free(&batch);
    data_free(data);
    spec.rows = 5;
    assert_int_equal(data_open(&spec, &fixture.model, NULL, &data, &err), JL_ERR_LIMIT);
    assert_non_null(strstr(err.message, "every example is longer"));
    free_paths(&source, 1);
}

/* Prompts longer than a batch: batches of them alone are left out. */
static void no_batch_without_loss(void **state) {
    (void)state;
    struct data_source_spec source;
    chats("prompts.jsonl", 30, &source);
    struct data_spec spec = spec_of(&source, 1);
    spec.rows = spec.seq_len = 7;
    struct data *data = data_fixture_data(&fixture, &spec, 1);
    struct data_batch batch = new_batch(data);
    struct data_cursor cursor;
    data_cursor_start(data, &cursor);
    for (int i = 0; i < 300; i++) {
        next(data, &cursor, &batch);
        check_batch(data, &batch);
    }
    data_batch_free(&batch);
    data_free(data);
    free_paths(&source, 1);
}

static void shares_are_of_tokens(void **state) {
    (void)state;
    struct data_source_spec sources[3];
    texts("mix0.jsonl", 300, "a", &sources[0]);
    texts("mix1.jsonl", 40, "b", &sources[1]);
    chats("mix2.jsonl", 50, &sources[2]);
    sources[0].weight = 0.5;
    sources[1].weight = 3;
    sources[2].weight = 1.5;
    struct data_spec spec = spec_of(sources, 3);
    spec.rows = 500;
    struct data *data = data_fixture_data(&fixture, &spec, 1);
    struct data_batch batch = new_batch(data);
    struct data_cursor cursor;
    double total = 0;
    data_cursor_start(data, &cursor);
    for (int i = 0; i < 1000; i++) {
        next(data, &cursor, &batch);
        if (i == 0) assert_int_equal(batch.seqs[0].source, 0); // all level: the first one
        total += batch.n_row;
    }
    for (int s = 0; s < 3; s++) {
        double share = (double)cursor.sources[s].rows / total;
        double want = sources[s].weight / 5;
        assert_true(share > want * 0.99 && share < want * 1.01);
    }
    assert_true(cursor.sources[1].epoch > 3); // small ones come again
    data_batch_free(&batch);
    data_free(data);
    free_paths(sources, 3);
}

static bool same_batch(const struct data_batch *a, const struct data_batch *b) {
    return a->n_row == b->n_row && a->n_seq == b->n_seq && a->n_loss == b->n_loss &&
           !memcmp(a->rows, b->rows, (size_t)a->n_row * sizeof *a->rows) &&
           !memcmp(a->seqs, b->seqs, (size_t)a->n_seq * sizeof *a->seqs);
}

/* A run that is cut behind every batch, its data opened anew now and then. */
static void resume(enum data_mode mode) {
    struct data_source_spec sources[2];
    texts("resume0.jsonl", 50, "r", &sources[0]);
    chats("resume1.jsonl", 30, &sources[1]);
    struct data_spec spec = spec_of(sources, 2);
    spec.mode = mode;
    spec.skip_long = true;
    if (mode == DATA_WHOLE) spec.seq_len = spec.rows = 200;
    struct data *data = data_fixture_data(&fixture, &spec, 1);
    struct data *other = data_fixture_data(&fixture, &spec, 2);
    struct data_batch straight = new_batch(data), cut = new_batch(data);
    struct data_cursor cursor, resumed;
    struct jl_error err;
    size_t n = data_cursor_bytes(data);
    uint8_t bytes[4096];
    assert_true(n <= sizeof bytes);
    data_cursor_start(data, &cursor);
    data_cursor_start(data, &resumed);
    for (int i = 0; i < 400; i++) {
        const struct rng_key key = {5, (uint32_t)i, 0, RNG_TEST};
        data_cursor_write(data, &resumed, bytes);
        memset(&resumed, 0xAB, sizeof resumed);
        if (rng_unit53(&key) < 0.1) {
            data_free(other);
            other = data_fixture_data(&fixture, &spec, 1);
        }
        if (data_cursor_read(other, bytes, n, &resumed, &err) != JL_OK) fail_msg("%s", err.message);
        next(data, &cursor, &straight);
        next(other, &resumed, &cut);
        check_batch(data, &straight);
        assert_true(same_batch(&straight, &cut));
    }
    data_batch_free(&straight);
    data_batch_free(&cut);
    data_free(data);
    data_free(other);
    free_paths(sources, 2);
}

static void resume_cut(void **state) {
    (void)state;
    resume(DATA_CUT);
}

static void resume_whole(void **state) {
    (void)state;
    resume(DATA_WHOLE);
}

static void bad_cursors_are_refused(void **state) {
    (void)state;
    struct data_source_spec source;
    texts("cursor.jsonl", 50, "r", &source);
    struct data_spec spec = spec_of(&source, 1);
    struct data *data = data_fixture_data(&fixture, &spec, 1), *other;
    struct data_batch batch = new_batch(data);
    struct data_cursor cursor, read;
    struct jl_error err;
    size_t n = data_cursor_bytes(data);
    uint8_t bytes[512];
    data_cursor_start(data, &cursor);
    for (int i = 0; i < 5; i++)
        next(data, &cursor, &batch);
    data_cursor_write(data, &cursor, bytes);
    for (size_t at = 0; at < n; at++) {
        bytes[at] ^= 4;
        assert_int_not_equal(data_cursor_read(data, bytes, n, &read, &err), JL_OK);
        bytes[at] ^= 4;
    }
    for (size_t cut = 0; cut < n; cut++)
        assert_int_not_equal(data_cursor_read(data, bytes, cut, &read, &err), JL_OK);
    assert_int_equal(data_cursor_read(data, bytes, n + 1, &read, &err), JL_ERR_FORMAT);
    assert_int_equal(data_cursor_read(data, bytes, n, &read, &err), JL_OK);

    struct data_spec changed[5];
    for (int i = 0; i < 5; i++)
        changed[i] = spec;
    changed[0].seed++;
    changed[1].rows++;
    changed[2].seq_len++;
    changed[3].mode = DATA_WHOLE;
    changed[3].seq_len = changed[3].rows = 1000;
    changed[4].skip_long = true;
    for (int i = 0; i < 5; i++) {
        other = data_fixture_data(&fixture, &changed[i], 1);
        assert_int_equal(data_cursor_read(other, bytes, n, &read, &err), JL_ERR_USAGE);
        assert_non_null(strstr(err.message, "other data"));
        data_free(other);
    }
    source.holdout_count = 1;
    other = data_fixture_data(&fixture, &spec, 1);
    assert_int_equal(data_cursor_read(other, bytes, n, &read, &err), JL_ERR_USAGE);
    data_free(other);
    source.holdout_count = 0;
    spec.now++; // no matter of these tokens
    other = data_fixture_data(&fixture, &spec, 1);
    assert_int_equal(data_cursor_read(other, bytes, n, &read, &err), JL_OK);
    data_free(other);

    read = cursor;
    read.sources[0].next = 50;
    assert_int_equal(data_next(data, &read, &batch, &err), JL_ERR_USAGE);
    read = cursor;
    read.n_source = 2;
    assert_int_equal(data_next(data, &read, &batch, &err), JL_ERR_USAGE);
    read = cursor;
    read.open = 0;
    read.offset = 1 << 20;
    assert_int_equal(data_next(data, &read, &batch, &err), JL_ERR_USAGE);
    batch.max_rows--;
    assert_int_equal(data_next(data, &cursor, &batch, &err), JL_ERR_USAGE);
    data_batch_free(&batch);
    data_free(data);
    free_paths(&source, 1);
}

static void held_out_is_never_learnt(void **state) {
    (void)state;
    struct data_source_spec sources[2];
    texts("held0.jsonl", 101, "h", &sources[0]);
    chats("held1.jsonl", 33, &sources[1]);
    sources[0].holdout_share = 0.1;
    sources[1].holdout_count = 5;
    struct data_spec spec = spec_of(sources, 2);
    struct data *data = data_fixture_data(&fixture, &spec, 1);
    struct data_batch batch = new_batch(data);
    struct data_cursor cursor;
    struct data_held held = {0};
    struct jl_error err;
    bool out[2][101] = {0};
    int n_out[2] = {0};
    uint64_t rows[2][101] = {0};
    assert_int_equal(data_summary(data, 0).n_holdout, 11); // rounded up
    assert_int_equal(data_summary(data, 1).n_holdout, 5);
    assert_int_equal(data_summary(data, 1).n_train, 28);
    for (;;) {
        assert_int_equal(data_held_next(data, &held, &batch, &err), JL_OK);
        if (batch.n_row == 0) break;
        check_batch(data, &batch);
        for (int s = 0; s < batch.n_seq; s++) {
            const struct data_seq *seq = &batch.seqs[s];
            n_out[seq->source] += !out[seq->source][seq->document];
            out[seq->source][seq->document] = true;
            rows[seq->source][seq->document] += (uint64_t)seq->n_row;
        }
    }
    assert_int_equal(data_held_next(data, &held, &batch, &err), JL_OK); // and stays at the end
    assert_int_equal(batch.n_row, 0);
    assert_int_equal(n_out[0], 11);
    assert_int_equal(n_out[1], 5);
    for (uint64_t d = 0; d < 101; d++)
        if (out[0][d])
            assert_int_equal(rows[0][d], data_cache_example(&data->sources[0].cache, d, 0).n - 1);
    data_cursor_start(data, &cursor);
    while (cursor.sources[0].epoch < 3 || cursor.sources[1].epoch < 3) {
        next(data, &cursor, &batch);
        for (int s = 0; s < batch.n_seq; s++)
            assert_false(out[batch.seqs[s].source][batch.seqs[s].document]);
    }
    data_batch_free(&batch);
    data_free(data);
    sources[1].holdout_count = 33;
    assert_int_equal(data_open(&spec, &fixture.model, NULL, &data, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.message, "none is left"));
    free_paths(sources, 2);
}

static void specs_that_make_no_sense(void **state) {
    (void)state;
    struct data_source_spec sources[2];
    struct data *data;
    struct jl_error err;
    texts("spec.jsonl", 5, "s", &sources[0]);
    sources[1] = sources[0];
    const struct data_spec good = spec_of(sources, 1);
    struct data_spec spec = good;
#define REFUSES(change, says)                                                                      \
    do {                                                                                           \
        struct data_source_spec kept = sources[0];                                                 \
        change;                                                                                    \
        assert_int_not_equal(data_open(&spec, &fixture.model, NULL, &data, &err), JL_OK);          \
        assert_null(data);                                                                         \
        if (!strstr(err.message, says)) fail_msg("'%s' lacks '%s'", err.message, says);            \
        sources[0] = kept;                                                                         \
        spec = good;                                                                               \
    } while (0)
    REFUSES(spec.n_source = 0, "1 to 64 sources");
    REFUSES(spec.n_source = 2, "same content");
    REFUSES(spec.rows = 0, "rows");
    REFUSES(spec.seq_len = -1, "rows");
    REFUSES(spec.cache_dir = "", "no folder");
    REFUSES(spec.cache_dir = "no/such/place", "cannot make the folder");
    REFUSES(sources[0].weight = 0, "weight");
    REFUSES(sources[0].weight = (double)NAN, "weight");
    REFUSES(sources[0].holdout_share = 1, "share");
    REFUSES((sources[0].holdout_share = 0.5, sources[0].holdout_count = 1), "not both");
    struct data_model small = fixture.model;
    small.n_vocab--;
    assert_int_equal(data_open(&good, &small, NULL, &data, &err), JL_ERR_FORMAT);
    free_paths(sources, 1);
}

static int open_all(void **state) {
    (void)state;
    data_fixture_open(&fixture, DATA_FIXTURE_PLAIN, "turns");
    return 0;
}

static int close_all(void **state) {
    (void)state;
    data_fixture_close(&fixture);
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_gives_all_rows_once),
        cmocka_unit_test(whole_cuts_nothing),
        cmocka_unit_test(no_batch_without_loss),
        cmocka_unit_test(shares_are_of_tokens),
        cmocka_unit_test(resume_cut),
        cmocka_unit_test(resume_whole),
        cmocka_unit_test(bad_cursors_are_refused),
        cmocka_unit_test(held_out_is_never_learnt),
        cmocka_unit_test(specs_that_make_no_sense),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
