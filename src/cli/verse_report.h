/* What many answers to requests for verse are like, from the file of `jinlin eval --out`. */
#ifndef JL_CLI_VERSE_REPORT_H
#define JL_CLI_VERSE_REPORT_H

#include <stdio.h>

#include "skill/verse_tables.h"

/* A table, a row a group and one of all, on `out`. JL_ERR_FORMAT: the line that is not one of
 * eval's, or a file without verse. */
enum jl_status verse_report(const char *path, const struct verse_tables *tables, FILE *out,
                            struct jl_error *err);

#endif
