/* How a mixture's router chooses experts: from one logit an expert to ids and weights.
 *
 * Sources: DeepSeek-V2 (arXiv 2405.04434) for groups by their best expert, DeepSeek-V3 (arXiv
 * 2412.19437) for sigmoid scores with a bias and groups by their two best. */
#ifndef JL_KERNEL_ROUTE_H
#define JL_KERNEL_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

enum route_scoring { ROUTE_SOFTMAX, ROUTE_SIGMOID };
enum route_group { ROUTE_GROUP_BEST, ROUTE_GROUP_TOP2 };

#define ROUTE_MAX_EXPERTS 2048

struct route_rule {
    int n_expert, n_used;      // n_used of n_expert are chosen
    int n_group, n_group_used; // only from the n_group_used best of n_group groups; 1, 1: no groups
    enum route_scoring scoring;
    enum route_group group; // what makes a group good
    bool normalize;         // weights are divided by their sum
    float floor;            // which this is added to
    float scale;            // and multiplied by this
};

struct route_args {
    const struct route_rule *rule;
    const float *logits; // (n_expert)
    const float *bias;   // (n_expert): added to scores for choosing only; NULL: none
    int32_t *ids;        // (n_used): best first; equal ones by lower index
    float *weights;      // (n_used)
};

/* The gradient of the logits, by way of the weights; ids are as they were chosen. */
struct route_grad_args {
    const struct route_rule *rule;
    const float *logits; // (n_expert)
    const int32_t *ids;  // (n_used)
    const float *dw;     // (n_used): gradient of the weights
    float *dlogits;      // (n_expert), may be logits
};

#endif
