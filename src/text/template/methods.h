/* Methods and attributes of Python's types, as far as templates may use them. */
#ifndef JL_TEXT_TEMPLATE_METHODS_H
#define JL_TEXT_TEMPLATE_METHODS_H

#include "text/template/filters.h"
#include "text/template/ops.h"

/* Arguments that are left out are NULL. */
typedef struct value *(*methods_function)(struct render *r, struct value *self,
                                          struct value **args);

struct methods_row {
    const char *name, *params; // as in filters_bind
    int required;
    methods_function run;
    value_function run_call; // instead of run: takes any arguments
};

struct value *methods_call(struct render *r, const struct methods_row *row, struct value *self,
                           const struct call *call);

/* The method as a value; *out NULL: the table has none of this name. */
bool methods_find(struct render *r, const struct methods_row *rows, struct value *self,
                  struct str name, struct value **out);

extern const struct methods_row methods_str_rows[], methods_str_test_rows[], methods_str_cut_rows[];

/* Pieces that filters use too. */
struct str methods_strip(struct str s, const struct str *chars, int sides); // 1: left, 2: right
bool methods_strip_work(struct render *r, struct str s, size_t n_chars);    // what it may take
struct value *methods_case(struct render *r, struct str s, char how); // 'u', 'l', 't', 'c', 's'
struct value *methods_replace(struct render *r, struct str s, struct str old, struct str with,
                              int64_t count);
struct value *methods_join(struct render *r, struct str separator, struct list items);
bool methods_split_lines(struct render *r, struct str s, bool keep_ends, struct list *out);
bool methods_find_text(struct str s, struct str what, size_t from, size_t *at);
bool methods_test(struct str s, const char *name); // "isupper"...
int methods_digit(uint32_t code);                  // 0 to 9 of any script; else -1

#endif
