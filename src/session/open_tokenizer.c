/* Which file holds the tokenizer, and which builder reads it. */
#include "session/open_tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/report.h"

#define MAX_FILE_BYTES ((size_t)256 << 20)

/* A failure of the text room, with the file it is about in front. */
static enum jl_status name_file(const char *path, enum jl_status status,
                                const struct jl_error *inner, struct jl_error *err) {
    return status == JL_OK ? JL_OK : report_fail(err, status, path, "%s", inner->message);
}

/* ---- one file ---- */

/* "IQ== 0": the first line of a rank file. */
static bool is_rank_file(const char *text, size_t size) {
    size_t at = 0, digits = 0;
    while (at < size &&
           ((text[at] >= 'A' && text[at] <= 'Z') || (text[at] >= 'a' && text[at] <= 'z') ||
            (text[at] >= '0' && text[at] <= '9') || text[at] == '+' || text[at] == '/' ||
            text[at] == '='))
        at++;
    if (at == 0 || at == size || text[at] != ' ') return false;
    for (at++; at < size && text[at] >= '0' && text[at] <= '9'; at++)
        digits++;
    return digits && (at == size || text[at] == '\n' || text[at] == '\r');
}

static bool is_json(const char *text, size_t size) {
    size_t at = 0;
    while (at < size &&
           (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t'))
        at++;
    return at < size && text[at] == '{';
}

static enum jl_status needs_pre(const char *path, struct jl_error *err) {
    char names[512] = "";
    size_t len = 0;
    for (int i = 0; tokenizer_pre_names(i); i++) {
        const char *first = tokenizer_pre_names(i);
        int n = snprintf(names + len, sizeof names - len, "%s%.*s", i ? ", " : "",
                         (int)strcspn(first, " "), first);
        if (n < 0 || (size_t)n >= sizeof names - len) break;
        len += (size_t)n;
    }
    return report_fail(err, JL_ERR_USAGE, path,
                       "a rank file does not say how text is split; name it with --pre, one of: %s",
                       names);
}

static enum jl_status no_pre(const char *path, const char *pre, struct jl_error *err) {
    if (!pre) return JL_OK;
    return report_fail(err, JL_ERR_USAGE, path,
                       "--pre is for rank files; this tokenizer says itself how text is split");
}

static enum jl_status open_ranks(const char *path, const char *text, size_t size, const char *pre,
                                 struct tokenizer **out, struct jl_error *err) {
    struct jl_error inner;
    if (!pre) return needs_pre(path, err);
    return name_file(path, tokenizer_from_ranks(text, size, pre, out, &inner), &inner, err);
}

/* The builders of tokenizer.json and of tokenizer.model, which also take what stands beside. */
typedef enum jl_status (*build_with_config)(const char *text, size_t size, const char *config,
                                            size_t config_len, struct tokenizer **out,
                                            struct jl_error *err);

static enum jl_status from_sentencepiece(const char *text, size_t size, const char *config,
                                         size_t config_len, struct tokenizer **out,
                                         struct jl_error *err) {
    return tokenizer_from_sentencepiece(text, size, config, config_len, out, err);
}

static enum jl_status open_with_config(const char *path, const char *text, size_t size,
                                       build_with_config build, struct tokenizer **out,
                                       struct jl_error *err) {
    struct jl_error inner;
    const char *slash = strrchr(path, '/');
    char *config_path = NULL, *config = NULL;
    size_t config_len = 0;
    enum jl_status status = JL_OK;
    if (asprintf(&config_path, "%.*stokenizer_config.json", slash ? (int)(slash - path) + 1 : 0,
                 path) < 0)
        return report_no_memory(err, path, "the path of its configuration");
    if (file_exists(config_path))
        status = file_read_regular(config_path, MAX_FILE_BYTES, &config, &config_len, err);
    if (status == JL_OK)
        status = name_file(path, build(text, size, config, config_len, out, &inner), &inner, err);
    free(config_path);
    free(config);
    return status;
}

/* A tokenizer.model is a protobuf message: its first field, a piece, begins with this byte. */
#define SENTENCEPIECE_START '\n'

static bool has_suffix(const char *path, const char *suffix) {
    size_t len = strlen(path), tail = strlen(suffix);
    return len >= tail && strcmp(path + len - tail, suffix) == 0;
}

static enum jl_status open_text(const char *path, const char *text, size_t size, const char *pre,
                                struct tokenizer **out, struct jl_error *err) {
    if (is_rank_file(text, size)) return open_ranks(path, text, size, pre, out, err);
    JL_TRY(no_pre(path, pre, err));
    if (is_json(text, size) || has_suffix(path, ".json"))
        return open_with_config(path, text, size, tokenizer_from_json, out, err);
    if ((size && text[0] == SENTENCEPIECE_START) || has_suffix(path, ".model"))
        return open_with_config(path, text, size, from_sentencepiece, out, err);
    return report_fail(err, JL_ERR_UNSUPPORTED, path,
                       "is neither a GGUF file, nor a tokenizer.json, nor a tokenizer.model, nor a "
                       "rank file (lines of a token in base64 and its rank)");
}

enum jl_status open_tokenizer_file(const char *path, const char *pre, struct tokenizer **out,
                                   struct jl_error *err) {
    char *text;
    size_t size;
    *out = NULL;
    JL_TRY(file_read_regular(path, MAX_FILE_BYTES, &text, &size, err));
    enum jl_status status = open_text(path, text, size, pre, out, err);
    free(text);
    return status;
}

/* ---- any path ---- */

enum jl_status open_tokenizer_path(const char *path, const char *pre, struct tokenizer **out,
                                   struct jl_error *err) {
    *out = NULL;
    if (file_is_dir(path)) return open_tokenizer_folder(path, pre, out, err);
    if (!file_begins(path, "GGUF", 4)) return open_tokenizer_file(path, pre, out, err);
    struct model_file *file;
    JL_TRY(model_file_open(path, &file, err));
    enum jl_status status = open_tokenizer_gguf(file, pre, out, err);
    model_file_free(file);
    return status;
}

enum jl_status open_tokenizer(struct model_file *file, struct tokenizer **out,
                              struct jl_error *err) {
    *out = NULL;
    return file->kind == MODEL_FILE_HF ? open_tokenizer_folder(file->path, NULL, out, err)
                                       : open_tokenizer_gguf(file, NULL, out, err);
}

bool open_tokenizer_exists(struct model_file *file) {
    return file->kind == MODEL_FILE_HF ? open_tokenizer_in_folder(file->path)
                                       : meta_find(file->meta, "tokenizer.ggml.model") != NULL;
}
