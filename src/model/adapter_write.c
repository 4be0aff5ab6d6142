/* Adapters into files. Roles that are parts of one tensor there are put together: where both parts
 * have the same A it stands once, else the parts' ranks lie side by side and each B is zero in the
 * other's. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/file_folder.h"
#include "format/gguf_write.h"
#include "format/report.h"
#include "format/st_write.h"
#include "model/adapter_self.h"
#include "model/export_place.h"

#define MOST_PARTS 2

/* One pair of tensors. */
struct site {
    struct export_place place;
    const struct adapter_pair *part[MOST_PARTS]; // NULL: the tensor's part has no adapter
    int expert;                                  // whose it is, where each has its own; else 0
    int stacked;                                 // experts that stand together; 0: one matrix
    bool shared;                                 // all parts have the same A
    bool folded;                                 // A holds the factor
    int rank, n_in, n_out;
    double alpha;
};

struct writing {
    const struct model *base;
    const struct adapter *adapter;
    enum model_file_kind kind;
    const char *path;
    struct site *sites;
    int n;
    struct jl_error *err;
};

static bool same_a(const struct adapter_pair *x, const struct adapter_pair *y) {
    return x->rank == y->rank && x->alpha == y->alpha &&
           !memcmp(x->a, y->a, adapter_n_a(x) * sizeof *x->a);
}

static void add_part(struct site *site, const struct adapter_pair *pair) {
    const struct adapter_pair *other = site->part[0] ? site->part[0] : site->part[1];
    site->part[site->place.part] = pair;
    site->n_in = pair->n_in;
    site->n_out = pair->n_out * site->place.parts;
    site->alpha = pair->alpha;
    site->rank = pair->rank;
    if (site->place.parts == 1 || !other) return;
    site->shared = same_a(pair, other);
    if (site->shared) return;
    site->folded = true;
    site->rank = pair->rank + other->rank;
    site->alpha = site->rank;
}

static struct site *find(struct writing *w, const char *name) {
    for (int i = 0; i < w->n; i++)
        if (!strcmp(w->sites[i].place.name, name)) return &w->sites[i];
    return NULL;
}

static enum jl_status add_site(struct writing *w, const struct adapter_pair *pair, int expert,
                               bool *apart) {
    struct export_place place;
    if (!export_place(w->base->family, w->kind, pair->role, pair->layer, expert, &place) ||
        place.parts > MOST_PARTS)
        return report_fail(w->err, JL_ERR_UNSUPPORTED, w->path,
                           "such files have no tensor for '%s' of layer %d, which the adapter "
                           "stands on",
                           role_row(pair->role)->gguf, pair->layer);
    struct site *site = place.parts > 1 ? find(w, place.name) : NULL;
    if (!site) {
        site = &w->sites[w->n++];
        site->place = place;
        site->expert = expert;
        site->stacked = place.apart ? 0 : pair->n_expert;
    }
    site->place.part = place.part;
    add_part(site, pair);
    *apart = place.apart;
    return JL_OK;
}

static enum jl_status find_sites(struct writing *w) {
    size_t most = 1;
    for (int i = 0; i < w->adapter->n; i++)
        most += adapter_matrices(&w->adapter->pairs[i]);
    w->sites = calloc(most, sizeof *w->sites);
    if (!w->sites) return adapter_no_memory(w->path, w->err);
    for (int i = 0; i < w->adapter->n; i++) {
        const struct adapter_pair *pair = &w->adapter->pairs[i];
        bool apart = false;
        JL_TRY(add_site(w, pair, 0, &apart));
        for (int e = 1; apart && e < pair->n_expert; e++)
            JL_TRY(add_site(w, pair, e, &apart));
    }
    return JL_OK;
}

/* ---- rows ---- */

/* (rank, n_in) of matrix m of the site, or (n_in, rank). */
static void put_a(const struct writing *w, const struct site *site, size_t m, float *out) {
    for (int p = 0; p < MOST_PARTS; p++) {
        const struct adapter_pair *pair = site->part[p];
        if (!pair || (p > 0 && site->shared)) continue;
        size_t n = (size_t)pair->rank * (size_t)pair->n_in;
        const float *a = pair->a + ((size_t)site->expert + m) * n;
        if (adapter_a_turned(w->kind, pair->role)) {
            adapter_turn(a, pair->n_in, pair->rank, out);
            a = out;
        }
        adapter_scale(a, site->folded ? adapter_factor(pair) : 1.0f, n, out);
        out += n;
    }
}

/* (n_out, rank) */
static void put_b(const struct writing *w, const struct site *site, size_t m, float *out) {
    int at = 0;
    for (int p = 0; p < MOST_PARTS; p++) {
        const struct adapter_pair *pair = site->part[p];
        if (!pair) continue;
        size_t rank = (size_t)pair->rank;
        const float *b = pair->b + ((size_t)site->expert + m) * (size_t)pair->n_out * rank;
        for (int o = 0; o < pair->n_out; o++) {
            int row = p * pair->n_out + o;
            int from = adapter_row(w->base, pair->role, w->base->file->kind, w->kind, o);
            memcpy(out + (size_t)row * (size_t)site->rank + at, b + (size_t)from * rank,
                   rank * sizeof *out);
        }
        if (!site->shared) at += pair->rank;
    }
}

typedef enum jl_status write_fn(void *writer, const void *data, size_t bytes, struct jl_error *err);

static enum jl_status write_data(const struct writing *w, write_fn *write, void *writer) {
    enum jl_status status = JL_OK;
    for (int i = 0; i < w->n && status == JL_OK; i++) {
        const struct site *site = &w->sites[i];
        size_t each_a = (size_t)site->rank * (size_t)site->n_in;
        size_t each_b = (size_t)site->rank * (size_t)site->n_out;
        size_t n = (size_t)(site->stacked ? site->stacked : 1);
        float *a = calloc(n * each_a, sizeof *a), *b = calloc(n * each_b, sizeof *b);
        if (a && b) {
            for (size_t m = 0; m < n; m++) {
                put_a(w, site, m, a + m * each_a);
                put_b(w, site, m, b + m * each_b);
            }
            status = write(writer, a, n * each_a * sizeof *a, w->err);
            if (status == JL_OK) status = write(writer, b, n * each_b * sizeof *b, w->err);
        } else {
            status = adapter_no_memory(w->path, w->err);
        }
        free(a);
        free(b);
    }
    return status;
}

/* Returns how many dimensions. */
static int name_and_shape(const struct writing *w, const struct site *site, bool is_b,
                          char name[ADAPTER_NAME], int64_t dim[3]) {
    int n = 0;
    enum role_id role = (site->part[0] ? site->part[0] : site->part[1])->role;
    bool by_token = adapter_a_by_token(w->kind, role);
    adapter_tensor_name(w->kind, role, site->place.name, is_b, name);
    if (site->stacked) dim[n++] = site->stacked;
    dim[n++] = is_b ? site->n_out : by_token ? site->n_in : site->rank;
    dim[n++] = is_b || by_token ? site->rank : site->n_in;
    return n;
}

/* ---- GGUF ---- */

/* One alpha must serve all; else each A holds its own factor and alpha is 0. */
static float common_alpha(struct writing *w) {
    float alpha = (float)w->sites[0].alpha;
    for (int i = 0; i < w->n; i++) {
        const struct site *s = &w->sites[i];
        if ((float)s->alpha != alpha || (double)alpha != s->alpha) alpha = 0;
    }
    for (int i = 0; alpha == 0 && i < w->n; i++)
        w->sites[i].folded = true;
    return alpha;
}

static enum jl_status write_gguf_data(void *writer, const void *data, size_t bytes,
                                      struct jl_error *err) {
    return gguf_write_data(writer, data, bytes, err);
}

static enum jl_status write_gguf(struct writing *w) {
    struct gguf_writer *writer;
    char name[ADAPTER_NAME];
    int64_t dim[3];
    JL_TRY(find_sites(w));
    JL_TRY(gguf_writer_create(w->path, 0, &writer, w->err));
    gguf_put_text(writer, "general.type", "adapter");
    gguf_put_text(writer, "general.architecture", w->base->family->gguf);
    gguf_put_text(writer, "general.name", w->adapter->name);
    gguf_put_text(writer, "adapter.type", "lora");
    gguf_put_f32(writer, "adapter.lora.alpha", common_alpha(w));
    for (int i = 0; i < 2 * w->n; i++) {
        int n_dim = name_and_shape(w, &w->sites[i / 2], i % 2, name, dim);
        gguf_add_tensor(writer, name, DTYPE_F32, n_dim, dim);
    }
    enum jl_status status = write_data(w, write_gguf_data, writer);
    if (status == JL_OK) status = gguf_writer_commit(writer, w->err);
    gguf_writer_free(writer);
    return status;
}

enum jl_status adapter_write_gguf(const struct model *base, const struct adapter *adapter,
                                  const char *path, struct jl_error *err) {
    struct writing w = {
        .base = base, .adapter = adapter, .kind = MODEL_FILE_GGUF, .path = path, .err = err};
    enum jl_status status =
        adapter->n ? write_gguf(&w) : jl_fail(err, JL_ERR_USAGE, "the adapter has no matrices");
    free(w.sites);
    return status;
}

/* ---- a folder ---- */

static json_t *alpha_json(double alpha) {
    return alpha == floor(alpha) && fabs(alpha) < 1e15 ? json_integer((json_int_t)alpha)
                                                       : json_real(alpha);
}

static void add_target(json_t *targets, const char *module, size_t n) {
    size_t from = n, i;
    json_t *item;
    while (from > 0 && module[from - 1] != '.')
        from--;
    json_array_foreach(targets, i,
                       item) if (json_string_length(item) == n - from &&
                                 !strncmp(json_string_value(item), module + from, n - from)) return;
    json_array_append_new(targets, json_stringn(module + from, n - from));
}

static json_t *config_json(const struct writing *w) {
    json_t *targets = json_array(), *ranks = json_object(), *alphas = json_object();
    const struct site *first = &w->sites[0];
    for (int i = 0; i < w->n; i++) {
        const struct site *site = &w->sites[i];
        char module[sizeof site->place.name];
        size_t n = strlen(site->place.name) - strlen(".weight");
        snprintf(module, sizeof module, "%.*s", (int)n, site->place.name);
        add_target(targets, module, n);
        if (site->rank != first->rank) json_object_set_new(ranks, module, json_integer(site->rank));
        if (site->alpha != first->alpha)
            json_object_set_new(alphas, module, alpha_json(site->alpha));
    }
    return json_pack("{s:s, s:s, s:n, s:b, s:i, s:o, s:f, s:s, s:o, s:o, s:o, s:b, s:b, s:b, s:b, "
                     "s:n}",
                     "peft_type", "LORA", "task_type", "CAUSAL_LM", "base_model_name_or_path",
                     "inference_mode", 1, "r", first->rank, "lora_alpha", alpha_json(first->alpha),
                     "lora_dropout", 0.0, "bias", "none", "target_modules", targets, "rank_pattern",
                     ranks, "alpha_pattern", alphas, "use_rslora", 0, "use_dora", 0,
                     "fan_in_fan_out", 0, "init_lora_weights", 1, "modules_to_save");
}

static enum jl_status write_config(const struct writing *w, const char *folder) {
    struct file_writer writer;
    json_t *config = config_json(w);
    char *text = config ? json_dumps(config, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
    char *path = file_path_in(folder, "adapter_config.json");
    enum jl_status status =
        text && path ? file_writer_open(path, &writer, w->err) : adapter_no_memory(w->path, w->err);
    if (status == JL_OK) {
        fprintf(writer.stream, "%s\n", text); // commit finds what failed
        status = file_writer_commit(&writer, w->err);
    }
    json_decref(config);
    free(text);
    free(path);
    return status;
}

static enum jl_status write_st_data(void *writer, const void *data, size_t bytes,
                                    struct jl_error *err) {
    return st_write_data(writer, data, bytes, err);
}

static enum jl_status write_weights(const struct writing *w, const char *folder) {
    struct st_writer *writer;
    char name[ADAPTER_NAME];
    int64_t dim[3];
    JL_TRY(st_writer_create(folder, 0, &writer, w->err));
    st_writer_rename(writer, "adapter_model.safetensors");
    for (int i = 0; i < 2 * w->n; i++) {
        int n_dim = name_and_shape(w, &w->sites[i / 2], i % 2, name, dim);
        st_add_tensor(writer, name, DTYPE_F32, n_dim, dim);
    }
    enum jl_status status = write_data(w, write_st_data, writer);
    if (status == JL_OK) status = st_writer_commit(writer, w->err);
    st_writer_free(writer);
    return status;
}

static enum jl_status write_folder(struct writing *w) {
    struct file_folder folder;
    JL_TRY(find_sites(w));
    JL_TRY(file_folder_open(w->path, &folder, w->err));
    enum jl_status status = write_weights(w, folder.tmp_path);
    if (status == JL_OK) status = write_config(w, folder.tmp_path);
    if (status == JL_OK) status = file_folder_commit(&folder, w->err);
    file_folder_abort(&folder);
    return status;
}

enum jl_status adapter_write_folder(const struct model *base, const struct adapter *adapter,
                                    const char *path, struct jl_error *err) {
    struct writing w = {
        .base = base, .adapter = adapter, .kind = MODEL_FILE_HF, .path = path, .err = err};
    enum jl_status status =
        adapter->n ? write_folder(&w) : jl_fail(err, JL_ERR_USAGE, "the adapter has no matrices");
    free(w.sites);
    return status;
}
