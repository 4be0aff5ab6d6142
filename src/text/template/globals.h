/* The functions every template has. */
#ifndef JL_TEXT_TEMPLATE_GLOBALS_H
#define JL_TEXT_TEMPLATE_GLOBALS_H

#include "text/template/value.h"

/* *out NULL: there is none of this name. False: failed. */
bool globals_find(struct render *r, struct str name, struct value **out);

#endif
