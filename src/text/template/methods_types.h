/* Attributes of every type but loops. */
#ifndef JL_TEXT_TEMPLATE_METHODS_TYPES_H
#define JL_TEXT_TEMPLATE_METHODS_TYPES_H

#include "text/template/value.h"

/* *out NULL: there is no such attribute. False: failed. */
bool methods_types_attribute(struct render *r, struct value *obj, struct str name,
                             struct value **out);

#endif
