#include "skill/tsv.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define MOST_BYTES ((size_t)256 << 20)

enum jl_status tsv_text(const char *folder, const char *name, struct arena *arena, char **text,
                        size_t *size, struct jl_error *err) {
    char *path = file_path_in(folder, name), *bytes = NULL;
    struct jl_error inner = {0};
    if (!path) return jl_fail(err, JL_ERR_MEMORY, "out of memory for %s", name);
    enum jl_status status = file_read_regular(path, MOST_BYTES, &bytes, size, &inner);
    free(path);
    if (status != JL_OK)
        return jl_fail(err, status, "%s; the data folder (--data) must hold %s", inner.message,
                       name);
    *text = arena_strndup(arena, bytes, *size);
    free(bytes);
    return *text ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory for %s", name);
}

enum jl_status tsv_open(const char *folder, const char *name, struct arena *arena, struct tsv *out,
                        struct jl_error *err) {
    size_t size;
    *out = (struct tsv){.path = name};
    JL_TRY(tsv_text(folder, name, arena, &out->at, &size, err));
    out->end = out->at + size;
    return JL_OK;
}

enum jl_status tsv_fail(const struct tsv *table, const char *what, struct jl_error *err) {
    return jl_fail(err, JL_ERR_FORMAT, "%s:%d: %s", table->path, table->line, what);
}

size_t tsv_count(const struct tsv *table) {
    size_t n = 0;
    for (const char *at = table->at; at < table->end; at++)
        n += *at == '\n' || at + 1 == table->end;
    return n;
}

enum jl_status tsv_next(struct tsv *table, int n_field, bool *more, struct jl_error *err) {
    *more = table->at < table->end;
    if (!*more) return JL_OK;
    char *stop = memchr(table->at, '\n', (size_t)(table->end - table->at));
    if (!stop) stop = table->end; // there is a NUL
    *stop = 0;
    table->line++;
    if (strlen(table->at) != (size_t)(stop - table->at))
        return tsv_fail(table, "a NUL in a table", err);
    table->n_field = 0;
    for (char *at = table->at; at; table->n_field++) {
        char *tab = strchr(at, '\t');
        if (table->n_field == n_field) return tsv_fail(table, "too many fields", err);
        table->field[table->n_field] = at;
        if (tab) *tab++ = 0;
        at = tab;
    }
    table->at = stop + 1;
    return table->n_field == n_field ? JL_OK : tsv_fail(table, "too few fields", err);
}
