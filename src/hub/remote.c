#include "hub/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ANSWER ((size_t)64 << 20)
#define MAX_PAGES 500

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for a request to the hub");
}

static bool is_ms(const struct hub_remote *remote) { return remote->name->source == HUB_MS; }

/* ---- refusals ---- */

static enum jl_status not_found(const struct hub_remote *remote, const char *file,
                                const struct hub_response *response, struct jl_error *err) {
    const char *repo = remote->name->repo ? remote->name->repo : remote->name->url;
    if (remote->name->source == HUB_URL)
        return jl_fail(err, JL_ERR_IO, "%s: there is no such file (HTTP %ld)", repo,
                       response->code);
    if (file && strcmp(response->error_code, "RepoNotFound"))
        return jl_fail(err, JL_ERR_IO, "%s: no file '%s' at revision %s on %s (HTTP %ld)", repo,
                       file, remote->commit ? remote->commit : remote->revision, remote->endpoint,
                       response->code);
    if (!strcmp(response->error_code, "RevisionNotFound") || remote->name->revision)
        return jl_fail(err, JL_ERR_IO,
                       "%s has no revision '%s' on %s, or is not there at all (HTTP %ld); a "
                       "revision is a branch, a tag or a commit",
                       repo, remote->revision, remote->endpoint, response->code);
    return jl_fail(err, JL_ERR_IO,
                   "there is no model %s on %s (HTTP %ld): check its name; a private one needs %s",
                   repo, remote->endpoint, response->code,
                   is_ms(remote) ? "MODELSCOPE_API_TOKEN" : "HF_TOKEN");
}

enum jl_status hub_remote_refused(const struct hub_remote *remote, const char *file,
                                  const struct hub_response *response, enum jl_status status,
                                  struct jl_error *err) {
    const char *variable = is_ms(remote) ? "MODELSCOPE_API_TOKEN" : "HF_TOKEN";
    const char *repo = remote->name->repo ? remote->name->repo : remote->name->url;
    long code = response->code;
    if (status != JL_ERR_IO) return status;
    if (code == 404 || code == 410) return not_found(remote, file, response, err);
    if (code != 401 && code != 403) return status;
    if (remote->name->source == HUB_URL)
        return jl_fail(err, JL_ERR_IO,
                       "%s: the server wants a log-in (HTTP %ld), which addresses do not have here",
                       repo, code);
    if (!remote->token)
        return jl_fail(
            err, JL_ERR_IO,
            "%s: %s refuses without a token (HTTP %ld): the model is gated or private, or "
            "its name is misspelt. If it is gated, accept its terms on %s/%s%s, make a "
            "token with read access there, and set %s to it",
            repo, response->host, code, remote->endpoint, is_ms(remote) ? "models/" : "", repo,
            variable);
    return jl_fail(
        err, JL_ERR_IO,
        "%s: %s refuses the token in %s (HTTP %ld%s%s): accept the model's terms on "
        "%s/%s%s with the token's account, or check that the token is valid and may read",
        repo, response->host, variable, code, response->error_message[0] ? ", " : "",
        response->error_message, remote->endpoint, is_ms(remote) ? "models/" : "", repo);
}

/* ---- questions ---- */

static enum jl_status ask(struct hub_line *line, const struct hub_remote *remote, const char *url,
                          struct hub_answer *out, struct jl_error *err) {
    struct hub_request request = {
        .url = url, .token = remote->token, .token_is_cookie = is_ms(remote), .compressed = true};
    enum jl_status status = hub_line_read(line, &request, MAX_ANSWER, out, err);
    return status == JL_OK ? JL_OK : hub_remote_refused(remote, NULL, &out->response, status, err);
}

static enum jl_status list_hf(struct hub_line *line, struct hub_remote *remote, struct arena *arena,
                              struct hub_listing *out, struct jl_error *err) {
    const char *repo = remote->name->repo;
    const char *revision = hub_url_escape(remote->revision, false, arena);
    const char *url = hub_text(arena, "%s/api/models/%s/revision/%s", remote->endpoint, repo,
                               revision ? revision : "");
    struct hub_answer answer;
    struct hub_url parsed;
    if (!revision || !url) return no_memory(err);
    JL_TRY(ask(line, remote, url, &answer, err));
    enum jl_status status = hub_listing_hf_revision(answer.text, answer.size, url, arena, out, err);
    free(answer.text);
    JL_TRY(status);
    remote->commit = out->commit;
    JL_TRY(hub_url_parse(remote->endpoint, remote->endpoint, arena, &parsed, err));
    const char *origin = hub_url_origin(&parsed, arena);
    url = hub_text(arena, "%s/api/models/%s/tree/%s?recursive=true", remote->endpoint, repo,
                   out->commit);
    for (int pages = 0; url; pages++) {
        if (pages == MAX_PAGES)
            return jl_fail(err, JL_ERR_LIMIT, "%s: the list of files has more than %d pages", repo,
                           MAX_PAGES);
        JL_TRY(ask(line, remote, url, &answer, err));
        status = hub_listing_hf_tree(answer.text, answer.size, url, arena, out, err);
        free(answer.text);
        JL_TRY(status);
        /* The next page at our endpoint, whatever host it names: a mirror may pass on its source's.
         */
        const char *next = hub_link_next(answer.response.link, arena);
        const char *here = url;
        url = next && origin ? hub_text(arena, "%s%s", origin, next) : NULL;
        if (next && !url) return no_memory(err);
        if (url && !strcmp(url, here))
            return jl_fail(err, JL_ERR_FORMAT,
                           "%s: a page of the list of files has itself as the next", repo);
    }
    return JL_OK;
}

static enum jl_status list_ms(struct hub_line *line, struct hub_remote *remote, struct arena *arena,
                              struct hub_listing *out, struct jl_error *err) {
    const char *revision = hub_url_escape(remote->revision, false, arena);
    const char *url = hub_text(arena, "%s/api/v1/models/%s/repo/files?Revision=%s&Recursive=true",
                               remote->endpoint, remote->name->repo, revision ? revision : "");
    struct hub_answer answer;
    if (!revision || !url) return no_memory(err);
    JL_TRY(ask(line, remote, url, &answer, err));
    enum jl_status status = hub_listing_ms(answer.text, answer.size, url, arena, out, err);
    free(answer.text);
    remote->commit = out->commit;
    return status;
}

enum jl_status hub_remote_list(struct hub_line *line, struct hub_remote *remote,
                               struct arena *arena, struct hub_listing *out, struct jl_error *err) {
    *out = (struct hub_listing){0};
    JL_TRY(is_ms(remote) ? list_ms(line, remote, arena, out, err)
                         : list_hf(line, remote, arena, out, err));
    if (out->n == 0)
        return jl_fail(err, JL_ERR_FORMAT, "%s has no files at revision %s", remote->name->repo,
                       remote->revision);
    return hub_listing_finish(out, remote->name->repo, err);
}

const char *hub_remote_url(const struct hub_remote *remote, const struct hub_file *file,
                           struct arena *arena) {
    const char *asked = file->revision   ? file->revision
                        : remote->commit ? remote->commit
                                         : remote->revision;
    const char *revision = hub_url_escape(asked, false, arena);
    const char *path = hub_url_escape(file->path, !is_ms(remote), arena);
    if (!revision || !path) return NULL;
    if (is_ms(remote))
        return hub_text(arena, "%s/api/v1/models/%s/repo?Revision=%s&FilePath=%s", remote->endpoint,
                        remote->name->repo, revision, path);
    return hub_text(arena, "%s/%s/resolve/%s/%s", remote->endpoint, remote->name->repo, revision,
                    path);
}

enum jl_status hub_remote_read(struct hub_line *line, const struct hub_remote *remote,
                               const struct hub_file *file, size_t limit, struct arena *arena,
                               struct hub_answer *out, struct jl_error *err) {
    struct hub_request request = {.url = hub_remote_url(remote, file, arena),
                                  .token = remote->token,
                                  .token_is_cookie = is_ms(remote)};
    *out = (struct hub_answer){0};
    if (!request.url) return no_memory(err);
    enum jl_status status = hub_line_read(line, &request, limit, out, err);
    return status == JL_OK ? JL_OK
                           : hub_remote_refused(remote, file->path, &out->response, status, err);
}
