/* The database of runs as a file: its tables, and whether a file is one. */
#ifndef JL_TRAIN_METRICS_FILE_H
#define JL_TRAIN_METRICS_FILE_H

#include <sqlite3.h>

#include "base/status.h"

/* Opens the file, made where it is not there if `write`. What is not ours is JL_ERR_FORMAT and left
 * as it is. JL_ERR_LIMIT: it is locked, which may end. */
enum jl_status metrics_file_open(const char *path, bool write, sqlite3 **out, struct jl_error *err);

/* What SQLite said last, as an error of that file. */
enum jl_status metrics_file_fault(sqlite3 *db, const char *path, struct jl_error *err);

#endif
