#include "model/fingerprint.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define PIECE ((size_t)16 << 20) // bytes of a tensor that one thread hashes at a time

struct piece {
    const uint8_t *data;
    size_t bytes;
    XXH128_canonical_t sum;
};

static size_t n_pieces(const struct tensor_info *tensor) {
    return (tensor->bytes + PIECE - 1) / PIECE;
}

static void hash_piece(void *ctx, int item, int thread) {
    struct piece *piece = &((struct piece *)ctx)[item];
    (void)thread;
    XXH128_canonicalFromHash(&piece->sum, XXH3_128bits(piece->data, piece->bytes));
}

static struct piece *cut(const struct model_file *file, int *n) {
    size_t count = 0, at = 0;
    for (size_t t = 0; t < file->n_tensor; t++)
        count += n_pieces(&file->tensors[t]);
    struct piece *pieces = count < INT32_MAX ? calloc(count + 1, sizeof *pieces) : NULL;
    if (!pieces) return NULL;
    for (size_t t = 0; t < file->n_tensor; t++)
        for (size_t done = 0; done < file->tensors[t].bytes; done += PIECE) {
            size_t left = file->tensors[t].bytes - done;
            pieces[at++] = (struct piece){.data = file->tensors[t].data + done,
                                          .bytes = left < PIECE ? left : PIECE};
        }
    *n = (int)count;
    return pieces;
}

static void add(XXH3_state_t *sum, const void *data, size_t bytes) {
    XXH3_128bits_update(sum, data, bytes);
}

static void add_configuration(XXH3_state_t *sum, const struct model *model) {
    const struct hparams *hp = &model->hp;
    const uint8_t interleaved = model->rope.interleaved;
    add(sum, model->family->gguf, strlen(model->family->gguf) + 1);
#define X(field, ...) add(sum, &hp->field, sizeof hp->field);
    HPARAM_LIST(X)
#undef X
    add(sum, &hp->recurrent, sizeof hp->recurrent);
    add(sum, &hp->moe, sizeof hp->moe);
    add(sum, &interleaved, sizeof interleaved);
    add(sum, &model->rope.magnitude, sizeof model->rope.magnitude);
    add(sum, model->rope.freq, (size_t)model->rope.n_rot / 2 * sizeof *model->rope.freq);
}

/* Of an adapter: its experts' matrices follow each other. */
static void add_matrix(XXH3_state_t *sum, const struct weight *w) {
    const int32_t shape[2] = {w->n_out, w->n_in};
    size_t n = (size_t)(w->n_expert ? w->n_expert : 1);
    add(sum, shape, sizeof shape);
    add(sum, w->data, w->stride * (size_t)w->n_out * n);
}

static void add_adapters(XXH3_state_t *sum, const struct model *model) {
    for (int i = 0; i < model->n_adapter; i++) {
        const struct adapter_slot *slot = &model->adapters[i];
        const int32_t place[2] = {(int32_t)slot->role, slot->layer};
        add(sum, place, sizeof place);
        add_matrix(sum, &slot->a);
        add_matrix(sum, &slot->b);
    }
}

static void add_tensor(XXH3_state_t *sum, const struct tensor_info *tensor,
                       const struct piece *pieces) {
    const char *type = dtype_row(tensor->dtype)->name;
    add(sum, tensor->name, strlen(tensor->name) + 1);
    add(sum, type, strlen(type) + 1);
    add(sum, tensor->dim, (size_t)tensor->n_dim * sizeof tensor->dim[0]);
    for (size_t i = 0; i < n_pieces(tensor); i++)
        add(sum, &pieces[i].sum, sizeof pieces[i].sum);
}

enum jl_status fingerprint_model(const struct model *model, struct backend *backend,
                                 uint8_t out[FINGERPRINT_BYTES], struct jl_error *err) {
    const struct model_file *file = model->file;
    int n = 0;
    size_t at = 0;
    XXH3_state_t *sum = XXH3_createState();
    struct piece *pieces = cut(file, &n);
    if (!sum || !pieces) {
        XXH3_freeState(sum);
        free(pieces);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for the fingerprint of %s", file->path);
    }
    backend_run(backend, n, hash_piece, pieces);
    XXH3_128bits_reset(sum);
    add_configuration(sum, model);
    for (size_t t = 0; t < file->n_tensor; t++) {
        add_tensor(sum, &file->tensors[t], pieces + at);
        at += n_pieces(&file->tensors[t]);
    }
    add_adapters(sum, model);
    XXH128_canonical_t all;
    XXH128_canonicalFromHash(&all, XXH3_128bits_digest(sum));
    _Static_assert(sizeof all == FINGERPRINT_BYTES, "128 bits");
    memcpy(out, &all, sizeof all);
    XXH3_freeState(sum);
    free(pieces);
    return JL_OK;
}
