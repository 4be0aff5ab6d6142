#include "model/quant_override.h"

#include <fnmatch.h>
#include <string.h>

#include "base/arena.h"
#include "tensor/quant.h"

enum jl_status quant_override_add(struct quant_overrides *all, const char *text,
                                  struct arena *arena, struct jl_error *err) {
    const char *equals = strrchr(text, '=');
    struct quant_override new = {0};
    if (!equals || equals == text)
        return jl_fail(err, JL_ERR_USAGE, "'%s' is not PATTERN=TYPE, such as 'blk.0.*=q6_k'", text);
    if (all->n == QUANT_OVERRIDES_MOST)
        return jl_fail(err, JL_ERR_USAGE, "more than %d patterns with a type",
                       QUANT_OVERRIDES_MOST);
    if (!dtype_from_name(equals + 1, &new.dtype) || !dtype_can_quantize(new.dtype))
        return jl_fail(err, JL_ERR_USAGE, "'%s': there is no type '%s' to write", text, equals + 1);
    char *pattern = arena_strdup(arena, text);
    if (!pattern) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a pattern");
    pattern[equals - text] = 0;
    new.pattern = pattern;
    all->items[all->n++] = new;
    return JL_OK;
}

enum jl_status quant_override_apply(struct quant_overrides *all, const struct quant_tensor *tensor,
                                    struct quant_choice *choice, struct jl_error *err) {
    if (!choice->is_matrix) return JL_OK;
    for (int i = all->n - 1; i >= 0; i--) {
        struct quant_override *one = &all->items[i];
        int block = dtype_row(one->dtype)->block;
        if (fnmatch(one->pattern, tensor->name, 0) != 0) continue;
        if (tensor->n_in % block)
            return jl_fail(err, JL_ERR_USAGE,
                           "'%s=%s': rows of tensor '%s' have %lld values, no multiple of %d",
                           one->pattern, dtype_name(one->dtype), tensor->name,
                           (long long)tensor->n_in, block);
        choice->dtype = choice->wanted = one->dtype;
        one->n_tensor++;
        return JL_OK;
    }
    return JL_OK;
}

enum jl_status quant_override_check(const struct quant_overrides *all, struct jl_error *err) {
    for (int i = 0; i < all->n; i++)
        if (!all->items[i].n_tensor)
            return jl_fail(err, JL_ERR_USAGE,
                           "'%s' decides the type of no matrix (--dry-run lists their names)",
                           all->items[i].pattern);
    return JL_OK;
}
