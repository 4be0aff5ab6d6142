/* The stages once more, as plainly as they can be written: every list sorted in full, the C
 * library's exp and log. What sampler.c, candidates.c and penalty.c are held against. */
#ifndef JL_TESTS_SESSION_SAMPLE_REFERENCE_H
#define JL_TESTS_SESSION_SAMPLE_REFERENCE_H

#include <stdbool.h>

#include "session/sample_params.h"

struct reference_token {
    int32_t id;
    double logit, weight; // weight: exp(logit - the largest), by reference_softmax
    double order;         // sort key of a stage
};

struct reference_list {
    struct reference_token *items;
    int n;
    double total; // of the weights
};

void reference_list_init(struct reference_list *list, const float *logits, int n_vocab);
void reference_list_free(struct reference_list *list);
void reference_softmax(struct reference_list *list);
void reference_by_rank(struct reference_list *list);
void reference_by_id(struct reference_list *list);

void reference_top_k(struct reference_list *list, int k);
void reference_top_p(struct reference_list *list, double p);
void reference_min_p(struct reference_list *list, double p);
void reference_typical(struct reference_list *list, double p);
void reference_xtc(struct reference_list *list, double threshold);

/* history: ids (n), of which the first n_prompt are the prompt. breaks: of each token of the
 * history, whether a breaker ends in it; single: (n_vocab), whether the token would end one now. */
struct reference_past {
    const int32_t *ids;
    int n, n_prompt;
    const bool *breaks, *single;
};
void reference_change(const struct sample_params *params, const struct reference_past *past,
                      int n_vocab, float *logits);

#endif
