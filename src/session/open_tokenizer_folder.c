/* Tokenizers of a model folder. Of several files the first of this order is taken: tokenizer.json;
 * vocab.json with merges.txt; a rank file; tokenizer.model. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/json_text.h"
#include "format/report.h"
#include "session/open_tokenizer.h"

#define MAX_JSON_BYTES ((size_t)256 << 20)
#define MAX_CONFIG_BYTES ((size_t)16 << 20)

/* file_exists without the heap: "no memory" must not look like "no file". */
static bool has(const char *folder, const char *name) {
    struct stat st;
    int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool found = dir >= 0 && (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
                              (errno != ENOENT && errno != ENOTDIR));
    if (dir >= 0) close(dir);
    return found;
}

/* A file of the folder; *text stays NULL when there is none of this name. */
static enum jl_status read_file(const char *folder, const char *name, size_t limit, char **text,
                                size_t *len, struct jl_error *err) {
    char *path = file_path_in(folder, name);
    *text = NULL;
    *len = 0;
    if (!path) return report_no_memory(err, folder, "a path");
    enum jl_status status =
        file_exists(path) ? file_read_regular(path, limit, text, len, err) : JL_OK;
    free(path);
    return status;
}

static enum jl_status name_folder(const char *folder, enum jl_status status,
                                  const struct jl_error *inner, struct jl_error *err) {
    return status == JL_OK ? JL_OK : report_fail(err, status, folder, "%s", inner->message);
}

/* ---- what the configurations say ---- */

/* model_type of config.json and tokenizer_class of tokenizer_config.json, NULL when absent; in the
 * arena. */
struct kinds {
    const char *model_type, *tokenizer_class;
};

static enum jl_status read_key(const char *folder, const char *name, const char *key,
                               struct arena *arena, const char **out, struct jl_error *err) {
    char *text;
    size_t len;
    json_t *root = NULL;
    *out = NULL;
    JL_TRY(read_file(folder, name, MAX_CONFIG_BYTES, &text, &len, err));
    if (!text) return JL_OK;
    struct jl_error inner;
    enum jl_status status = json_text_parse_big(text, len, name, JSON_TEXT_BIG_REAL, &root, &inner);
    free(text);
    JL_TRY(name_folder(folder, status, &inner, err));
    const char *value = json_string_value(json_object_get(root, key));
    if (value && !(*out = arena_strdup(arena, value)))
        status = report_no_memory(err, folder, "its configuration");
    json_decref(root);
    return status;
}

static enum jl_status read_kinds(const char *folder, struct arena *arena, struct kinds *out,
                                 struct jl_error *err) {
    JL_TRY(read_key(folder, "config.json", "model_type", arena, &out->model_type, err));
    return read_key(folder, "tokenizer_config.json", "tokenizer_class", arena,
                    &out->tokenizer_class, err);
}

/* Folders whose rank file can only be split in one way. NULL: not certain. */
static const char *certain_pre(const struct kinds *kinds) {
    static const struct {
        const char *model_type, *tokenizer_class; // NULL: any
        const char *pre;
    } rows[] = {
        {"kimi_k2", "TikTokenTokenizer", "kimi-k2"},
        {"kimi_linear", "TikTokenTokenizer", "kimi-k2"},
        {"kimi_vl", "TikTokenTokenizer", "kimi-k2"},
        {NULL, "QWenTokenizer", "qwen2"},
        {NULL, "ChatGLM4Tokenizer", "glm4"},
    };
    if (!kinds->tokenizer_class) return NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].tokenizer_class, kinds->tokenizer_class) != 0) continue;
        if (!rows[i].model_type ||
            (kinds->model_type && strcmp(rows[i].model_type, kinds->model_type) == 0))
            return rows[i].pre;
    }
    return NULL;
}

/* ---- kinds of folders ---- */

static enum jl_status open_parts(const char *folder, struct tokenizer **out, struct jl_error *err) {
    char *vocab = NULL, *merges = NULL, *config = NULL, *added = NULL, *special = NULL;
    struct tokenizer_files files = {0};
    struct kinds kinds = {0};
    struct arena arena = {0};
    struct jl_error inner;
    enum jl_status status =
        read_file(folder, "vocab.json", MAX_JSON_BYTES, &vocab, &files.vocab_len, err);
    if (status == JL_OK)
        status = read_file(folder, "merges.txt", MAX_JSON_BYTES, &merges, &files.merges_len, err);
    if (status == JL_OK)
        status = read_file(folder, "tokenizer_config.json", MAX_CONFIG_BYTES, &config,
                           &files.config_len, err);
    if (status == JL_OK)
        status =
            read_file(folder, "added_tokens.json", MAX_CONFIG_BYTES, &added, &files.added_len, err);
    if (status == JL_OK)
        status = read_file(folder, "special_tokens_map.json", MAX_CONFIG_BYTES, &special,
                           &files.special_tokens_len, err);
    if (status == JL_OK) status = read_kinds(folder, &arena, &kinds, err);
    if (status == JL_OK) {
        files.vocab = vocab;
        files.merges = merges;
        files.config = config;
        files.added = added;
        files.special_tokens = special;
        files.model_type = kinds.model_type;
        status = name_folder(folder, tokenizer_from_files(&files, out, &inner), &inner, err);
    }
    free(vocab);
    free(merges);
    free(config);
    free(added);
    free(special);
    arena_free(&arena);
    return status;
}

/* The name of the folder's rank file: "tiktoken.model", or the first *.tiktoken in byte order.
 * "": there is none. */
static enum jl_status find_rank_file(const char *folder, char name[NAME_MAX + 1],
                                     struct jl_error *err) {
    static const char suffix[] = ".tiktoken";
    *name = 0;
    if (has(folder, "tiktoken.model")) {
        strcpy(name, "tiktoken.model");
        return JL_OK;
    }
    DIR *dir = opendir(folder);
    if (!dir && errno == ENOMEM) return report_no_memory(err, folder, "its list of files");
    if (!dir) return JL_OK;
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        size_t len = strlen(entry->d_name);
        if (len < sizeof suffix || len > NAME_MAX ||
            strcmp(entry->d_name + len - sizeof suffix + 1, suffix) != 0)
            continue;
        if (!*name || strcmp(entry->d_name, name) < 0) memcpy(name, entry->d_name, len + 1);
    }
    closedir(dir);
    return JL_OK;
}

static enum jl_status open_named(const char *folder, const char *name, const char *pre,
                                 struct tokenizer **out, struct jl_error *err) {
    struct kinds kinds = {0};
    struct arena arena = {0};
    char *path = file_path_in(folder, name);
    if (!path) return report_no_memory(err, folder, "a path");
    enum jl_status status = pre ? JL_OK : read_kinds(folder, &arena, &kinds, err);
    if (status == JL_OK)
        status = open_tokenizer_file(path, pre ? pre : certain_pre(&kinds), out, err);
    arena_free(&arena);
    free(path);
    return status;
}

bool open_tokenizer_in_folder(const char *folder) {
    char ranks[NAME_MAX + 1];
    return find_rank_file(folder, ranks, NULL) != JL_OK || *ranks ||
           has(folder, "tokenizer.json") || has(folder, "tokenizer.model") ||
           (has(folder, "vocab.json") && has(folder, "merges.txt"));
}

enum jl_status open_tokenizer_folder(const char *folder, const char *pre, struct tokenizer **out,
                                     struct jl_error *err) {
    *out = NULL;
    if (has(folder, "tokenizer.json")) {
        char *path = file_path_in(folder, "tokenizer.json");
        if (!path) return report_no_memory(err, folder, "a path");
        enum jl_status status = open_tokenizer_file(path, pre, out, err);
        free(path);
        return status;
    }
    if (!pre && has(folder, "vocab.json") && has(folder, "merges.txt"))
        return open_parts(folder, out, err);
    char ranks[NAME_MAX + 1];
    JL_TRY(find_rank_file(folder, ranks, err));
    if (*ranks) return open_named(folder, ranks, pre, out, err);
    if (has(folder, "tokenizer.model")) return open_named(folder, "tokenizer.model", pre, out, err);
    return report_fail(err, JL_ERR_UNSUPPORTED, folder,
                       "the folder has no tokenizer: neither tokenizer.json, nor vocab.json with "
                       "merges.txt, nor a rank file, nor tokenizer.model; token ids still work "
                       "(--tokens)");
}
