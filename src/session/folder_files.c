#include "session/folder_files.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "text/json_print.h"

#define MAX_FILE_BYTES ((size_t)1 << 30)
#define TEMPLATES "additional_chat_templates"

static bool ends_with(const char *name, const char *suffix) {
    size_t n = strlen(name), m = strlen(suffix);
    return n > m && !strcmp(name + n - m, suffix);
}

static bool is_wanted(const char *name, bool generation) {
    static const char *const names[] = {"tokenizer.json",
                                        "tokenizer_config.json",
                                        "special_tokens_map.json",
                                        "added_tokens.json",
                                        "vocab.json",
                                        "merges.txt",
                                        "vocab.txt",
                                        "tokenizer.model",
                                        "tiktoken.model",
                                        "chat_template.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(name, names[i])) return true;
    if (ends_with(name, ".jinja") || ends_with(name, ".tiktoken")) return true;
    return generation && !strcmp(name, "generation_config.json");
}

static enum jl_status no_memory(const char *folder, struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory writing %s", folder);
}

enum jl_status folder_files_put(const char *folder, const char *name, const void *bytes,
                                size_t size, struct jl_error *err) {
    struct file_writer writer;
    char *path = file_path_in(folder, name);
    if (!path) return no_memory(folder, err);
    enum jl_status status = file_writer_open(path, &writer, err);
    if (status == JL_OK) {
        fwrite(bytes, 1, size, writer.stream); // commit finds what failed
        status = file_writer_commit(&writer, err);
    }
    free(path);
    return status;
}

static enum jl_status copy(const char *from, const char *to, const char *name,
                           struct jl_error *err) {
    char *text = NULL, *path = file_path_in(from, name);
    size_t size;
    if (!path) return no_memory(to, err);
    enum jl_status status = file_read_regular(path, MAX_FILE_BYTES, &text, &size, err);
    if (status == JL_OK) status = folder_files_put(to, name, text, size, err);
    free(text);
    free(path);
    return status;
}

static bool is_template(const char *name, bool generation) {
    (void)generation;
    return ends_with(name, ".jinja");
}

static enum jl_status copy_all(const char *from, const char *to, bool generation,
                               bool (*wants)(const char *name, bool generation),
                               struct jl_error *err) {
    DIR *dir = opendir(from);
    if (!dir) return jl_fail(err, JL_ERR_IO, "cannot open %s: %m", from);
    enum jl_status status = JL_OK;
    for (const struct dirent *entry = readdir(dir); entry && status == JL_OK; entry = readdir(dir))
        if (wants(entry->d_name, generation)) status = copy(from, to, entry->d_name, err);
    closedir(dir);
    return status;
}

/* Templates of other names lie in a folder of their own. */
static enum jl_status copy_templates(const char *from, const char *to, struct jl_error *err) {
    char *source = file_path_in(from, TEMPLATES), *target = file_path_in(to, TEMPLATES);
    enum jl_status status = source && target ? JL_OK : no_memory(to, err);
    if (status == JL_OK && file_is_dir(source)) {
        if (mkdir(target, 0777) != 0)
            status = jl_fail(err, JL_ERR_IO, "cannot make the folder %s: %m", target);
        else
            status = copy_all(source, target, false, is_template, err);
    }
    free(source);
    free(target);
    return status;
}

enum jl_status folder_files_copy(const char *from, const char *to, bool generation,
                                 struct jl_error *err) {
    JL_TRY(copy_all(from, to, generation, is_wanted, err));
    return copy_templates(from, to, err);
}

enum jl_status folder_files_json(const char *folder, const char *name, const json_t *json,
                                 struct jl_error *err) {
    const struct json_print_options options = {.indent = 2};
    struct byte_buffer text = {0};
    enum jl_status status = json_print_value(json, &options, &text, err);
    if (status == JL_OK && !buffer_append(&text, "\n", 1)) status = no_memory(folder, err);
    if (status == JL_OK) status = folder_files_put(folder, name, text.data, text.len, err);
    buffer_free(&text);
    return status;
}
