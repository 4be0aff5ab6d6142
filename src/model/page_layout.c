#include "model/page_layout.h"

#include "tensor/kvchunk.h"

void page_layout_clear(const struct model *model, uint8_t *page, int n, int n_ahead) {
    for (int layer = 0; layer < hparams_n_block(&model->hp); layer++) {
        const struct attn_spec *attn = &model->attn[layer];
        int from = layer < model->hp.n_layer ? n : n_ahead;
        size_t keys = kvchunk_bytes(attn->kv, attn->d_k);
        size_t values = kvchunk_bytes(attn->kv, attn->d_v);
        for (int head = 0; head < attn->n_head_kv; head++) { // a recurrent layer has none
            kvchunk_clear_keys(attn->kv, page + attn->k_at + (size_t)head * keys, attn->d_k, from);
            if (!attn->values_in_keys)
                kvchunk_clear_values(attn->kv, page + attn->v_at + (size_t)head * values, attn->d_v,
                                     from);
        }
    }
}
