/* Importance matrices: whatever parses can be read in full, and its numbers are fit to weigh with.
 */
#include "fuzz.h"

#include <math.h>
#include <stdlib.h>

#include "format/imatrix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena = {.block_size = 1024};
    struct imatrix im;
    struct jl_error err;
    if (imatrix_parse(data, size, "fuzz", &arena, &im, &err) == JL_OK) {
        if (im.n == 0 || !im.dataset) abort();
        for (size_t i = 0; i < im.n; i++) {
            const struct imatrix_entry *entry = &im.entries[i];
            int64_t n_matrix = (int64_t)entry->n_count;
            int64_t n_in = (int64_t)(entry->n_value / entry->n_count);
            if (imatrix_find(&im, entry->name) != entry) abort();
            if (!imatrix_fits(entry, n_in, n_matrix)) abort();
            float *means = malloc((size_t)n_in * sizeof *means);
            if (!means) break;
            for (int64_t m = 0; m < n_matrix; m++) {
                imatrix_means(entry, n_in, m, means);
                for (int64_t k = 0; k < n_in; k++)
                    if (!(means[k] >= 0)) abort();
            }
            free(means);
        }
    }
    arena_free(&arena);
    return 0;
}
