#include "model/export_place.h"

#include <stdio.h>
#include <string.h>

/* The pattern is one of our own constants: %d is the layer, %e the expert. */
static bool put_name(struct export_place *out, const char *pattern, int layer, int expert) {
    size_t at = 0;
    for (; *pattern && at < sizeof out->name; pattern++) {
        if (*pattern == '%')
            at += (size_t)snprintf(out->name + at, sizeof out->name - at, "%d",
                                   *++pattern == 'e' ? expert : layer);
        else
            out->name[at++] = *pattern;
    }
    if (at >= sizeof out->name) return false;
    out->name[at] = 0;
    return true;
}

bool export_place(const struct family *family, enum model_file_kind kind, enum role_id role,
                  int layer, int expert, struct export_place *out) {
    bool gguf = kind == MODEL_FILE_GGUF;
    const char *pattern = gguf ? role_row(role)->gguf : role_row(role)->hf;
    *out = (struct export_place){.parts = 1};
    for (int i = FAMILY_MAX_SOURCES - 1; i >= 0; i--) { // the first one that such files have
        const struct role_source *source = &family->sources[i];
        const char *name = gguf ? source->gguf : source->hf;
        if (source->role != role || !name || (gguf && source->read_only)) continue;
        pattern = name;
        out->part = source->part;
        out->parts = source->parts ? source->parts : 1;
        out->transform = gguf ? AS_STORED : source->hf_transform;
    }
    if (!pattern) return false;
    out->apart = strstr(pattern, "%e") != NULL;
    return put_name(out, pattern, layer, expert);
}

int export_dims(enum model_file_kind kind, enum role_id role, const struct export_place *place,
                int n_expert, int64_t rows, int64_t cols, int64_t dim[TENSOR_MAX_DIM]) {
    bool vector = role_row(role)->rows == DIM_ONE;
    int n = 0;
    if (n_expert && !place->apart) dim[n++] = n_expert;
    if (!vector) dim[n++] = rows * place->parts;
    // In folders layers of one output, and convolutions of single channels, are more than that.
    if (kind == MODEL_FILE_HF && (role == ROLE_SHEXP_SWITCH || role_row(role)->group == GROUP_TAPS))
        dim[n++] = 1;
    dim[n++] = cols * (vector ? place->parts : 1);
    return n;
}

bool export_widened(enum role_id role) {
    const struct role_row *row = role_row(role);
    return row->rows == DIM_ONE || row->group == GROUP_ROUTER || row->group == GROUP_TAPS;
}

/* GGUF says llama3 scaling by the factor that each frequency is divided by. */
static bool carries(const struct family *family, const struct hparams *hp,
                    enum model_file_kind kind, enum role_id role, int layer) {
    if (role == ROLE_ROPE_FREQS) return kind == MODEL_FILE_GGUF && hp->rope.scaling == ROPE_LLAMA3;
    return model_role_need(family, hp, role, layer) == REQUIRED;
}

enum jl_status export_roles(const struct family *family, const struct hparams *hp,
                            enum model_file_kind kind, struct arena *arena,
                            struct export_roles *out, struct jl_error *err) {
    size_t most = (size_t)ROLE_COUNT * ((size_t)hparams_n_block(hp) + 1);
    *out = (struct export_roles){.items = arena_calloc(arena, most, sizeof *out->items)};
    if (!out->items) return jl_fail(err, JL_ERR_MEMORY, "out of memory for tensor names");
    for (int i = ROLE_NONE + 1; i < ROLE_COUNT; i++) {
        enum role_id role = (enum role_id)i;
        bool own = role_row(role)->scope == SCOPE_MODEL;
        for (int layer = own ? -1 : 0; layer < (own ? 0 : hparams_n_block(hp)); layer++)
            if (carries(family, hp, kind, role, layer))
                out->items[out->n++] = (struct export_role){role, layer};
    }
    return JL_OK;
}
