/* Arguments of methods. */
#ifndef JL_TEXT_TEMPLATE_METHODS_ARGS_H
#define JL_TEXT_TEMPLATE_METHODS_ARGS_H

#include "text/template/value.h"

struct methods_range {
    size_t start, stop; // bytes
    bool inside;
};

bool methods_args_str(struct render *r, const struct value *v, const char *what, struct str *out);
bool methods_args_int(struct render *r, const struct value *v, const char *what, int64_t fallback,
                      int64_t *out); // v may be NULL
/* args[0] and args[1]: the first character and the one behind the last, NULL or None: all. */
bool methods_args_range(struct render *r, struct str s, struct value *const *args,
                        struct methods_range *out);

#endif
