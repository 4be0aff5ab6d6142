/* A header is printed twice from the table of tensors: once to count its bytes, which come first in
 * the file, and once into it. */
#include "format/st_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "format/report.h"
#include "format/st.h"
#include "format/tensor_list.h"

#define SINGLE "model.safetensors"
#define INDEX "model.safetensors.index.json"
#define MAX_NAME 256
#define HEADER_ALIGN 8 // so that the data begins aligned, as the reference writer has it

struct st_writer {
    struct file_writer file; // of the current shard; stream NULL between shards
    char *folder;
    const char *single;    // the name of a file that is all there is
    struct jl_error error; // the first failure; status JL_OK while there is none
    struct arena arena;    // names
    struct tensor_info *tensors;
    size_t n, cap;
    size_t *ends; // [n_shard]: the tensor behind the shard's last one; NULL until data comes
    size_t n_shard, shard;
    size_t shard_bytes;      // 0: no limit
    size_t current, written; // tensor being written, and its bytes so far
};

static bool is_ok(const struct st_writer *w) { return w->error.status == JL_OK; }

static void no_memory(struct st_writer *w) {
    report_no_memory(&w->error, w->folder, "the weights to be written");
}

static void bad_use(struct st_writer *w, const char *name, const char *fault) {
    report_fail(&w->error, JL_ERR_USAGE, w->folder, "cannot write tensor %s: %s",
                report_quote_str(name).text, fault);
}

static enum jl_status result(const struct st_writer *w, struct jl_error *err) {
    return is_ok(w) ? JL_OK : jl_fail(err, w->error.status, "%s", w->error.message);
}

/* ---- creation and release ---- */

enum jl_status st_writer_create(const char *folder, size_t shard_bytes, struct st_writer **out,
                                struct jl_error *err) {
    *out = NULL;
    struct st_writer *w = calloc(1, sizeof *w);
    if (w) w->folder = arena_strdup(&w->arena, folder);
    if (!w || !w->folder) {
        st_writer_free(w);
        return report_no_memory(err, folder, "the weights to be written");
    }
    w->shard_bytes = shard_bytes;
    w->single = SINGLE;
    *out = w;
    return JL_OK;
}

void st_writer_free(struct st_writer *w) {
    if (!w) return;
    file_writer_abort(&w->file);
    free(w->tensors);
    free(w->ends);
    arena_free(&w->arena);
    free(w);
}

void st_writer_rename(struct st_writer *w, const char *name) {
    w->single = arena_strdup(&w->arena, name);
    if (!w->single) no_memory(w);
}

/* ---- tensors ---- */

/* Names stand in JSON as they are: what would have to be escaped there is in no model. */
static const char *name_fault(const struct st_writer *w, const char *name) {
    size_t len = strlen(name);
    if (w->ends) return "the header is already written";
    if (len == 0) return "the name is empty";
    if (len > MAX_NAME) return "the name is too long";
    for (size_t i = 0; i < len; i++)
        if (name[i] < 0x20 || name[i] > 0x7e || name[i] == '"' || name[i] == '\\')
            return "the name has characters that no model uses";
    return strcmp(name, "__metadata__") == 0 ? "the format keeps that name for itself" : NULL;
}

static bool make_room(struct st_writer *w) {
    if (w->n < w->cap) return true;
    size_t cap = w->cap ? w->cap * 2 : 64;
    struct tensor_info *grown = realloc(w->tensors, cap * sizeof *grown);
    if (!grown) return false;
    w->tensors = grown;
    w->cap = cap;
    return true;
}

void st_add_tensor(struct st_writer *w, const char *name, enum dtype dtype, int n_dim,
                   const int64_t *dim) {
    struct tensor_info info = {.dtype = dtype, .n_dim = n_dim, .file = w->folder};
    if (!is_ok(w)) return;
    const char *fault = name_fault(w, name);
    if (!fault && !dtype_row(dtype)->safetensors) fault = "safetensors has no such type";
    if (!fault && (n_dim < 1 || n_dim > TENSOR_MAX_DIM)) fault = "it needs 1 to 4 dimensions";
    for (int i = 0; !fault && i < n_dim; i++) {
        info.dim[i] = dim[i];
        if (dim[i] < 1) fault = "its dimensions must be above zero";
    }
    if (fault) {
        bad_use(w, name, fault);
        return;
    }
    info.name = arena_strdup(&w->arena, name);
    if (!info.name || !make_room(w)) {
        no_memory(w);
        return;
    }
    if (tensor_list_measure(&info, &w->error) == JL_OK) w->tensors[w->n++] = info;
}

/* ---- shards ---- */

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void check_repeats(struct st_writer *w) {
    const char **names = calloc(w->n + 1, sizeof *names);
    if (!names) {
        no_memory(w);
        return;
    }
    for (size_t i = 0; i < w->n; i++)
        names[i] = w->tensors[i].name;
    qsort(names, w->n, sizeof *names, compare_names);
    for (size_t i = 1; i < w->n && is_ok(w); i++)
        if (strcmp(names[i - 1], names[i]) == 0) bad_use(w, names[i], "it was added twice");
    free(names);
}

/* Decides, before the first data, which tensors share a file. */
static void cut(struct st_writer *w) {
    size_t bytes = 0;
    if (w->ends || !is_ok(w)) return;
    check_repeats(w);
    w->ends = calloc(w->n + 1, sizeof *w->ends);
    if (!w->ends) {
        no_memory(w);
        return;
    }
    for (size_t i = 0; i < w->n; i++) {
        size_t sum;
        bool over = !size_add(bytes, w->tensors[i].bytes, &sum) || sum > PTRDIFF_MAX;
        if (i && (over || (w->shard_bytes && sum > w->shard_bytes))) {
            w->ends[w->n_shard++] = i;
            sum = w->tensors[i].bytes;
        }
        bytes = sum;
    }
    w->ends[w->n_shard++] = w->n;
}

static char *shard_name(const struct st_writer *w, size_t shard, char out[64]) {
    if (w->n_shard == 1)
        snprintf(out, 64, "%s", w->single);
    else
        snprintf(out, 64, "model-%05zu-of-%05zu.safetensors", shard + 1, w->n_shard);
    return out;
}

/* ---- the header of a shard ---- */

static size_t print_entry(const struct tensor_info *t, uint64_t at, char *out, size_t size) {
    size_t used = (size_t)snprintf(out, size, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", t->name,
                                   dtype_row(t->dtype)->safetensors);
    for (int i = 0; i < t->n_dim; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%" PRId64, i ? "," : "", t->dim[i]);
    used += (size_t)snprintf(out + used, size - used,
                             "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", at, at + t->bytes);
    return used;
}

static void emit(struct st_writer *w, const void *data, size_t bytes) {
    if (!is_ok(w) || bytes == 0) return;
    if (fwrite(data, 1, bytes, w->file.stream) == bytes) return;
    report_fail(&w->error, JL_ERR_IO, w->file.path, "cannot write: %m");
}

/* Some readers want to know which library's tensors these are. */
static const char start[] = "{\"__metadata__\":{\"format\":\"pt\"}";

static void emit_header(struct st_writer *w, size_t first, size_t end) {
    char entry[MAX_NAME + 256];
    static const char spaces[HEADER_ALIGN + 1] = "        ";
    uint64_t length = sizeof start, at = 0; // with the brace behind
    for (size_t i = first; i < end; at += w->tensors[i++].bytes)
        length += print_entry(&w->tensors[i], at, entry, sizeof entry);
    size_t padding = (HEADER_ALIGN - length % HEADER_ALIGN) % HEADER_ALIGN;
    length += padding;
    if (length > ST_MAX_HEADER) {
        bad_use(w, w->tensors[first].name, "the file would have too many tensors for a header");
        return;
    }
    emit(w, &length, sizeof length);
    emit(w, start, sizeof start - 1);
    at = 0;
    for (size_t i = first; i < end; at += w->tensors[i++].bytes)
        emit(w, entry, print_entry(&w->tensors[i], at, entry, sizeof entry));
    emit(w, "}", 1);
    emit(w, spaces, padding);
}

/* ---- files ---- */

static void open_file(struct st_writer *w, const char *name) {
    if (!is_ok(w)) return;
    char *path = file_path_in(w->folder, name);
    if (path)
        file_writer_open(path, &w->file, &w->error);
    else
        no_memory(w);
    free(path);
}

static void open_shard(struct st_writer *w) {
    char name[64];
    if (w->file.stream || !is_ok(w)) return;
    open_file(w, shard_name(w, w->shard, name));
    if (is_ok(w)) emit_header(w, w->shard ? w->ends[w->shard - 1] : 0, w->ends[w->shard]);
}

static void close_shard(struct st_writer *w) {
    if (!is_ok(w)) return;
    file_writer_commit(&w->file, &w->error);
    w->shard++;
}

static void emit_index(struct st_writer *w) {
    char line[MAX_NAME + 128], name[64];
    uint64_t total = 0;
    if (w->n_shard < 2 || !is_ok(w)) return;
    for (size_t i = 0; i < w->n; i++)
        total += w->tensors[i].bytes;
    open_file(w, INDEX);
    int n = snprintf(
        line, sizeof line,
        "{\n  \"metadata\": {\n    \"total_size\": %" PRIu64 "\n  },\n  \"weight_map\": {", total);
    emit(w, line, (size_t)n);
    for (size_t i = 0, shard = 0; i < w->n; i++) {
        if (i == w->ends[shard]) shard++;
        n = snprintf(line, sizeof line, "%s\n    \"%s\": \"%s\"", i ? "," : "", w->tensors[i].name,
                     shard_name(w, shard, name));
        emit(w, line, (size_t)n);
    }
    emit(w, "\n  }\n}\n", 7);
    if (is_ok(w)) file_writer_commit(&w->file, &w->error);
}

/* ---- data ---- */

enum jl_status st_write_data(struct st_writer *w, const void *data, size_t bytes,
                             struct jl_error *err) {
    cut(w);
    size_t left = w->current < w->n ? w->tensors[w->current].bytes - w->written : 0;
    if (is_ok(w) && bytes > left)
        report_fail(&w->error, JL_ERR_USAGE, w->folder,
                    "%zu bytes of data were given where the tensor takes %zu more", bytes, left);
    if (!is_ok(w) || bytes == 0) return result(w, err);
    open_shard(w);
    emit(w, data, bytes);
    w->written += bytes;
    if (bytes == left) {
        w->current++;
        w->written = 0;
        if (w->current == w->ends[w->shard]) close_shard(w);
    }
    return result(w, err);
}

enum jl_status st_writer_commit(struct st_writer *w, struct jl_error *err) {
    cut(w);
    if (is_ok(w) && w->n == 0)
        report_fail(&w->error, JL_ERR_USAGE, w->folder, "there are no tensors to write");
    if (is_ok(w) && w->current < w->n)
        bad_use(w, w->tensors[w->current].name, "its data is incomplete");
    emit_index(w);
    if (!is_ok(w)) file_writer_abort(&w->file);
    return result(w, err);
}
