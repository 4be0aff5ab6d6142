/* Prose in passages of up to some 400 tokens, from classical/classical.tsv and tales/ of the data
 * folder. A passage ends with a sentence wherever one ends in its last third. */
#ifndef JL_SKILL_PASSAGES_H
#define JL_SKILL_PASSAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

struct passage {
    const char *title; // of its document, where it is the first of it; else NULL
    const char *text;  // n bytes
    size_t n;
};

/* Passages in their order; the passages of a document are all on one side. */
struct passages {
    struct passage *train, *held;
    int n_train, n_held;
};

enum jl_status passages_read_classical(const char *folder, struct arena *arena,
                                       struct passages *out, struct jl_error *err);
enum jl_status passages_read_tales(const char *folder, struct arena *arena, struct passages *out,
                                   struct jl_error *err);

#endif
