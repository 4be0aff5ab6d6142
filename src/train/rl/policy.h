/* What one token of an answer costs the policy that chose it, and the gradient: the clipped ratio
 * of PPO with the advantage of its group (GRPO, arXiv 2402.03300), a KL penalty towards a frozen
 * model, an entropy bonus. */
#ifndef JL_TRAIN_RL_POLICY_H
#define JL_TRAIN_RL_POLICY_H

#include <stdbool.h>
#include <stdint.h>

struct policy_options {
    double temperature;         // of the draws, and so of all log-probabilities
    double clip_low, clip_high; // ratios below 1 - low and above 1 + high teach no more
    double kl, entropy;         // weights of the penalty and of the bonus; 0: none
};

/* A token: what is known of it, and what the pass over it finds. Log-probabilities in nats. */
struct policy_token {
    double drawn;     // when it was chosen
    double reference; // of the frozen model; read where there is a penalty
    double advantage;
    double share; // of the loss of the update
    double logprob, entropy, kl, loss;
    bool clipped;
};

/* logits (n) become `share` times the gradient of the token's loss. Returns the loss without it. */
double policy_loss(const struct policy_options *options, struct policy_token *token, float *logits,
                   int n, int32_t id);

/* Schulman's estimator of KL(policy || reference) of one token, never negative. */
double policy_kl(double logprob, double reference);

#endif
