#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/verify/schema_self.h"

/* Where in the schema, from the inside to the root. */
struct place {
    const struct place *above; // NULL: the root
    const char *name;
    size_t index;
};

/* As a JSON pointer; what does not fit is left out. */
static size_t write_place(const struct place *place, char *out, size_t size) {
    size_t n = place->above ? write_place(place->above, out, size) : 0;
    int more = !place->above ? snprintf(out, size, "#")
               : place->name ? snprintf(out + n, size - n, "/%s", place->name)
                             : snprintf(out + n, size - n, "/%zu", place->index);
    n += (size_t)more;
    return n < size ? n : size - 1;
}

static enum jl_status bad(const struct place *place, enum jl_status status, const char *what,
                          struct jl_error *err) {
    char at[300];
    write_place(place, at, sizeof at);
    return jl_fail(err, status, "schema: %s %s", at, what);
}

struct reading {
    struct schema *schema;
    struct jl_error *err;
    int depth;
};

static enum jl_status read_schema(struct reading *r, const struct place *place,
                                  const json_t *schema);

static enum jl_status add_pattern(struct reading *r, const struct place *place, const char *text,
                                  size_t len) {
    struct schema *s = r->schema;
    struct jl_error inner = {0};
    struct schema_pattern *more = realloc(s->patterns, (s->n_pattern + 1) * sizeof *more);
    if (!more) return jl_fail(r->err, JL_ERR_MEMORY, "out of memory for a schema");
    s->patterns = more;
    s->patterns[s->n_pattern] = (struct schema_pattern){.text = text};
    enum jl_status status = match_new(text, len, &s->patterns[s->n_pattern].match, &inner);
    if (status != JL_OK) return bad(place, status, inner.message, r->err);
    s->n_pattern++;
    return JL_OK;
}

static enum jl_status read_items(struct reading *r, const struct place *place, const json_t *list) {
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        const struct place inside = {.above = place, .index = i};
        JL_TRY(read_schema(r, &inside, item));
    }
    return JL_OK;
}

static enum jl_status read_members(struct reading *r, const struct place *place,
                                   const json_t *object, bool matched) {
    const char *name;
    json_t *item;
    json_object_foreach((json_t *)object, name, item) {
        const struct place inside = {.above = place, .name = name};
        if (matched) JL_TRY(add_pattern(r, &inside, name, strlen(name)));
        JL_TRY(read_schema(r, &inside, item));
    }
    return JL_OK;
}

static bool is_type(const json_t *name) {
    static const char *const types[] = {"object",  "array",   "string", "number",
                                        "integer", "boolean", "null"};
    for (size_t i = 0; json_is_string(name) && i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(types[i], json_string_value(name))) return true;
    return false;
}

static bool all_items(const json_t *list, bool (*fits)(const json_t *)) {
    size_t i;
    json_t *item;
    if (!json_is_array(list)) return false;
    json_array_foreach(list, i, item) {
        if (!fits(item)) return false;
    }
    return true;
}

static bool is_string(const json_t *value) { return json_is_string(value); }

static bool all_names(const json_t *object) {
    const char *name;
    json_t *names;
    if (!json_is_object(object)) return false;
    json_object_foreach((json_t *)object, name, names) {
        if (!all_items(names, is_string)) return false;
    }
    return true;
}

static enum jl_status read_spec(struct reading *r, const struct place *place,
                                const struct schema_keyword *k, const json_t *spec) {
    bool list = json_array_size(spec) > 0;
    const char *wants = NULL;
    switch (k->spec) {
    case SPEC_ANY: break;
    case SPEC_TYPES:
        if (!is_type(spec) && !(list && all_items(spec, is_type)))
            wants = "takes the name of a type, or some";
        break;
    case SPEC_LIST:
        if (!list) wants = "takes a list";
        break;
    case SPEC_NUMBER:
        if (!json_is_number(spec)) wants = "takes a number";
        break;
    case SPEC_POSITIVE:
        if (!(json_number_value(spec) > 0)) wants = "takes a number above 0";
        break;
    case SPEC_COUNT:
        if (!json_is_number(spec) || !schema_is_whole(spec) || json_number_value(spec) < 0)
            wants = "takes a whole number from 0";
        break;
    case SPEC_TRUTH:
        if (!json_is_boolean(spec)) wants = "takes true or false";
        break;
    case SPEC_PATTERN:
        if (json_is_string(spec))
            return add_pattern(r, place, json_string_value(spec), json_string_length(spec));
        wants = "takes a pattern";
        break;
    case SPEC_NAMES:
        if (!all_items(spec, is_string)) wants = "takes a list of names";
        break;
    case SPEC_NAMES_OF:
        if (!all_names(spec)) wants = "takes lists of names";
        break;
    case SPEC_SCHEMA: return read_schema(r, place, spec);
    case SPEC_SCHEMAS:
        if (list) return read_items(r, place, spec);
        wants = "takes a list of schemas";
        break;
    case SPEC_SCHEMAS_OF:
    case SPEC_SCHEMAS_MATCHED:
        if (json_is_object(spec)) return read_members(r, place, spec, k->spec != SPEC_SCHEMAS_OF);
        wants = "takes an object of schemas";
        break;
    case SPEC_REFERENCE:
        if (!json_is_string(spec) || *json_string_value(spec) != '#')
            wants = "takes # or a pointer into the same schema, such as #/$defs/name";
        break;
    }
    return wants ? bad(place, JL_ERR_FORMAT, wants, r->err) : JL_OK;
}

static enum jl_status read_keywords(struct reading *r, const struct place *place,
                                    const json_t *schema) {
    const char *name;
    json_t *spec;
    if (json_is_boolean(schema)) return JL_OK;
    if (!json_is_object(schema))
        return bad(place, JL_ERR_FORMAT, "must be an object, true or false", r->err);
    json_object_foreach((json_t *)schema, name, spec) {
        const struct schema_keyword *k = schema_keyword_find(name);
        const struct place inside = {.above = place, .name = name};
        if (!k) return bad(&inside, JL_ERR_UNSUPPORTED, "is no keyword that is checked", r->err);
        JL_TRY(read_spec(r, &inside, k, spec));
    }
    return JL_OK;
}

static enum jl_status read_schema(struct reading *r, const struct place *place,
                                  const json_t *schema) {
    struct schema *s = r->schema;
    if (r->depth >= SCHEMA_MOST_DEPTH)
        return bad(place, JL_ERR_LIMIT, "is nested too deeply", r->err);
    const json_t **known = realloc(s->known, (s->n_known + 1) * sizeof *known);
    if (!known) return jl_fail(r->err, JL_ERR_MEMORY, "out of memory for a schema");
    s->known = known;
    s->known[s->n_known++] = schema;
    r->depth++;
    enum jl_status status = read_keywords(r, place, schema);
    r->depth--;
    return status;
}

/* A reference may lead to a place where no schema was read, such as an example. */
static enum jl_status check_reference(struct reading *r, const char *pointer) {
    const json_t *target;
    if (jl_json_pointer(r->schema->root, pointer + 1, &target) != JL_OK) // behind its #
        return jl_fail(r->err, JL_ERR_MEMORY, "out of memory for a schema");
    for (size_t i = 0; i < r->schema->n_known; i++)
        if (r->schema->known[i] == target) return JL_OK;
    return jl_fail(r->err, JL_ERR_FORMAT, "schema: there is no schema at $ref %s", pointer);
}

static enum jl_status check_references(struct reading *r) {
    for (size_t i = 0; i < r->schema->n_known; i++) {
        const char *pointer = json_string_value(json_object_get(r->schema->known[i], "$ref"));
        if (pointer) JL_TRY(check_reference(r, pointer));
    }
    return JL_OK;
}

enum jl_status schema_read(const char *text, size_t len, struct schema **out,
                           struct jl_error *err) {
    struct schema *schema = calloc(1, sizeof *schema);
    const struct place root = {0};
    json_error_t where;
    *out = NULL;
    if (!schema) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a schema");
    enum jl_status status =
        jl_json_load(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &schema->root, &where);
    struct reading reading = {.schema = schema, .err = err};
    if (status != JL_OK)
        jl_fail(err, status, "schema: %s", status == JL_ERR_MEMORY ? "out of memory" : where.text);
    if (status == JL_OK) status = read_schema(&reading, &root, schema->root);
    if (status == JL_OK) status = check_references(&reading);
    if (status == JL_OK)
        *out = schema;
    else
        schema_free(schema);
    return status;
}

void schema_free(struct schema *schema) {
    if (!schema) return;
    for (size_t i = 0; i < schema->n_pattern; i++)
        match_free(schema->patterns[i].match);
    free(schema->patterns);
    free(schema->known);
    json_decref(schema->root);
    free(schema);
}
