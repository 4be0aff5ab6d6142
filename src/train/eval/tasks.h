/* Files of tasks: each a JSON-lines file, its name or its head's the task's. */
#ifndef JL_TRAIN_EVAL_TASKS_H
#define JL_TRAIN_EVAL_TASKS_H

#include <stdint.h>

#include "base/arena.h"
#include "train/eval/line.h"

#define EVAL_ID 33 // 32 hexadecimal digits

struct eval_task {
    struct eval_line line;
    const char *name, *path; // of its file
    int64_t number;          // of the line, from 1
    char id[EVAL_ID];        // of the task's name and all that the line says
    int again;               // how many before it in the list have its id
};

struct eval_tasks {
    struct eval_task *tasks;
    int64_t n, cap;
    const char **names; // of the files, in their order
    int n_name;
    int64_t n_left_out; // by a limit
    struct arena arena; // names and paths
};

/* Adds the tasks of a file, or of all the .jsonl files of a folder by name. JL_ERR_FORMAT: what is
 * wrong, with file and line. On failure the list is to be freed. */
enum jl_status eval_tasks_add(struct eval_tasks *list, const char *path, struct jl_error *err);
/* Keeps `limit` of each file, chosen by the seed alone, in their order. */
enum jl_status eval_tasks_limit(struct eval_tasks *list, int64_t limit, uint64_t seed,
                                struct jl_error *err);
/* Parts of skill/tables.h that the checks of the tasks read. */
unsigned eval_tasks_parts(const struct eval_tasks *list);
void eval_tasks_give(struct eval_tasks *list, const struct skill_tables *tables); // the caller's
void eval_tasks_free(struct eval_tasks *list);                                    // zeroed is fine

#endif
