/* Byte-pair training as slowly as it can be said: after each merge all words are encoded anew by
 * the merges so far, and all pairs are counted again. */
#ifndef JL_TESTS_TEXT_BPE_REFERENCE_H
#define JL_TESTS_TEXT_BPE_REFERENCE_H

#include "text/bpe_train.h"

#define REFERENCE_TOKEN 128 // bytes
#define REFERENCE_MERGES 512

struct reference_token {
    unsigned char bytes[REFERENCE_TOKEN];
    size_t len;
};

struct reference_merge {
    struct reference_token left, right;
};

struct reference {
    struct reference_merge merges[REFERENCE_MERGES];
    int n;
};

/* One text, of one source of weight 1. */
void reference_train(const char *text, size_t len, const struct bpe_train_options *options,
                     struct reference *out);

#endif
