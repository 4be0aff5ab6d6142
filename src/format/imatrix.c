#include "format/imatrix.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "format/gguf.h"
#include "format/gguf_write.h"
#include "format/report.h"

#define SUM ".in_sum2"
#define COUNTS ".counts"

static enum jl_status no_memory(const char *file, struct jl_error *err) {
    return report_no_memory(err, file, "the importance matrix");
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct imatrix_entry *)a)->name, ((const struct imatrix_entry *)b)->name);
}

static enum jl_status finish(struct imatrix *out, const char *file, struct jl_error *err) {
    if (out->n == 0) return report_fail(err, JL_ERR_FORMAT, file, "it holds no entry");
    qsort(out->entries, out->n, sizeof *out->entries, by_name);
    for (size_t i = 1; i < out->n; i++)
        if (!strcmp(out->entries[i - 1].name, out->entries[i].name))
            return report_fail(err, JL_ERR_FORMAT, file, "the entry %s occurs twice",
                               report_quote_str(out->entries[i].name).text);
    return JL_OK;
}

/* A copy of n floats that may stand at any address, each finite and not negative. */
static enum jl_status copy_floats(const uint8_t *at, size_t n, const char *name, const char *file,
                                  struct arena *arena, const float **out, struct jl_error *err) {
    float *copy = arena_calloc(arena, n, sizeof *copy);
    if (!copy) return no_memory(file, err);
    memcpy(copy, at, n * sizeof *copy);
    for (size_t i = 0; i < n; i++)
        if (!(copy[i] >= 0) || __builtin_isinf(copy[i]))
            return report_fail(err, JL_ERR_FORMAT, file,
                               "value %zu of %s is %g; sums of squares and counts are finite and "
                               "not negative",
                               i, report_quote_str(name).text, (double)copy[i]);
    *out = copy;
    return JL_OK;
}

/* ---- GGUF ---- */

static bool has_suffix(const char *name, const char *suffix) {
    size_t len = strlen(name), tail = strlen(suffix);
    return len > tail && !strcmp(name + len - tail, suffix);
}

static const struct tensor_info *find_tensor(const struct tensor_list *list, const char *name,
                                             size_t len, const char *suffix) {
    for (size_t lo = 0, hi = list->count; lo < hi;) {
        size_t mid = lo + (hi - lo) / 2;
        const char *at = list->items[mid].name;
        int order = strncmp(name, at, len);
        if (order == 0) order = strcmp(suffix, at + len);
        if (order == 0) return &list->items[mid];
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

static enum jl_status gguf_floats(const struct tensor_info *t, struct arena *arena,
                                  const float **out, size_t *n, struct jl_error *err) {
    if (t->dtype != DTYPE_F32)
        return report_fail(err, JL_ERR_FORMAT, t->file, "the tensor %s must be F32, not %s",
                           report_quote_str(t->name).text, dtype_name(t->dtype));
    *n = t->bytes / sizeof(float);
    return copy_floats(t->data, *n, t->name, t->file, arena, out, err);
}

static enum jl_status gguf_entry(const struct gguf *gguf, const struct tensor_info *sum,
                                 struct arena *arena, struct imatrix_entry *entry,
                                 struct jl_error *err) {
    size_t len = strlen(sum->name) - strlen(SUM);
    const struct tensor_info *counts = find_tensor(&gguf->tensors, sum->name, len, COUNTS);
    if (!counts)
        return report_fail(err, JL_ERR_FORMAT, sum->file,
                           "the tensor %s has no " COUNTS " beside it",
                           report_quote_str(sum->name).text);
    entry->name = arena_strndup(arena, sum->name, len);
    if (!entry->name) return no_memory(sum->file, err);
    JL_TRY(gguf_floats(sum, arena, &entry->values, &entry->n_value, err));
    JL_TRY(gguf_floats(counts, arena, &entry->counts, &entry->n_count, err));
    if (entry->n_value % entry->n_count == 0) return JL_OK;
    return report_fail(err, JL_ERR_FORMAT, sum->file, "%zu sums of %s do not go with %zu counts",
                       entry->n_value, report_quote_str(entry->name).text, entry->n_count);
}

static int64_t whole_number(struct meta *meta, const char *key) {
    const struct meta *value = meta_find(meta, key);
    return value && value->kind == META_INT && value->as.i > 0 ? value->as.i : 0;
}

static enum jl_status gguf_dataset(struct meta *meta, const char *file, struct arena *arena,
                                   struct imatrix *out, struct jl_error *err) {
    struct meta_iter iter = {.array = meta_find(meta, "imatrix.datasets")};
    struct meta item;
    out->dataset = "";
    if (!iter.array) return JL_OK;
    while (meta_iter_next(&iter, &item)) {
        if (item.kind != META_STRING) continue;
        out->dataset = arena_strndup(arena, item.as.s.text, item.as.s.len);
        if (!out->dataset) return no_memory(file, err);
    }
    return JL_OK;
}

static enum jl_status parse_gguf(const uint8_t *bytes, size_t size, const char *file,
                                 struct arena *arena, struct imatrix *out, struct jl_error *err) {
    struct gguf gguf;
    JL_TRY(gguf_parse(bytes, size, file, arena, &gguf, err));
    const struct meta *type = meta_find(gguf.meta, "general.type");
    if (!type || type->kind != META_STRING || type->as.s.len != 7 ||
        memcmp(type->as.s.text, "imatrix", 7) != 0)
        return report_fail(err, JL_ERR_FORMAT, file,
                           "it is no importance matrix: general.type is not \"imatrix\"");
    out->entries = arena_calloc(arena, gguf.tensors.count + 1, sizeof *out->entries);
    if (!out->entries) return no_memory(file, err);
    for (size_t i = 0; i < gguf.tensors.count; i++) {
        const struct tensor_info *t = &gguf.tensors.items[i];
        if (!has_suffix(t->name, SUM)) continue; // counts; and sums of another kind, not used
        JL_TRY(gguf_entry(&gguf, t, arena, &out->entries[out->n], err));
        out->n++;
    }
    out->n_chunk = whole_number(gguf.meta, "imatrix.chunk_count");
    out->chunk_size = whole_number(gguf.meta, "imatrix.chunk_size");
    JL_TRY(gguf_dataset(gguf.meta, file, arena, out, err));
    return finish(out, file, err);
}

/* ---- .dat: counts, names and floats one behind the other, little-endian ---- */

struct dat {
    const uint8_t *at;
    size_t left;
    const char *file;
    struct arena *arena;
};

static enum jl_status dat_int(struct dat *dat, const char *what, int32_t least, int32_t *out,
                              struct jl_error *err) {
    *out = 0;
    if (dat->left < sizeof *out)
        return report_fail(
            err, JL_ERR_FORMAT, dat->file,
            "it is neither a GGUF file nor a whole imatrix .dat file: it ends before "
            "%s",
            what);
    memcpy(out, dat->at, sizeof *out);
    dat->at += sizeof *out;
    dat->left -= sizeof *out;
    if (*out >= least) return JL_OK;
    return report_fail(err, JL_ERR_FORMAT, dat->file,
                       "it is neither a GGUF file nor an imatrix .dat file: %s is %d", what,
                       (int)*out);
}

/* Bytes of a length that was read; they must be there. */
static enum jl_status dat_take(struct dat *dat, size_t bytes, const char *what, const uint8_t **out,
                               struct jl_error *err) {
    *out = NULL;
    if (bytes > dat->left)
        return report_fail(err, JL_ERR_FORMAT, dat->file,
                           "%s would take %zu bytes, and %zu are left", what, bytes, dat->left);
    *out = dat->at;
    dat->at += bytes;
    dat->left -= bytes;
    return JL_OK;
}

static enum jl_status dat_string(struct dat *dat, const char *what, const char **out,
                                 struct jl_error *err) {
    int32_t len;
    const uint8_t *text;
    JL_TRY(dat_int(dat, what, 0, &len, err));
    JL_TRY(dat_take(dat, (size_t)len, what, &text, err));
    *out = arena_strndup(dat->arena, (const char *)text, (size_t)len);
    return *out ? JL_OK : no_memory(dat->file, err);
}

static enum jl_status dat_entry(struct dat *dat, struct imatrix_entry *entry,
                                struct jl_error *err) {
    int32_t calls, n;
    const uint8_t *values;
    JL_TRY(dat_string(dat, "a name", &entry->name, err));
    JL_TRY(dat_int(dat, "a number of calls", 1, &calls, err));
    JL_TRY(dat_int(dat, "a number of values", 1, &n, err));
    JL_TRY(dat_take(dat, (size_t)n * sizeof(float), "an entry", &values, err));
    JL_TRY(copy_floats(values, (size_t)n, entry->name, dat->file, dat->arena, &entry->values, err));
    float *count = arena_alloc(dat->arena, sizeof *count);
    if (!count) return no_memory(dat->file, err);
    *count = (float)calls;
    entry->counts = count;
    entry->n_value = (size_t)n;
    entry->n_count = 1;
    return JL_OK;
}

#define DAT_ENTRY_BYTES 16 // the smallest: three numbers and a float

static enum jl_status parse_dat(const uint8_t *bytes, size_t size, const char *file,
                                struct arena *arena, struct imatrix *out, struct jl_error *err) {
    struct dat dat = {bytes, size, file, arena};
    int32_t n, chunks;
    out->dataset = "";
    JL_TRY(dat_int(&dat, "the number of entries", 1, &n, err));
    if ((size_t)n > dat.left / DAT_ENTRY_BYTES)
        return report_fail(err, JL_ERR_FORMAT, file,
                           "it is neither a GGUF file nor an imatrix .dat file: %d entries do not "
                           "fit in it",
                           (int)n);
    out->entries = arena_calloc(arena, (size_t)n, sizeof *out->entries);
    if (!out->entries) return no_memory(file, err);
    for (; out->n < (size_t)n; out->n++)
        JL_TRY(dat_entry(&dat, &out->entries[out->n], err));
    if (dat.left) { // what follows is optional
        JL_TRY(dat_int(&dat, "the number of chunks", 0, &chunks, err));
        out->n_chunk = chunks;
        JL_TRY(dat_string(&dat, "the name of the text", &out->dataset, err));
    }
    return finish(out, file, err);
}

/* ---- all ---- */

enum jl_status imatrix_parse(const uint8_t *bytes, size_t size, const char *file,
                             struct arena *arena, struct imatrix *out, struct jl_error *err) {
    *out = (struct imatrix){0};
    if (size >= 4 && !memcmp(bytes, "GGUF", 4))
        return parse_gguf(bytes, size, file, arena, out, err);
    return parse_dat(bytes, size, file, arena, out, err);
}

enum jl_status imatrix_read(const char *path, struct arena *arena, struct imatrix *out,
                            struct jl_error *err) {
    struct file_map map;
    JL_TRY(file_map_open(path, &map, err));
    enum jl_status status = imatrix_parse(map.data, map.size, map.path, arena, out, err);
    file_map_close(&map);
    return status;
}

const struct imatrix_entry *imatrix_find(const struct imatrix *imatrix, const char *name) {
    struct imatrix_entry key = {.name = name};
    return bsearch(&key, imatrix->entries, imatrix->n, sizeof key, by_name);
}

bool imatrix_fits(const struct imatrix_entry *entry, int64_t n_in, int64_t n_matrix) {
    size_t need;
    return n_in > 0 && n_matrix > 0 && size_mul((size_t)n_in, (size_t)n_matrix, &need) &&
           need == entry->n_value && (entry->n_count == 1 || entry->n_count == (size_t)n_matrix);
}

void imatrix_means(const struct imatrix_entry *entry, int64_t n_in, int64_t matrix, float *out) {
    float count = entry->counts[entry->n_count == 1 ? 0 : matrix];
    const float *values = entry->values + matrix * n_in;
    for (int64_t i = 0; i < n_in; i++)
        out[i] = count > 0 ? values[i] / count : 1;
}

static void add_entry(struct gguf_writer *writer, const struct imatrix_entry *entry) {
    char name[256];
    int64_t dim[2] = {(int64_t)entry->n_count, (int64_t)(entry->n_value / entry->n_count)};
    snprintf(name, sizeof name, "%s" SUM, entry->name);
    gguf_add_tensor(writer, name, DTYPE_F32, 2, dim);
    dim[1] = 1;
    snprintf(name, sizeof name, "%s" COUNTS, entry->name);
    gguf_add_tensor(writer, name, DTYPE_F32, 2, dim);
}

static enum jl_status write_all(struct gguf_writer *writer, const struct imatrix *imatrix,
                                struct jl_error *err) {
    struct gguf_string dataset = {imatrix->dataset, strlen(imatrix->dataset)};
    gguf_put_text(writer, "general.type", "imatrix");
    gguf_put_strings(writer, "imatrix.datasets", &dataset, 1);
    gguf_put_u32(writer, "imatrix.chunk_count", (uint32_t)imatrix->n_chunk);
    gguf_put_u32(writer, "imatrix.chunk_size", (uint32_t)imatrix->chunk_size);
    for (size_t i = 0; i < imatrix->n; i++)
        add_entry(writer, &imatrix->entries[i]);
    for (size_t i = 0; i < imatrix->n; i++) {
        const struct imatrix_entry *entry = &imatrix->entries[i];
        JL_TRY(gguf_write_data(writer, entry->values, entry->n_value * sizeof(float), err));
        JL_TRY(gguf_write_data(writer, entry->counts, entry->n_count * sizeof(float), err));
    }
    return gguf_writer_commit(writer, err);
}

enum jl_status imatrix_write(const char *path, const struct imatrix *imatrix,
                             struct jl_error *err) {
    struct gguf_writer *writer;
    JL_TRY(gguf_writer_create(path, 0, &writer, err));
    enum jl_status status = write_all(writer, imatrix, err);
    gguf_writer_free(writer);
    return status;
}
