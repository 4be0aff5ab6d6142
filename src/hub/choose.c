#include "hub/choose.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "hub/name.h"

static bool has_end(const char *text, const char *end) {
    size_t len = strlen(text), tail = strlen(end);
    return len > tail && !strcmp(text + len - tail, end);
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* "-00001-of-00003" in front of `end`: the bytes before it and the two numbers. Any number of
 * digits: shards of safetensors have five or six. */
static bool read_part(const char *path, size_t end, size_t *before, int *no, int *count) {
    size_t i = end, j;
    while (i > 0 && is_digit(path[i - 1]))
        i--;
    if (i == end || end - i > 8 || i < 5 || memcmp(path + i - 4, "-of-", 4)) return false;
    size_t second = i;
    for (i -= 4, j = i; i > 0 && is_digit(path[i - 1]);)
        i--;
    if (i == j || j - i > 8 || i < 2 || path[i - 1] != '-') return false;
    *before = i - 1;
    *no = atoi(path + i);
    *count = atoi(path + second);
    return true;
}

/* ---- names of GGUF files ---- */

/* Bytes of `path` that all parts of its model share. */
static size_t stem_len(const char *path, int *no, int *count) {
    size_t len = strlen(path) - (has_end(path, ".gguf") ? 5 : 0), before;
    *no = *count = 1;
    return read_part(path, len, &before, no, count) ? before : len;
}

const char *hub_gguf_stem(const char *path, struct arena *arena) {
    int no, count;
    return arena_strndup(arena, path, stem_len(path, &no, &count));
}

/* Q4_K_M, IQ2_XXS, TQ1_0, F16, BF16, MXFP4 ... */
static bool is_type(const char *word, size_t len) {
    static const char *const starts[] = {"Q", "IQ", "TQ", "F", "BF", "FP", "MXFP"};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        size_t n = strlen(starts[i]);
        if (len > n && !strncasecmp(word, starts[i], n) && is_digit(word[n]))
            return strspn(word + n,
                          "0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") ==
                   len - n;
    }
    return false;
}

const char *hub_gguf_type(const char *stem) {
    const char *word = stem + strlen(stem);
    while (word > stem && !strchr("-./ ", word[-1]))
        word--;
    return is_type(word, strlen(word)) ? word : "";
}

/* Is `word` in `text`, any case, ended by what no type's name goes on with? */
static bool has_word(const char *text, size_t len, const char *word) {
    size_t n = strlen(word);
    for (size_t i = 0; n && i + n <= len; i++) {
        if (strncasecmp(text + i, word, n)) continue;
        bool start = i == 0 || strchr("-._/ ", text[i - 1]);
        bool end = i + n == len || strchr("-./ ", text[i + n]);
        if (start && end) return true;
    }
    return false;
}

bool hub_pick_means(const char *pick, const char *path) {
    int no, count;
    size_t stem = stem_len(path, &no, &count), len = strlen(pick) - 5 * has_end(pick, ".gguf");
    const char *base = hub_path_base(path);
    size_t skip = (size_t)(base - path), whole = strlen(path) - 5 * has_end(path, ".gguf");
    if (len == whole && !strncmp(pick, path, len)) return true;
    if (len == whole - skip && !strncmp(pick, base, len)) return true;
    if (len == stem && !strncmp(pick, path, len)) return true;
    if (len == stem - skip && !strncmp(pick, base, len)) return true;
    return !has_end(pick, ".gguf") && !strchr(pick, '/') && has_word(path, stem, pick);
}

/* ---- GGUF models ---- */

struct set {
    const struct hub_file *first; // the part that is listed first
    size_t stem;
    int count, found;
    int64_t bytes;
    bool helper; // a vision tower or an importance matrix: no model by itself
};

struct sets {
    struct set *items;
    size_t n;
};

static struct set *find_set(struct sets *sets, const char *path, size_t stem, int count) {
    for (size_t i = 0; i < sets->n; i++) {
        struct set *set = &sets->items[i];
        if (set->stem == stem && set->count == count && !strncmp(set->first->path, path, stem))
            return set;
    }
    return NULL;
}

/* The list is sorted: parts of a set stand together, so only the last few sets are looked at. */
static enum jl_status collect(const struct hub_listing *listing, struct arena *arena,
                              struct sets *out, struct jl_error *err) {
    out->n = 0;
    out->items = arena_calloc(arena, listing->n + 1, sizeof *out->items);
    if (!out->items) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the list of models");
    for (size_t i = 0; i < listing->n; i++) {
        const struct hub_file *file = &listing->files[i];
        int no, count;
        if (!has_end(file->path, ".gguf")) continue;
        size_t stem = stem_len(file->path, &no, &count), tail = out->n > 8 ? out->n - 8 : 0;
        struct sets recent = {out->items + tail, out->n - tail};
        struct set *set = find_set(&recent, file->path, stem, count);
        if (!set) {
            const char *base = hub_path_base(file->path);
            set = &out->items[out->n++];
            *set = (struct set){.first = file, .stem = stem, .count = count};
            set->helper = strstr(base, "mmproj") || strstr(base, "imatrix");
        }
        set->found++;
        if (__builtin_add_overflow(set->bytes, file->size, &set->bytes)) set->bytes = INT64_MAX;
    }
    return JL_OK;
}

static void tell_set(const struct set *set, const struct hub_question *question) {
    char line[1400];
    const char *repo = question->repo;
    if (set->count > 1)
        snprintf(line, sizeof line, "  %s:%s  %.2f GB in %d files", repo, set->first->path,
                 (double)set->bytes / 1e9, set->found);
    else
        snprintf(line, sizeof line, "  %s:%s  %.2f GB", repo, set->first->path,
                 (double)set->bytes / 1e9);
    if (question->tell) question->tell(question->ctx, line);
}

static enum jl_status take_set(const struct hub_question *question, const struct set *set,
                               struct arena *arena, struct hub_choice *out, struct jl_error *err) {
    const struct hub_listing *listing = question->listing;
    const char *repo = question->repo;
    if (set->count < 1 || set->count > 65535 || set->found != set->count)
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: of the model '%.*s' in %d parts, %d are there: it is not complete",
                       repo, (int)set->stem, set->first->path, set->count, set->found);
    out->files = arena_calloc(arena, (size_t)set->count, sizeof *out->files);
    if (!out->files) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the list of parts");
    for (size_t i = 0; i < listing->n; i++) {
        const struct hub_file *file = &listing->files[i];
        int no, count;
        if (!has_end(file->path, ".gguf")) continue;
        if (stem_len(file->path, &no, &count) != set->stem || count != set->count ||
            strncmp(file->path, set->first->path, set->stem))
            continue;
        if (no < 1 || no > count || out->files[no - 1])
            return jl_fail(err, JL_ERR_FORMAT, "%s: '%s' is no part of a model in %d parts", repo,
                           file->path, count);
        out->files[no - 1] = file;
    }
    out->n = (size_t)set->count;
    out->gguf = true;
    out->pick = out->files[0]->path;
    return JL_OK;
}

static bool is_exact(const char *pick, const char *path) {
    return !strcmp(pick, path) || !strcmp(pick, hub_path_base(path));
}

static enum jl_status choose_gguf(const struct hub_question *question, struct arena *arena,
                                  struct hub_choice *out, struct jl_error *err) {
    const char *pick = question->pick, *repo = question->repo;
    struct sets sets;
    const struct set *found = NULL, *exact = NULL;
    size_t n = 0, n_exact = 0, n_model = 0;
    JL_TRY(collect(question->listing, arena, &sets, err));
    for (size_t i = 0; i < sets.n; i++) {
        const struct set *set = &sets.items[i];
        n_model += !set->helper;
        if (pick && is_exact(pick, set->first->path)) {
            exact = set;
            n_exact++;
        }
        if (set->helper || (pick && !hub_pick_means(pick, set->first->path))) continue;
        found = set;
        n++;
    }
    if (n_exact == 1) return take_set(question, exact, arena, out, err);
    if (n == 1) return take_set(question, found, arena, out, err);
    if (n_model == 0)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "%s has no GGUF model%s%s", repo,
                       pick ? ", so nothing is called " : "", pick ? pick : "");
    for (size_t i = 0; i < sets.n; i++) {
        const struct set *set = &sets.items[i];
        if (!set->helper && (n == 0 || !pick || hub_pick_means(pick, set->first->path)))
            tell_set(set, question);
    }
    if (pick && n == 0)
        return jl_fail(err, JL_ERR_USAGE, "%s has no GGUF model '%s'; it has the %zu above", repo,
                       pick, n_model);
    return jl_fail(err, JL_ERR_USAGE,
                   "%s has %zu GGUF models%s%s; name one of those above, by its type or its file",
                   repo, n, pick ? " that fit " : "", pick ? pick : "");
}

/* ---- folders ---- */

static const char *const side_files[] = {
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
    "tiktoken.model",
};

static bool is_side_file(const char *path) {
    for (size_t i = 0; i < sizeof side_files / sizeof side_files[0]; i++)
        if (!strcmp(path, side_files[i])) return true;
    return has_end(path, ".tiktoken") && !strchr(path, '/');
}

static const struct hub_file *find(const struct hub_listing *listing, const char *path) {
    size_t low = 0, high = listing->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(path, listing->files[middle].path);
        if (order == 0) return &listing->files[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* Says which weights there are in forms that are not read here. */
static enum jl_status refuse(const struct hub_listing *listing, const char *repo,
                             struct jl_error *err) {
    static const char *const others[] = {".bin", ".pt",      ".pth",  ".ckpt", ".pkl",
                                         ".h5",  ".msgpack", ".onnx", ".npz"};
    for (size_t i = 0; i < listing->n; i++)
        for (size_t j = 0; j < sizeof others / sizeof others[0]; j++)
            if (has_end(listing->files[i].path, others[j]))
                return jl_fail(err, JL_ERR_UNSUPPORTED,
                               "%s has its weights as %s files only (%s): Jinlin reads safetensors "
                               "and GGUF; look for the model in one of these forms",
                               repo, others[j], listing->files[i].path);
    return jl_fail(err, JL_ERR_UNSUPPORTED,
                   "%s has no weights that Jinlin reads: neither GGUF files nor config.json with "
                   "model.safetensors (its %zu files are of another kind)",
                   repo, listing->n);
}

#define SINGLE "model.safetensors"
#define INDEX "model.safetensors.index.json"

static bool has_gguf(const struct hub_listing *listing) {
    for (size_t i = 0; i < listing->n; i++)
        if (has_end(listing->files[i].path, ".gguf")) return true;
    return false;
}

static bool is_folder(const struct hub_question *question) {
    const struct hub_listing *listing = question->listing;
    return !question->pick && find(listing, "config.json") &&
           (find(listing, SINGLE) || find(listing, INDEX));
}

bool hub_choose_needs_index(const struct hub_question *question) {
    return is_folder(question) && find(question->listing, INDEX);
}

/* Marks the files that the values of "weight_map" name. */
static enum jl_status mark_shards(const struct hub_question *question, bool *marks,
                                  struct jl_error *err) {
    json_t *root;
    enum jl_status status =
        jl_json_load(question->index, question->index_size, JSON_REJECT_DUPLICATES, &root, NULL);
    if (status == JL_ERR_MEMORY)
        return jl_fail(err, status, "%s: out of memory for " INDEX, question->repo);
    json_t *map = json_object_get(root, "weight_map"), *value;
    const struct hub_file *file;
    const char *tensor;
    status = JL_OK;
    if (!json_is_object(map) || json_object_size(map) == 0)
        status = jl_fail(err, JL_ERR_FORMAT, "%s: " INDEX " has no 'weight_map'", question->repo);
    json_object_foreach(map, tensor, value) {
        const char *path = json_string_value(value);
        if (status != JL_OK) break;
        file = path && has_end(path, ".safetensors") && !strchr(path, '/')
                   ? find(question->listing, path)
                   : NULL;
        if (file)
            marks[file - question->listing->files] = true;
        else
            status = jl_fail(err, JL_ERR_FORMAT,
                             "%s: " INDEX " says that tensor '%s' lies in '%s', which the "
                             "repository does not have as a file beside it",
                             question->repo, tensor, path ? path : "?");
    }
    json_decref(root);
    return status;
}

static enum jl_status choose_folder(const struct hub_question *question, struct arena *arena,
                                    struct hub_choice *out, struct jl_error *err) {
    const struct hub_listing *listing = question->listing;
    bool *marks = arena_calloc(arena, listing->n, sizeof *marks);
    out->files = arena_calloc(arena, listing->n, sizeof *out->files);
    if (!out->files || !marks)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for the list of files");
    const struct hub_file *index = find(listing, INDEX), *single = find(listing, SINGLE);
    if (index)
        JL_TRY(mark_shards(question, marks, err));
    else
        marks[single - listing->files] = true;
    for (size_t i = 0; i < listing->n; i++)
        if (is_side_file(listing->files[i].path) || &listing->files[i] == index)
            out->files[out->n++] = &listing->files[i];
    for (size_t i = 0; i < listing->n; i++)
        if (marks[i]) out->files[out->n++] = &listing->files[i];
    return JL_OK;
}

enum jl_status hub_choose(const struct hub_question *question, struct arena *arena,
                          struct hub_choice *out, struct jl_error *err) {
    *out = (struct hub_choice){0};
    if (is_folder(question)) return choose_folder(question, arena, out, err);
    if (question->pick || has_gguf(question->listing))
        return choose_gguf(question, arena, out, err);
    return refuse(question->listing, question->repo, err);
}
