#include "text/call_form.h"

#include "text/dialect.h"
#include "text/dialect/format.h"

static enum call_form_body body_of(const struct call_format *format) {
    switch (format->body) {
    case CALL_NAMED: return CALL_FORM_NAMED;
    case CALL_PARAMS: return CALL_FORM_PARAMS;
    case CALL_OBJECT: return CALL_FORM_OBJECT;
    case CALL_LIST: return CALL_FORM_LIST;
    default: return CALL_FORM_BARE;
    }
}

bool call_form_of(const struct dialect *dialect, struct call_form *out) {
    const struct call_format *format = dialect->calls;
    if (!format) return false;
    *out = (struct call_form){
        .body = body_of(format),
        .section_each = format->section_each,
        .numbered = format->id_is_name,
        .list_ids = format->list_ids,
        .typed = format->typed,
        .section_open = format->section_open,
        .section_close = format->section_close,
        .between = format->between,
        .open = format->open,
        .close = format->close,
        .name_end = format->name_end,
        .id_open = format->body == CALL_NAMED ? format->id_open : "",
        .key_open = format->key_open,
        .key_end = format->key_end,
        .value_open = format->value_open,
        .value_end = format->value_end,
        .value_pad = format->value_pad,
        .arguments = format->arguments,
    };
    return true;
}
