/* Inside JSON Schema: what reading and checking share. */
#ifndef JL_TRAIN_VERIFY_SCHEMA_SELF_H
#define JL_TRAIN_VERIFY_SCHEMA_SELF_H

#include "base/json.h"
#include "text/match.h"
#include "train/verify/schema.h"

#define SCHEMA_MOST_DEPTH 1000 // of schemas in schemas, references followed

struct schema_pattern {
    const char *text; // in the schema's tree, and so its name
    struct match *match;
};
struct schema {
    json_t *root;
    struct schema_pattern *patterns;
    size_t n_pattern;
    const json_t **known; // (n_known) places that are schemas: a reference leads to one
    size_t n_known;
};

/* What stands behind a keyword. */
enum schema_spec {
    SPEC_ANY,
    SPEC_TYPES,
    SPEC_LIST, // not empty
    SPEC_NUMBER,
    SPEC_POSITIVE,
    SPEC_COUNT,
    SPEC_TRUTH,
    SPEC_PATTERN,
    SPEC_NAMES,
    SPEC_NAMES_OF, // an object of SPEC_NAMES
    SPEC_SCHEMA,
    SPEC_SCHEMAS,         // a list
    SPEC_SCHEMAS_OF,      // an object of them
    SPEC_SCHEMAS_MATCHED, // whose names are patterns
    SPEC_REFERENCE,
};
/* A keyword is about values of this kind alone. */
enum schema_about { ABOUT_ALL, ABOUT_NUMBER, ABOUT_STRING, ABOUT_ARRAY, ABOUT_OBJECT };

/* One check. */
struct schema_walk {
    const struct schema *schema;
    struct jl_error *err;
    int steps, depth;
};
struct schema_at {
    const json_t *schema; // the keyword stands in
    const json_t *spec;   // what stands behind the keyword
    const json_t *value;  // of a kind that the keyword is about
};
struct schema_keyword {
    const char *name;
    enum schema_spec spec;
    enum schema_about about;
    // NULL: it says nothing alone. *valid is true before.
    enum jl_status (*check)(struct schema_walk *w, const struct schema_at *at, bool *valid);
};

/* schema_check.c. NULL: there is no such keyword. */
const struct schema_keyword *schema_keyword_find(const char *name);

/* schema_value.c */
bool schema_same(const json_t *a, const json_t *b); // a number however it is written
bool schema_has_type(const json_t *value, const char *type);
bool schema_is_whole(const json_t *value);
size_t schema_size_of(const json_t *value);                 // characters, items or members
int schema_compare(const json_t *a, const json_t *b);       // numbers: -1, 0, 1
bool schema_divides(const json_t *by, const json_t *value); // decimals: but for rounding
bool schema_is_nested(const json_t *value, int most);       // more levels than that

#endif
