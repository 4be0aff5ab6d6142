/* What a dialect's tool calls are made of, for those who keep a model to writing them so:
 *
 *     calls = section_open { call, between } section_close      (section_each: one call a section)
 *     call  = open ... close
 *
 * Texts are as rendering writes them, "" where a dialect has none. */
#ifndef JL_TEXT_CALL_FORM_H
#define JL_TEXT_CALL_FORM_H

#include <stdbool.h>

struct dialect;

enum call_form_body {
    CALL_FORM_NAMED,  // NAME name_end, a JSON object
    CALL_FORM_PARAMS, // NAME name_end, for each argument key_open KEY key_end value_open VALUE
                      // value_end
    CALL_FORM_OBJECT, // {"name": NAME, arguments: {...}}
    CALL_FORM_LIST,   // [ such objects ], all calls in one
    CALL_FORM_BARE,   // such an object, at the start of a turn and without `open`
};

struct call_form {
    enum call_form_body body;
    bool section_each;
    bool numbered; // NAME is written functions.NAME:INDEX
    bool list_ids; // objects have an "id" behind the arguments
    bool typed;    // key_end is followed by true"> or false">: is the value a string?
    const char *section_open, *section_close, *between;
    const char *open, *close, *name_end;
    const char *id_open; // behind the name, an id of nine letters or digits; "": no ids
    const char *key_open, *key_end, *value_open, *value_end, *value_pad;
    const char *arguments; // key of the arguments in objects
};

/* false: the dialect has no calls. */
bool call_form_of(const struct dialect *dialect, struct call_form *out);

#endif
