/* A loaded model as the tensors and metadata of a GGUF file.
 *
 * Of a GGUF file both are as they stand there. Of a Hugging Face folder names, order of rows and
 * keys become those of the family's GGUF files; values are left alone. */
#ifndef JL_MODEL_EXPORT_H
#define JL_MODEL_EXPORT_H

#include "format/gguf_write.h"
#include "model/model.h"

struct export_tensor {
    const char *name; // in the new file
    enum dtype dtype; // as stored
    int n_dim;
    int64_t dim[TENSOR_MAX_DIM]; // outermost first
    const uint8_t **pieces;      // where rows are: a piece each of piece_rows of them
    int64_t n_piece, piece_rows;
    size_t stride;        // bytes from row to row of a piece
    const float **scales; // of F8_E4M3: a piece's, for squares of F8_SCALE_BLOCK; else NULL
    size_t scale_stride;  // floats
    int head_dim, n_rot;  // rows that are to be paired anew for rotation; 0: none
    bool interleave;      // from halves to neighbours, else the other way
    bool widened;         // f32 whatever the file had, by binding: vectors, routers, convolutions
};

struct export_list {
    struct export_tensor *items;
    size_t n;
};

/* Everything lives in `arena` and in the model. */
enum jl_status export_tensors(const struct model *model, struct arena *arena,
                              struct export_list *out, struct jl_error *err);
/* Bytes of row `row` (all dimensions but the last counted together) of the new file's tensor. */
const uint8_t *export_row(const struct export_tensor *tensor, int64_t row);
int64_t export_rows(const struct export_tensor *tensor);
/* Its values into x, as many as the last dimension. */
void export_values(const struct export_tensor *tensor, int64_t row, float *x);

/* general.architecture and the keys of hyper-parameters. `path` is for messages. */
enum jl_status export_hparams(const struct family *family, const struct hparams *hp,
                              struct gguf_writer *writer, const char *path, struct jl_error *err);

/* All keys but those of the tokenizer, general.file_type and general.quantization_version. Of a
 * GGUF file also the tokenizer's. What a GGUF file cannot say is an error. */
enum jl_status export_metadata(const struct model *model, struct gguf_writer *writer,
                               struct jl_error *err);

#endif
