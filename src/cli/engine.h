/* What every command that runs a model shares: options, loading, and the statistics line. */
#ifndef JL_CLI_ENGINE_H
#define JL_CLI_ENGINE_H

#include <stdio.h>

#include "cli/adapters.h"
#include "cli/cli.h"
#include "model/exec.h"
#include "session/draft_gain.h"
#include "session/feed.h"
#include "session/memory_plan.h"

struct engine_options {
    const char *act, *kv;
    int threads;
    struct cli_list adapters; // PATH[@SCALE]
};

/* The options --act, --kv, --adapter and --threads for a command's table. */
#define ENGINE_OPTIONS(o)                                                                          \
    {"--act", NULL, CLI_TEXT, &(o).act, "f32|bf16", "activations (default: as the weights ask)",   \
     0,       0},                                                                                  \
        {"--kv",                                                                                   \
         NULL,                                                                                     \
         CLI_TEXT,                                                                                 \
         &(o).kv,                                                                                  \
         "f32|f16|bf16|q8",                                                                        \
         "cache type (default: f16, with act bf16 bf16)",                                          \
         0,                                                                                        \
         0},                                                                                       \
        ADAPTERS_OPTION((o).adapters), {                                                           \
        "--threads", "-t", CLI_INT, &(o).threads, "N", "threads (default: physical cores)", 1, 256 \
    }

/* Drafts (session/speculator.h), for the commands that answer. */
struct draft_options {
    const char *kind;
    int n; // 0: the usual
};
#define DRAFT_OPTIONS(o)                                                                           \
    {"--draft",                                                                                    \
     NULL,                                                                                         \
     CLI_TEXT,                                                                                     \
     &(o).kind,                                                                                    \
     "auto|none|lookup|mtp",                                                                       \
     "what guesses tokens ahead; the text is the same (default: auto; generate: none)",            \
     0,                                                                                            \
     0},                                                                                           \
    {                                                                                              \
        "--draft-max", NULL, CLI_INT, &(o).n, "N", "most tokens of a draft (default 8)", 1,        \
            DRAFT_MAX                                                                              \
    }

enum jl_status engine_draft_check(const struct draft_options *options, struct jl_error *err);

struct engine {
    struct model *model;
    struct backend *backend;
    struct exec *exec;
    struct page_pool *pool; // of engine_pages; whoever makes sessions has their own
};

/* Rows of one pass when nobody says otherwise. */
#define ENGINE_CHUNK 512

enum jl_status engine_load(const char *path, const struct engine_options *options,
                           struct engine *out, struct jl_error *err);
enum jl_status engine_start(struct engine *engine, int max_rows,
                            struct jl_error *err); // the executor
/* Bytes that may be used: `text` in megabytes, or JINLIN_MEMORY; 0: nobody said. */
enum jl_status engine_memory(const char *text, size_t *bytes, struct jl_error *err);
/* What n_seq sequences of n_ctx tokens (0: as many as fit) take beside all else, and whether they
 * can; after engine_start. draft NULL: none. */
enum jl_status engine_plan(const struct engine *engine, int n_seq, int n_ctx,
                           const struct draft_options *draft, struct memory_plan *out,
                           struct jl_error *err);
/* Cache pages for n_seq sequences of up to n_pos positions. Refused where they do not fit. */
enum jl_status engine_pages(struct engine *engine, int n_seq, int n_pos, struct jl_error *err);
void engine_free(struct engine *engine);

/* Rows of each forward call, for --stats. */
struct engine_stats {
    int *rows;
    int n_call, cap;
};
enum jl_status engine_stats_add(struct engine_stats *stats, int rows, struct jl_error *err);
/* One JSON line: forward_calls, rows, bodies, threads, level, class, sha256. */
enum jl_status engine_stats_print(const struct engine_stats *stats, const struct engine *engine,
                                  const char *sha256, FILE *out, struct jl_error *err);
void engine_stats_free(struct engine_stats *stats);

#define ENGINE_SHA256_TEXT 65
void engine_sha256(const void *data, size_t bytes, char out[ENGINE_SHA256_TEXT]);

#endif
