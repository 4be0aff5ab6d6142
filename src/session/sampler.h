/* One sequence's way to its next tokens: biases, penalties, cuts and the draw, in one written order
 * (docs/sampling.md).
 *
 *     struct sampler *sampler;              // one a sequence, with one owner
 *     struct sample_scratch *scratch;       // one a thread, for samplers of up to n_vocab
 *     sampler_prompt(sampler, ids, n)       // what the answer follows
 *     sampler_choose(sampler, scratch, logits, &id)
 *     sampler_accept(sampler, id)           // and again
 *
 * Choosing changes nothing: what comes out is a function of the parameters, the tokens accepted,
 * the logits and the key (seed, sequence, number of tokens before). So neither batch mates,
 * threads, a copy, nor choices that were thrown away can be seen in it; all in the floating-point
 * environment that a program starts with. After creation no call asks the heap for memory, but for
 * a token of more than 200 bytes under DRY. */
#ifndef JL_SESSION_SAMPLER_H
#define JL_SESSION_SAMPLER_H

#include "session/sample_params.h"
#include "text/tokenizer.h"

struct sampler;
struct sample_scratch;

enum jl_status sample_scratch_create(int32_t n_vocab, struct sample_scratch **out,
                                     struct jl_error *err);
void sample_scratch_free(struct sample_scratch *scratch); // NULL is fine

struct sampler_spec {
    const struct sample_params *params; // copied; checked against n_vocab
    const struct tokenizer *tokenizer;  // may be NULL unless DRY has breakers
    int32_t n_vocab;                    // ids from here on are never chosen, nor accepted
    int n_max;                          // tokens the sequence may reach: the context
    uint64_t seed;
    uint32_t sequence; // which of several answers to one prompt; never a place in a batch
};
enum jl_status sampler_create(const struct sampler_spec *spec, struct sampler **out,
                              struct jl_error *err);
/* A second sequence with the same past; give it another number to draw otherwise. */
enum jl_status sampler_copy(const struct sampler *from, struct sampler **out, struct jl_error *err);
void sampler_set_sequence(struct sampler *sampler, uint32_t sequence);
void sampler_free(struct sampler *sampler); // NULL is fine

/* Forgets all tokens; these come before the answer. */
enum jl_status sampler_prompt(struct sampler *sampler, const int32_t *ids, int n,
                              struct jl_error *err);
/* The next token of the answer, whoever chose it. JL_ERR_LIMIT past n_max. */
enum jl_status sampler_accept(struct sampler *sampler, int32_t id, struct jl_error *err);
int sampler_n_token(const struct sampler *sampler); // accepted, with the prompt

/* Only these may be chosen from now on: bit id % 64 of word id / 64, up to n_vocab; the caller's,
 * and it must stay. NULL, as it begins: all. What a copy may choose is for its owner to say. */
void sampler_allow(struct sampler *sampler, const uint64_t *allowed);

/* logits: (n_vocab) at least, finite, not changed. JL_ERR_USAGE when nothing is left that biases
 * do not ban. */
enum jl_status sampler_choose(struct sampler *sampler, struct sample_scratch *scratch,
                              const float *logits, int32_t *id, struct jl_error *err);
/* How likely the last choice was, in nats, at the temperature of the draw: bit for bit
 * softmax_logprob of the logits that it was drawn from. NAN where it was the likeliest of all or
 * the list was cut. */
double sampler_logprob(const struct sampler *sampler);

/* ---- log-probabilities of the raw distribution, before any stage ---- */

struct sample_logprob {
    int32_t id;
    double logprob; // natural logarithm
};
/* Of `id`, and of the n_top likeliest in order (the lower id among equals) into top. n_top is at
 * most n_vocab; 0: top may be NULL. */
double sample_logprobs(const float *logits, struct sample_scratch *scratch, int32_t id, int n_top,
                       struct sample_logprob *top);

#endif
