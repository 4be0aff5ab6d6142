/* What a model learns from: JSON-lines files in, micro-batches out.
 *
 * Each source is tokenised once, into a file of the cache folder (data_cache.h); from then on it is
 * mapped. Documents come in an order that the seed decides, sources by their shares of the tokens.
 * Where a run stands is a cursor: a plain value, and all that decides what comes next. The same
 * spec, files and cursor give the same batches whatever the number of threads. docs/train-data.md.
 *
 * A *document* is what a line of a source gives. A text is one sequence; a conversation is one or
 * several *examples*, each a sequence of its own. A sequence of n tokens has n-1 *rows*: a token
 * and the one that follows it. All counts of "rows" are of these. */
#ifndef JL_TRAIN_DATA_DATA_H
#define JL_TRAIN_DATA_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"
#include "session/chat_form.h"
#include "session/end_tokens.h"

/* ---- what there is ---- */

#define DATA_MAX_SOURCES 64
#define DATA_MAX_ROWS (1 << 24) // of a batch or a sequence

enum data_mode {
    DATA_CUT,   // long sequences are cut, and the batch is filled to its last row
    DATA_WHOLE, // no sequence is cut; a batch ends where the next one does not fit
};

struct data_source_spec {
    const char *path;       // a JSON-lines file
    double weight;          // share of the rows, of the sum of all weights; > 0
    double holdout_share;   // of its documents, kept for evaluation, rounded up; [0, 1)
    uint64_t holdout_count; // or so many of them; at most one of the two is given
};

/* Whether to go on. Called now and then on the thread that opens. */
struct data_progress {
    const char *path;
    bool tokenizing;      // false: looking whether the file is the one that the cache is of
    uint64_t done, total; // bytes of the file
    uint64_t n_document;  // so far, when tokenizing
};
typedef bool data_progress_fn(void *ctx, const struct data_progress *progress);

struct data_spec {
    const struct data_source_spec *sources;
    int n_source; // [1, DATA_MAX_SOURCES]
    uint64_t seed;
    int seq_len; // rows of the longest sequence of a batch
    int rows;    // of a batch
    enum data_mode mode;
    bool skip_long;        // DATA_WHOLE: leave out what is longer than seq_len or rows; else it is
                           // an error
    const char *cache_dir; // made if it is not there, its parent must be
    int64_t now;           // clock of chat templates that write the date, seconds since 1970 in UTC
    data_progress_fn *progress; // NULL: nobody; false ends data_open with JL_ERR_CANCELLED
    void *progress_ctx;
};

/* Whose tokens they are. Read during data_open only. */
struct data_model {
    const struct tokenizer *tokenizer;
    const struct chat_form *form;  // NULL, or of a model without a template: no conversations
    const struct end_tokens *ends; // what ends an answer; NULL: the tokenizer's EOS
    int32_t n_vocab;               // of the model; the tokenizer's ids must be below
};

struct data;

/* `pool` runs the tokenising, NULL: this thread alone. Everything that can be wrong with the
 * sources is found here: a line that is not understood (JL_ERR_FORMAT: file, line, what to do), a
 * sequence too long (JL_ERR_LIMIT), a disk that is full (JL_ERR_IO; what was begun is removed). */
enum jl_status data_open(const struct data_spec *spec, const struct data_model *model,
                         struct pool *pool, struct data **out, struct jl_error *err);
void data_free(struct data *data); // NULL is fine

struct data_source_summary {
    const char *path; // the data's
    uint64_t n_line, n_document, n_example;
    uint64_t n_token, n_loss;    // of all examples; n_loss: targets in the loss
    uint64_t n_skip;             // examples that are too long, of all documents
    uint64_t n_train, n_holdout; // documents
    bool from_cache;             // nothing had to be tokenised
};
struct data_source_summary data_summary(const struct data *data, int source);
int data_n_source(const struct data *data);

/* Rows of all documents that are neither held out nor too long: of an epoch of every source. */
uint64_t data_train_rows(const struct data *data);

/* All that decides the batches: spec, sources, tokens. Checkpoints carry it. */
#define DATA_FINGERPRINT_BYTES 32
void data_fingerprint(const struct data *data, uint8_t out[DATA_FINGERPRINT_BYTES]);

/* ---- where a run stands ---- */

/* Copied by assignment. Only what data_cursor_start, _read and data_next made is one. */
struct data_cursor {
    int n_source;
    int open;         // the source whose document is being given: its `next`; -1: none
    uint32_t example; // of that document
    uint64_t offset;  // rows given of that example
    struct data_cursor_source {
        uint32_t epoch;
        uint64_t next; // document in the order of the epoch
        uint64_t rows; // given since the start
    } sources[DATA_MAX_SOURCES];
};

void data_cursor_start(const struct data *data, struct data_cursor *out);

/* As bytes for a checkpoint: little-endian, with the data's fingerprint and a checksum. */
size_t data_cursor_bytes(const struct data *data);
void data_cursor_write(const struct data *data, const struct data_cursor *cursor, uint8_t *out);
/* JL_ERR_FORMAT: damaged; JL_ERR_USAGE: of other data, or another spec. */
enum jl_status data_cursor_read(const struct data *data, const void *bytes, size_t n,
                                struct data_cursor *out, struct jl_error *err);

/* ---- batches ---- */

struct data_row {
    int32_t token, target;
    int32_t after;  // the token behind the target where that one is in the loss, else -1: what a
                    // second head predicts
    int32_t seq;    // of the batch, from 0
    int32_t pos;    // in the sequence, from 0
    int32_t weight; // of the target in the loss, 1 or 0
};
/* Where a sequence comes from. */
struct data_seq {
    int32_t first, n_row; // rows of the batch
    int32_t source;
    uint64_t document; // of the source, from 0
    uint64_t line;     // of its file, from 1
    uint64_t offset;   // its first row in the example
};
/* Rows of one sequence stand together and nothing of another document is among them. */
struct data_batch {
    struct data_row *rows; // (max_rows)
    struct data_seq *seqs; // (max_rows)
    int n_row, n_seq, max_rows;
    int n_loss; // rows of weight 1
};
enum jl_status data_batch_create(const struct data *data, struct data_batch *out,
                                 struct jl_error *err);
void data_batch_free(struct data_batch *batch); // zeroed is fine

/* The next batch; moves the cursor on. It never ends and never gives a batch without a row in the
 * loss. JL_ERR_USAGE: the cursor or the batch is not of this data. */
enum jl_status data_next(const struct data *data, struct data_cursor *cursor,
                         struct data_batch *batch, struct jl_error *err);

/* Walks the held-out documents once, in a fixed order; zero is the beginning. */
struct data_held {
    int source;
    uint64_t next;
    uint32_t example;
    uint64_t offset;
};
/* n_row is 0 when there is no more. */
enum jl_status data_held_next(const struct data *data, struct data_held *held,
                              struct data_batch *batch, struct jl_error *err);

#endif
