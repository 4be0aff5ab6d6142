/* A long text as passages of equal length, each run from an empty state: what `ppl` and `imatrix`
 * share. The cut is llama.cpp's, so that figures can be compared. */
#ifndef JL_CLI_PASSAGES_H
#define JL_CLI_PASSAGES_H

#include "cli/cli.h"
#include "cli/engine.h"
#include "text/tokenizer.h"

struct passage {
    const int32_t *ids;
    int n;
    int first, end; // rows that count: [first, end)
};

struct passages {
    struct passage *items;
    int n;
    int n_longest;   // ids of the longest passage
    int64_t n_token; // of the whole text
    int64_t n_left;  // tokens that did not fill the last passage, or were not asked for
    int32_t *memory; // all ids
};

/* What to cut. */
struct passages_source {
    const char *text;   // a file of text, or NULL
    const char *tokens; // a file of token ids, or NULL; one of the two
    int n_ctx; // ids a passage; 0: of a text PASSAGES_CTX or the model's context if that is
               // shorter, of ids each prompt as a whole
    int n_max; // at most so many passages; 0: all
};
#define PASSAGES_CTX 512

/* The options --tokens, --ctx and --chunks for a command's table. */
#define PASSAGES_OPTIONS(s)                                                                        \
    {"--tokens",  "--ids",                                                                         \
     CLI_TEXT,    &(s).tokens,                                                                     \
     "FILE.json", "token ids in place of a text: a list, or {\"prompts\": [[..]]}",                \
     0,           0},                                                                              \
        {"--ctx",    "-c",   CLI_INT,                                                              \
         &(s).n_ctx, "N",    "tokens a chunk (default 512; with --tokens each prompt whole)",      \
         2,          1 << 24},                                                                     \
    {                                                                                              \
        "--chunks", NULL, CLI_INT, &(s).n_max, "N", "only the first N chunks", 1, 1 << 30          \
    }

/* Of a text, ids beyond the last whole passage are left out; its first id or ids are what the
 * tokenizer puts in front of a text, in each passage in place of what stood there. The rows that
 * count are those of the second half whose following token is in the passage. Of ids with n_ctx 0,
 * all rows count. `engine` has its model loaded. */
enum jl_status passages_read(const struct passages_source *source, const struct engine *engine,
                             struct passages *out, struct jl_error *err);
void passages_free(struct passages *passages); // zeroed is fine

/* One passage on its way through a model, from an empty state. */
struct passages_walk {
    struct engine *engine; // started with ENGINE_CHUNK rows
    const struct passage *passage;
    struct state *state;
    int at; // rows fed
};
enum jl_status passages_begin(struct passages_walk *walk, struct engine *engine,
                              const struct passage *passage, struct jl_error *err);
/* Feeds all rows before `end` that have not been, without logits. */
enum jl_status passages_skip(struct passages_walk *walk, int end, struct jl_error *err);
/* Feeds the next n rows, at most ENGINE_CHUNK. logits: (n, n_vocab). */
enum jl_status passages_next(struct passages_walk *walk, int n, float *logits,
                             struct jl_error *err);
void passages_end(struct passages_walk *walk); // zeroed is fine

#endif
