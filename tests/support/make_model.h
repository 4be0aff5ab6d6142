/* Random small models, written by the test itself: the same weights as a Hugging Face folder and as
 * a GGUF file. */
#ifndef JL_TESTS_SUPPORT_MAKE_MODEL_H
#define JL_TESTS_SUPPORT_MAKE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "format/gguf_write.h"
#include "tensor/dtype.h"

struct make_model {
    const char *family; // its name in src/model/families
    int n_layer, n_embd, n_ff, n_head, n_head_kv, head_dim, n_vocab;
    bool tied, attention_bias, mlp_bias;
    enum dtype dtype; // of the matrices; F8_E4M3: folders; not routers, nor embeddings unless tied
    const char *rope_scaling; // a JSON value for the config, or NULL
    const char *extra;        // more config members, each followed by a comma, or NULL
    uint64_t seed;
    int n_shard;                                    // Hugging Face: 1 is a single file
    void (*gguf_extra)(struct gguf_writer *writer); // further GGUF keys, or NULL
    struct make_moe {                               // n_expert 0: none
        int n_expert, n_used, n_ff, n_dense;        // the first n_dense layers have no experts
        int n_shared, n_group, n_group_used;        // in DeepSeek's spelling; n_group 0: not
        bool norm_topk;                             //
        double scale;                               //
        int n_ff_shared;                            // of a shared expert behind a switch; 0: none
    } moe;
    struct make_mla { // kv_lora 0: none
        int q_lora, kv_lora, nope, rope, v;
        bool split; // GGUF: attn_k_b and attn_v_b
        bool mtp;   // Hugging Face: a prediction layer, with an embedding and a head if untied
    } mla;
    struct make_delta { // recurrent layers of qwen3_next
        int n_head_k, n_head_v, d_k, d_v, n_tap;
        int interval; // every so many layers one attends
        bool joint;   // GGUF: q, k, v and z from one matrix, as old files have it
    } delta;
    const char *stranger; // one more tensor of a folder, or NULL
};

void make_hf(const struct make_model *spec, const char *folder); // makes the folder
void make_gguf(const struct make_model *spec, const char *path); // rope scaling: gguf_extra

#endif
