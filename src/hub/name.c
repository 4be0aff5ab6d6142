#include "hub/name.h"

#include <string.h>

#define MAX_PART 96 // of ORG and of REPO, as the hubs have it
#define MAX_REVISION 200
#define MAX_PATH_BYTES 1024
#define MAX_FILE_BYTES 200 // a name of 255 with ".part.json" and a temporary file's end

const char *hub_source_name(enum hub_source source) {
    return source == HUB_HF ? "hf" : source == HUB_MS ? "ms" : "url";
}

const char *hub_path_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Bytes of the UTF-8 character at `at`, 0 for controls (C0, DEL, C1) and what is not well formed.
 */
static int character(const unsigned char *at) {
    if (at[0] < 0x80) return at[0] >= 0x20 && at[0] != 0x7F;
    int len = at[0] >= 0xC2 && at[0] < 0xE0   ? 2
              : at[0] >= 0xE0 && at[0] < 0xF0 ? 3
              : at[0] >= 0xF0 && at[0] < 0xF5 ? 4
                                              : 0;
    for (int i = 1; i < len; i++)
        if ((at[i] & 0xC0) != 0x80) return 0;
    bool wrong = (at[0] == 0xC2 && at[1] < 0xA0) || (at[0] == 0xE0 && at[1] < 0xA0) ||
                 (at[0] == 0xED && at[1] > 0x9F) || (at[0] == 0xF0 && at[1] < 0x90) ||
                 (at[0] == 0xF4 && at[1] > 0x8F);
    return wrong ? 0 : len;
}

bool hub_path_ok(const char *path) {
    size_t len = strlen(path);
    if (len == 0 || len > MAX_PATH_BYTES || path[0] == '/' || path[len - 1] == '/') return false;
    for (const unsigned char *at = (const unsigned char *)path; *at;) {
        int n = *at == '\\' ? 0 : character(at);
        if (n == 0) return false;
        at += n;
    }
    for (const char *part = path; part;) {
        const char *slash = strchr(part, '/');
        size_t n = slash ? (size_t)(slash - part) : strlen(part);
        if (n == 0 || n > MAX_FILE_BYTES) return false;
        if (part[0] == '.' && (n == 1 || (n == 2 && part[1] == '.'))) return false;
        part = slash ? slash + 1 : NULL;
    }
    return true;
}

static bool part_ok(const char *text, size_t len) {
    if (len == 0 || len > MAX_PART || text[0] == '.' || text[0] == '-') return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '-' && c != '_' && c != '.') return false;
        if (c == '.' && i + 1 < len && text[i + 1] == '.') return false;
    }
    return true;
}

static bool repo_ok(const char *text, size_t len) {
    const char *slash = memchr(text, '/', len);
    if (!slash) return false;
    size_t org = (size_t)(slash - text);
    return part_ok(text, org) && part_ok(slash + 1, len - org - 1);
}

/* Branches and tags may hold slashes ("refs/pr/1"). */
static bool revision_ok(const char *text) {
    if (strlen(text) > MAX_REVISION || text[0] == '-' || !hub_path_ok(text)) return false;
    for (const char *c = text; *c; c++)
        if (*c == ' ' || *c == '@' || *c == ':') return false;
    return true;
}

static enum jl_status no_name(const char *text, struct jl_error *err) {
    return jl_fail(err, JL_ERR_USAGE,
                   "'%s' is no name of a model: write ORG/REPO, ORG/REPO@REVISION, "
                   "ORG/REPO:Q4_K_M, ORG/REPO:FILE.gguf (with hf: or ms: before it), or the "
                   "address of a GGUF file",
                   text);
}

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for a model's name");
}

/* ORG/REPO[@REVISION][:PICK] */
static enum jl_status parse_repo(const char *text, const char *whole, struct arena *arena,
                                 struct hub_name *out, struct jl_error *err) {
    size_t len = strcspn(text, "@:");
    const char *rest = text + len;
    if (!repo_ok(text, len)) return no_name(whole, err);
    out->repo = arena_strndup(arena, text, len);
    if (!out->repo) return no_memory(err);
    if (*rest == '@') {
        size_t n = strcspn(rest + 1, ":");
        out->revision = arena_strndup(arena, rest + 1, n);
        if (!out->revision) return no_memory(err);
        if (!revision_ok(out->revision)) return no_name(whole, err);
        rest += 1 + n;
    }
    if (*rest == ':') {
        if (!hub_path_ok(rest + 1)) return no_name(whole, err);
        out->pick = arena_strdup(arena, rest + 1);
        if (!out->pick) return no_memory(err);
    }
    return JL_OK;
}

/* ---- addresses ---- */

static bool is_endpoint(const struct hub_url *url, const char *endpoint, struct arena *arena) {
    struct hub_url parsed;
    struct jl_error ignored;
    return endpoint && hub_url_parse(endpoint, "", arena, &parsed, &ignored) == JL_OK &&
           hub_url_same_origin(url, &parsed);
}

/* The next part of a path, unescaped; *path moves behind it. NULL when there is none. */
static const char *next_part(const char **path, struct arena *arena) {
    const char *start = *path + (**path == '/');
    size_t len = strcspn(start, "/?");
    *path = start + len;
    return len ? hub_url_unescape(start, len, arena) : NULL;
}

/* /ORG/REPO[/(resolve|blob|tree)/REVISION[/FILE.gguf]], on ModelScope after /models. */
static enum jl_status parse_hub_address(const struct hub_url *url, const char *whole,
                                        struct arena *arena, struct hub_name *out,
                                        struct jl_error *err) {
    const char *path = url->path, *org, *repo, *verb, *file = NULL;
    org = next_part(&path, arena);
    if (out->source == HUB_MS && org && !strcmp(org, "models")) org = next_part(&path, arena);
    repo = org ? next_part(&path, arena) : NULL;
    const char *joined = repo ? hub_text(arena, "%s/%s", org, repo) : NULL;
    if (!joined || !repo_ok(joined, strlen(joined))) return no_name(whole, err);
    out->repo = joined;
    out->endpoint = hub_url_origin(url, arena);
    verb = next_part(&path, arena);
    bool has_revision =
        verb && (!strcmp(verb, "resolve") || !strcmp(verb, "blob") || !strcmp(verb, "tree"));
    if (has_revision) {
        out->revision = next_part(&path, arena);
        if (!out->revision || !revision_ok(out->revision)) return no_name(whole, err);
        size_t len = strcspn(path, "?");
        if (len > 1) file = hub_url_unescape(path + 1, len - 1, arena);
        if (len > 1 && (!file || !hub_path_ok(file))) return no_name(whole, err);
    }
    if (file && strcmp(verb, "tree")) out->pick = file;
    return JL_OK;
}

static enum jl_status parse_address(const char *text, const char *hf_endpoint,
                                    const char *ms_endpoint, struct arena *arena,
                                    struct hub_name *out, struct jl_error *err) {
    static const char *const hf[] = {"https://huggingface.co", "https://hf-mirror.com"};
    static const char *const ms[] = {"https://modelscope.cn", "https://www.modelscope.cn"};
    struct hub_url url;
    JL_TRY(hub_url_parse(text, text, arena, &url, err));
    bool is_hf = is_endpoint(&url, hf_endpoint, arena),
         is_ms = is_endpoint(&url, ms_endpoint, arena);
    for (size_t i = 0; i < 2; i++) {
        is_hf = is_hf || is_endpoint(&url, hf[i], arena);
        is_ms = is_ms || is_endpoint(&url, ms[i], arena);
    }
    out->source_given = true;
    out->source = is_hf ? HUB_HF : is_ms ? HUB_MS : HUB_URL;
    if (is_hf || is_ms) return parse_hub_address(&url, text, arena, out, err);
    const char *path = hub_url_unescape(url.path, strcspn(url.path, "?"), arena);
    const char *file = path ? hub_path_base(path) : "";
    size_t len = strlen(file);
    if (len < 6 || strcmp(file + len - 5, ".gguf") || !hub_path_ok(file))
        return jl_fail(err, JL_ERR_USAGE,
                       "%s: an address must be that of a .gguf file; for a mirror of Hugging Face "
                       "use --from ADDRESS and a name",
                       text);
    out->url = arena_strdup(arena, text);
    out->pick = file;
    return out->url ? JL_OK : no_memory(err);
}

enum jl_status hub_name_parse(const char *text, const char *hf_endpoint, const char *ms_endpoint,
                              struct arena *arena, struct hub_name *out, struct jl_error *err) {
    *out = (struct hub_name){0};
    if (strstr(text, "://")) return parse_address(text, hf_endpoint, ms_endpoint, arena, out, err);
    const char *rest = text;
    if (!strncmp(text, "hf:", 3) || !strncmp(text, "ms:", 3)) {
        out->source = text[0] == 'h' ? HUB_HF : HUB_MS;
        out->source_given = true;
        rest += 3;
    }
    return parse_repo(rest, text, arena, out, err);
}
