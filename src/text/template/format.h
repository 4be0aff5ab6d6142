/* Text out of values: %-formatting, str.format, format specs, HTML escapes, JSON. */
#ifndef JL_TEXT_TEMPLATE_FORMAT_H
#define JL_TEXT_TEMPLATE_FORMAT_H

#include "text/template/value.h"

struct value *format_percent(struct render *r, struct str format, struct value *args);
struct value *format_braces(struct render *r, struct str format, const struct call *call);
void format_escape(struct strbuf *out, struct str s); // & < > ' " as entities

/* A number under a format spec without its type and width: see format_number.c. */
struct format_spec {
    uint32_t fill;        // 0: none given
    char align;           // '<', '>', '=', '^' or 0
    char sign;            // '+', '-', ' '
    bool alternate, zero; // '#', '0'
    char grouping;        // ',', '_' or 0
    int width, precision; // precision negative: none
    char type;            // 0: none
};
bool format_float(struct render *r, struct strbuf *out, double f, const struct format_spec *spec);
bool format_int(struct render *r, struct strbuf *out, int64_t i, const struct format_spec *spec);
void format_pad(struct strbuf *out, struct str s, size_t n_chars, const struct format_spec *spec);
struct value *format_round(struct render *r, double f, int digits); // Python's round()

struct format_json {
    bool ensure_ascii, sort_keys;
    struct value *indent; // an int, a string, or NULL
    struct value *item_separator, *key_separator;
};
bool format_json_write(struct render *r, struct strbuf *out, struct value *v,
                       const struct format_json *options);

/* strftime of a point in time; see strftime.c. */
struct value *format_time(struct render *r, struct str format);

#endif
