/* Filters and tests by name, and how arguments meet parameters. */
#ifndef JL_TEXT_TEMPLATE_FILTERS_H
#define JL_TEXT_TEMPLATE_FILTERS_H

#include "text/template/ops.h"
#include "text/template/value.h"

#define FILTERS_MAX_ARGS 6

/* A filter gets its input as args[0] and the arguments that were given, NULL where left out; one
 * whose params begin with '*' gets the call as it is. */
typedef struct value *(*filters_function)(struct render *r, struct value **args);
typedef struct value *(*filters_call)(struct render *r, struct value *input,
                                      const struct call *call);

struct filters_row {
    const char *name;
    const char *params; // names behind the input, separated by spaces
    int required;       // how many of them must be given
    filters_function run;
    filters_call run_call; // instead of run
};

const struct filters_row *filters_find(struct str name); // NULL: none
const struct filters_row *filters_find_test(struct str name);

struct value *filters_run(struct render *r, const struct filters_row *row, struct value *input,
                          const struct call *call);

/* Positional and keyword arguments into `out`, by the names in params. A name "-" takes positional
 * arguments only. */
bool filters_bind(struct render *r, const char *what, const char *params, int required,
                  const struct call *call, struct value **out);

/* The tables' parts. */
extern const struct filters_row filters_text_rows[], filters_list_rows[], filters_value_rows[],
    filters_test_rows[];

/* Helpers that several filters share. */
bool filters_as_str(struct render *r, struct value *v, struct str *out); // str(v), keeps Markup
struct value *filters_attribute(struct render *r, struct value *item, struct value *path,
                                struct value *fallback);
struct value *filters_fold_case(struct render *r, struct value *v); // lower() of strings
bool filters_is_true(const struct value *arg, bool fallback);       // an optional flag

#endif
