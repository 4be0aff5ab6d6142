/* How an adapter's matrices are called in files, and in which order their numbers stand there. */
#include <stdio.h>
#include <string.h>

#include "model/adapter_self.h"

void adapter_tensor_name(enum model_file_kind kind, enum role_id role, const char *name, bool is_b,
                         char out[ADAPTER_NAME]) {
    size_t n = strlen(name), tail = strlen(".weight");
    if (kind == MODEL_FILE_GGUF)
        snprintf(out, ADAPTER_NAME, "%s.lora_%c", name, is_b ? 'b' : 'a');
    else if (adapter_is_lookup(role))
        snprintf(out, ADAPTER_NAME, "base_model.model.%.*s.lora_embedding_%c", (int)(n - tail),
                 name, is_b ? 'B' : 'A');
    else
        snprintf(out, ADAPTER_NAME, "base_model.model.%.*s.lora_%c.weight", (int)(n - tail), name,
                 is_b ? 'B' : 'A');
}

bool adapter_a_turned(enum model_file_kind kind, enum role_id role) {
    return kind == MODEL_FILE_HF && adapter_is_lookup(role);
}

bool adapter_a_by_token(enum model_file_kind kind, enum role_id role) {
    return kind == MODEL_FILE_GGUF && adapter_is_lookup(role);
}

void adapter_turn(const float *from, int rows, int cols, float *to) {
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < cols; c++)
            to[(size_t)c * (size_t)rows + (size_t)r] = from[(size_t)r * (size_t)cols + (size_t)c];
}

static enum rope_pairs pairs_of(const struct family *family, enum model_file_kind kind) {
    bool gguf = kind == MODEL_FILE_GGUF;
    return gguf ? family->rope_gguf : family->rope_hf;
}

int adapter_row(const struct model *base, enum role_id role, enum model_file_kind from,
                enum model_file_kind to, int row) {
    const struct hparams *hp = &base->hp;
    enum rope_pairs order = pairs_of(base->family, to);
    int half = hp->n_rot / 2;
    if (order == pairs_of(base->family, from) || (role != ROLE_ATTN_Q && role != ROLE_ATTN_K))
        return row;
    int i = row % hp->head_dim_k;
    if (i >= hp->n_rot) return row;
    return row - i + (order == ROPE_INTERLEAVED ? i % 2 * half + i / 2 : i % half * 2 + i / half);
}
