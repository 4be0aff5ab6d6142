/* The inside of struct data, for the files data*.c. */
#ifndef JL_TRAIN_DATA_SELF_H
#define JL_TRAIN_DATA_SELF_H

#include "train/data/cache.h"
#include "train/data/data.h"

/* Documents are numbered as in the file. A permutation that knows no epoch puts the held-out ones
 * first; each epoch orders the others anew. */
struct data_source {
    char *path;
    struct data_cache cache;
    double weight;
    uint64_t n_train, n_hold;
    uint64_t n_skip;
    bool had_cache;
};

struct data {
    uint64_t seed;
    int seq_len, rows;
    enum data_mode mode;
    bool skip_long;
    int n_source;
    struct data_source sources[DATA_MAX_SOURCES];
    double weight_sum;
    uint8_t fingerprint[DATA_FINGERPRINT_BYTES];
};

/* The rows of the longest example that DATA_WHOLE gives. */
static inline uint32_t data_max_whole(const struct data *data) {
    return (uint32_t)(data->seq_len < data->rows ? data->seq_len : data->rows);
}

/* The number in the file of the i-th document of an epoch, or of the held-out ones. */
uint64_t data_train_document(const struct data *data, int source, uint32_t epoch, uint64_t i);
uint64_t data_held_document(const struct data *data, int source, uint64_t i);

/* Whether a cursor can be one of this data. */
bool data_cursor_fits(const struct data *data, const struct data_cursor *cursor);

#endif
