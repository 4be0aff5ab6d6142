#include "random_json.h"

#include <stdlib.h>
#include <string.h>

#include "fixture.h"

static json_t *schema_at(uint64_t *seed, int depth);

static json_t *string_schema(uint64_t *seed) {
    static const char *const patterns[] = {
        "^[a-z]{2,5}$",    "\\d",       "^(foo|bar)-[0-9]+$", "^[A-Z][a-z]*( [A-Z][a-z]*)?$",
        "x[yz]?\"?\\\\w$", "^\\S+\\s$",
    };
    static const char *const formats[] = {"date", "time",     "date-time", "uuid", "ipv4",
                                          "ipv6", "hostname", "email",     "uri",  "duration"};
    json_t *schema = json_pack("{s:s}", "type", "string");
    uint32_t kind = draw(seed, 8);
    int low = (int)draw(seed, 4);
    if (kind == 0) json_object_set_new(schema, "pattern", json_string(patterns[draw(seed, 6)]));
    if (kind == 1) json_object_set_new(schema, "format", json_string(formats[draw(seed, 10)]));
    if (kind == 2 || kind == 3) json_object_set_new(schema, "minLength", json_integer(low));
    if (kind == 3 || kind == 4)
        json_object_set_new(schema, "maxLength", json_integer(low + (int)draw(seed, 60)));
    if (kind == 5) {
        json_object_set_new(schema, "pattern", json_string("^[a-c]+\\d*$"));
        json_object_set_new(schema, "minLength", json_integer(low));
        json_object_set_new(schema, "maxLength", json_integer(low + 3));
    }
    return schema;
}

static json_t *number_schema(uint64_t *seed) {
    bool integer = draw(seed, 2);
    json_t *schema = json_pack("{s:s}", "type", integer ? "integer" : "number");
    double scale = integer ? 1 : 0.25;
    int low = (int)draw(seed, 400) - 200, width = (int)draw(seed, 300) + 2;
    uint32_t kind = draw(seed, 6);
    const char *least = draw(seed, 3) ? "minimum" : "exclusiveMinimum";
    const char *most = draw(seed, 3) ? "maximum" : "exclusiveMaximum";
    if (kind & 1) json_object_set_new(schema, least, json_real(scale * low));
    if (kind & 2) json_object_set_new(schema, most, json_real(scale * (low + width)));
    if (integer && kind == 4) json_object_set_new(schema, "multipleOf", json_integer(20));
    return schema;
}

static json_t *array_schema(uint64_t *seed, int depth) {
    json_t *schema = json_pack("{s:s}", "type", "array");
    int low = (int)draw(seed, 3);
    if (draw(seed, 5)) json_object_set_new(schema, "items", schema_at(seed, depth + 1));
    if (draw(seed, 4) == 0)
        json_object_set_new(
            schema, "prefixItems",
            json_pack("[o,o]", schema_at(seed, depth + 1), schema_at(seed, depth + 1)));
    if (draw(seed, 2) == 0)
        json_object_set_new(schema, "maxItems", json_integer(low + (int)draw(seed, 4)));
    if (draw(seed, 2) == 0 && json_object_get(schema, "items"))
        json_object_set_new(schema, "minItems", json_integer(low));
    return schema;
}

static json_t *object_schema(uint64_t *seed, int depth) {
    static const char *const names[] = {"a", "ab", "name", "k\"ey", "\xC3\xA9t\xC3\xA9", "x/y", ""};
    json_t *schema = json_pack("{s:s}", "type", "object");
    json_t *properties = json_object(), *required = json_array();
    int n = (int)draw(seed, 5);
    for (int i = 0; i < n; i++) {
        const char *name = names[draw(seed, 7)];
        if (json_object_get(properties, name)) continue;
        json_object_set_new(properties, name, schema_at(seed, depth + 1));
        if (draw(seed, 2)) json_array_append_new(required, json_string(name));
    }
    if (n) json_object_set(schema, "properties", properties);
    if (json_array_size(required)) json_object_set(schema, "required", required);
    uint32_t more = draw(seed, 4);
    if (more == 1) json_object_set_new(schema, "additionalProperties", json_false());
    if (more == 2) json_object_set_new(schema, "additionalProperties", schema_at(seed, depth + 1));
    if (more == 3 && n == 0) {
        json_object_set_new(schema, "patternProperties",
                            json_pack("{s:o}", "^x-[a-z]", schema_at(seed, depth + 1)));
        json_object_set_new(schema, "additionalProperties", json_false());
    }
    if (more == 2 && n == 0) json_object_set_new(schema, "maxProperties", json_integer(3));
    json_decref(properties);
    json_decref(required);
    return schema;
}

static json_t *combined_schema(uint64_t *seed, int depth) {
    switch (draw(seed, 6)) {
    case 0:
        return json_pack("{s:[o,o]}", "anyOf", schema_at(seed, depth + 1),
                         schema_at(seed, depth + 1));
    case 1:
        return json_pack("{s:[o,o,{s:s}]}", "oneOf", number_schema(seed), string_schema(seed),
                         "type", "null");
    case 2:
        return json_pack("{s:s,s:{s:o},s:[o,{s:[s]}]}", "type", "object", "properties", "a",
                         number_schema(seed), "allOf", object_schema(seed, depth + 1), "required",
                         "a");
    case 3: return json_pack("{s:s}", "$ref", "#/$defs/node");
    case 4: return json_pack("{s:[i,s,n,b,[i,{s:s}]]}", "enum", 1, "two\n", 1, 3, "k", "v");
    default: return json_pack("{s:{s:s,s:f}}", "const", "a", "\xE4\xB8\xAD", "b", 0.5);
    }
}

static json_t *schema_at(uint64_t *seed, int depth) {
    static const char *const plain[] = {"null", "boolean", "integer", "number", "string"};
    if (depth > 3) return json_pack("{s:s}", "type", plain[draw(seed, 5)]);
    switch (draw(seed, 8)) {
    case 0: return json_pack("{s:[s,s]}", "type", plain[draw(seed, 5)], "array");
    case 1:
    case 2: return string_schema(seed);
    case 3: return number_schema(seed);
    case 4: return array_schema(seed, depth);
    case 5:
    case 6: return object_schema(seed, depth);
    default: return combined_schema(seed, depth);
    }
}

json_t *random_schema(uint64_t *seed) {
    json_t *node = json_pack("{s:s,s:{s:{s:s},s:{s:s,s:{s:s},s:i}},s:[s]}", "type", "object",
                             "properties", "value", "type", "integer", "next", "type", "array",
                             "items", "$ref", "#/$defs/node", "maxItems", 2, "required", "value");
    json_t *schema = draw(seed, 3) ? object_schema(seed, 0) : schema_at(seed, 0);
    json_object_set_new(schema, "$defs", json_pack("{s:o}", "node", node));
    return schema;
}

/* ---- documents ---- */

struct grammar_vocab *random_json_vocab(void) {
    static const char *const texts[] = {
        "{\"a\": \"b\", \"name\": [1, -2.5, true, false, null], \"ab\": {}}",
        "[{\"k\\\"ey\":{\"value\": 0}},\"\\n\\u00e9\",[[]],\"\"]}]", "x-yz\":\"foo-12\",{\"}",
        "2024-02-29T10:00:00Z\",\"http://a.b/\"", NULL};
    return vocab_of_texts(texts, 5);
}

static bool has(const uint64_t *mask, int32_t id) { return mask[id / 64] >> (id % 64) & 1; }

/* What brings a text to its end: a closing tag that is allowed, or the first of these marks; -1:
 * none is. */
static int32_t closing(const struct grammar_vocab *v, const uint64_t *mask, uint64_t *seed) {
    static const char marks[] = "\"}]0";
    uint32_t n = 0;
    int32_t found = -1;
    for (int32_t id = 0; id < grammar_vocab_size(v); id++) {
        struct grammar_token_bytes token = grammar_vocab_bytes(v, id);
        bool tag = token.len > 3 && memcmp(token.bytes, "</", 2) == 0 &&
                   memchr(token.bytes, '>', token.len) == token.bytes + token.len - 1;
        if (tag && has(mask, id) && draw(seed, ++n) == 0) found = id;
    }
    for (const char *mark = marks; *mark && found < 0; mark++)
        if (has(mask, *mark)) found = *mark;
    return found;
}

static int32_t drawn(const uint64_t *mask, size_t words, uint64_t *seed) {
    uint32_t n = 0;
    for (size_t i = 0; i < words; i++)
        n += (uint32_t)__builtin_popcountll(mask[i]);
    if (n == 0) return -1;
    uint32_t chosen = draw(seed, n);
    int32_t id = 0;
    while (!has(mask, id) || chosen-- > 0)
        id++;
    return id;
}

char *random_document(struct grammar_matcher *m, const struct grammar_vocab *v, uint64_t *seed,
                      int most, size_t *len) {
    struct jl_error err;
    struct grammar_state at = grammar_start(m), *wanted[] = {&at};
    size_t words = grammar_vocab_words(v), cap = 1;
    uint64_t *mask = calloc(words, sizeof *mask);
    char *text = calloc(1, 1);
    *len = 0;
    for (int i = 0; i < most; i++) {
        if (grammar_keep(m, wanted, 1, &err) != JL_OK) fail_msg("%s", err.message);
        if (grammar_is_complete(m, at) && draw(seed, 3)) break;
        if (grammar_allowed(m, at, mask, &err) != JL_OK)
            fail_msg("%s after %.*s", err.message, (int)*len, text);
        int32_t id = i > most / 4 || draw(seed, 3) == 0 ? closing(v, mask, seed) : -1;
        if (id < 0) id = drawn(mask, words, seed);
        if (id < 0) break;
        if (grammar_accept(m, &at, id, &err) != JL_OK) fail_msg("%s", err.message);
        struct grammar_token_bytes token = grammar_vocab_bytes(v, id);
        cap += token.len;
        text = realloc(text, cap);
        assert_non_null(text);
        memcpy(text + *len, token.bytes, token.len);
        *len += token.len;
        text[*len] = '\0';
    }
    free(mask);
    if (grammar_is_complete(m, at)) return text;
    free(text);
    return NULL;
}
