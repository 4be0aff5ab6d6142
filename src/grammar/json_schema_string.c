#include <stdio.h>
#include <string.h>

#include "grammar/json_schema.h"
#include "grammar/pattern.h"

#define DAY_TIME "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
#define FULL_TIME DAY_TIME ":[0-5][0-9](?:\\.[0-9]{1,9})?(?:Z|[+\\-]" DAY_TIME ")"
#define LEAP_YEAR                                                                                  \
    "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[048]|[2468][048]|[13579][26])00)"
#define FULL_DATE                                                                                  \
    "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|"                                \
    "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|" LEAP_YEAR "-02-29)"
#define N(unit) "[0-9]{1,9}" unit
#define DAYS "(?:" N("Y") "(?:" N("M") ")?(?:" N("D") ")?|" N("M") "(?:" N("D") ")?|" N("D") ")"
#define HOURS "T(?:" N("H") "(?:" N("M") ")?(?:" N("S") ")?|" N("M") "(?:" N("S") ")?|" N("S") ")"
#define OCTET "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define IPV4 "(?:" OCTET "\\.){3}" OCTET
#define LABEL "[A-Za-z0-9](?:[A-Za-z0-9\\-]{0,61}[A-Za-z0-9])?"
#define GROUP "[0-9A-Fa-f]{1,4}"
#define WORD "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\-]{1,16}"
#define ESCAPED "%[0-9A-Fa-f]{2}"
#define SEGMENT "(?:[A-Za-z0-9\\-._~!$&'()*+,;=:@]|" ESCAPED ")"

/* Where a standard allows more than is of use, less is made: RFC 3339 without leap seconds, IPv6
 * (RFC 4291) without a dotted end, URIs (RFC 3986) with a host. */
static const struct {
    const char *name, *pattern;
} formats[] = {
    {"date", FULL_DATE},
    {"time", FULL_TIME},
    {"date-time", FULL_DATE "T" FULL_TIME},
    {"duration", "P(?:" N("W") "|" DAYS "(?:" HOURS ")?|" HOURS ")"},
    {"uuid", "[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"},
    {"ipv4", IPV4},
    {"ipv6", "(?:" GROUP ":){7}" GROUP "|(?:" GROUP ":){1,6}:" GROUP "|(?:" GROUP
             ":){1,5}(?::" GROUP "){2}|(?:" GROUP ":){1,4}(?::" GROUP "){3}|(?:" GROUP
             ":){1,3}(?::" GROUP "){4}|(?:" GROUP ":){1,2}(?::" GROUP "){5}|" GROUP ":(?::" GROUP
             "){6}|:(?::" GROUP "){1,7}|(?:" GROUP ":){1,7}:|::"},
    {"email", WORD "(?:\\." WORD "){0,2}@" LABEL "(?:\\." LABEL "){1,3}"},
    {"hostname", LABEL "(?:\\." LABEL "){0,2}"},
    {"uri", "[A-Za-z][A-Za-z0-9+.\\-]{0,31}://(?:[A-Za-z0-9\\-._~]|" ESCAPED
            "){1,255}(?::[0-9]{1,5})?(?:/" SEGMENT "*)*(?:\\?(?:" SEGMENT "|[/?])*)?(?:#(?:" SEGMENT
            "|[/?])*)?"},
};

static grammar_expr by_format(struct json_schema *s, const char *format, enum pattern_form form) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct pattern_options options = {form, false, "a format"};
        if (format && strcmp(format, formats[i].name) == 0)
            return pattern_expr(s->b, formats[i].pattern, strlen(formats[i].pattern), &options);
    }
    return json_schema_fail(s, JL_ERR_UNSUPPORTED, "the format \"%.64s\" is not supported",
                            format ? format : "");
}

static grammar_expr by_pattern(struct json_schema *s, const json_t *pattern,
                               enum pattern_form form) {
    char what[200];
    snprintf(what, sizeof what, "the pattern at %.*s/pattern",
             (int)(s->path.len < 150 ? s->path.len : 150), s->path.data);
    struct pattern_options options = {form, true, what};
    if (!json_is_string(pattern))
        return json_schema_fail(s, JL_ERR_FORMAT, "\"pattern\" must be a text");
    return pattern_expr(s->b, json_string_value(pattern), json_string_length(pattern), &options);
}

/* Strings of some length; those of equal bounds are one rule. */
static grammar_expr by_length(struct json_schema *s, uint32_t low, uint32_t high) {
    char key[64];
    snprintf(key, sizeof key, "length %u %u", low, high);
    json_t *known = json_object_get(s->rules, key);
    if (known) return grammar_ref(s->b, (grammar_rule)json_integer_value(known));
    grammar_rule rule = grammar_declare(s->b, key, strlen(key));
    if (json_schema_failed(s)) return 0;
    s->b->rules[rule].shared = true;
    if (json_object_set_new(s->rules, key, json_integer(rule)) != 0) json_schema_no_memory(s);
    grammar_expr chars = grammar_repeat(s->b, json_parts_char(&s->parts), low, high);
    grammar_define(s->b, rule, json_parts_quoted(&s->parts, chars));
    return grammar_ref(s->b, rule);
}

grammar_expr json_schema_text(struct json_schema *s, const json_t *schema, enum pattern_form form) {
    const json_t *pattern = json_object_get(schema, "pattern");
    const json_t *format = json_object_get(schema, "format");
    uint32_t low = 0, high = GRAMMAR_UNBOUNDED;
    json_schema_count(s, schema, "minLength", &low);
    json_schema_count(s, schema, "maxLength", &high);
    if (json_schema_failed(s)) return 0;
    if (pattern && format)
        return json_schema_fail(
            s, JL_ERR_UNSUPPORTED,
            "\"pattern\" beside \"format\" is not supported: write one of them");
    if (low > high) return grammar_never(s->b);
    if (!pattern && !format) return grammar_repeat(s->b, pattern_any(s->b, form), low, high);
    grammar_expr inside =
        pattern ? by_pattern(s, pattern, form) : by_format(s, json_string_value(format), form);
    bool counted = low > 0 || high != GRAMMAR_UNBOUNDED;
    return counted ? expr_counted(s->b, inside, low, high) : inside;
}

bool json_schema_any_text(const json_t *schema) {
    return !json_object_get(schema, "pattern") && !json_object_get(schema, "format") &&
           !json_object_get(schema, "minLength") && !json_object_get(schema, "maxLength");
}

grammar_expr json_schema_string(struct json_schema *s, const json_t *schema) {
    uint32_t low = 0, high = GRAMMAR_UNBOUNDED;
    if (json_schema_any_text(schema)) return json_parts_string(&s->parts);
    json_schema_count(s, schema, "minLength", &low);
    json_schema_count(s, schema, "maxLength", &high);
    bool only_length = !json_object_get(schema, "pattern") && !json_object_get(schema, "format");
    if (only_length && low <= high) return by_length(s, low, high);
    grammar_expr inside = json_schema_text(s, schema, json_parts_form(&s->parts));
    return json_schema_rule(s, json_parts_quoted(&s->parts, inside));
}
