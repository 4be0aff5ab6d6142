/* What the trainer's tests share: one call to train, texts, and a look at what came out. */
#ifndef JL_TESTS_TEXT_TRAINER_H
#define JL_TESTS_TEXT_TRAINER_H

#include <jansson.h>

#include "text/bpe_train.h"

/* Trains with so many threads; fails the test where that fails. */
struct bpe_trained trainer_run(const struct bpe_train_source *sources, int n,
                               const struct bpe_train_options *options, int n_thread);
struct bpe_trained trainer_run_text(const char *text, size_t len,
                                    const struct bpe_train_options *options);
/* The status and, in *err, the message of a training that must not succeed. */
enum jl_status trainer_refuses(const struct bpe_train_source *sources, int n,
                               const struct bpe_train_options *options, int n_thread,
                               struct jl_error *err);
struct tokenizer *trainer_load(const struct bpe_trained *trained);
json_t *trainer_json(const char *text, size_t len);

/* About `len` bytes of words out of an alphabet; the same for the same state. */
enum trainer_alphabet { TRAINER_TIES, TRAINER_WORDS, TRAINER_HAN, TRAINER_MIXED, TRAINER_KINDS };
size_t trainer_text(uint64_t *state, enum trainer_alphabet alphabet, char *out, size_t len);

#endif
