/* Chats of the page, kept in SQLite: what was said outlives the tab, the server and the machine's
 * power.
 *
 * A chat is a tree of messages, each with the one it follows; `leaf` is where the person is now.
 * Another answer to a question, or a question written anew, is one more branch. Everything belongs
 * to an owner (serving_owner), and nobody sees another's. All functions may be called by any
 * thread. JSON comes and goes as the page has it; docs/page.md lists the fields. */
#ifndef JL_SERVE_CHATS_STORE_H
#define JL_SERVE_CHATS_STORE_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"

struct store;

/* The file is made (mode 0600) where there is none. Answers that were being written when a server
 * ended without a word are "cut". JL_ERR_FORMAT: it is of a later version. */
enum jl_status store_open(const char *path, struct store **out, struct jl_error *err);
void store_close(struct store *store); // NULL is fine

/* The newest first: at most `most` chats that have `text` (NULL, "": any) in their title or in what
 * was said and were changed before `before` (0: now). Those changed at that very time come in the
 * order of their ids; of them those behind the id `behind` (NULL: none). */
struct store_search {
    const char *text, *behind;
    int64_t before;
    int most;
};
enum jl_status store_list(struct store *store, uint64_t owner, const struct store_search *search,
                          json_t **out, struct jl_error *err);
/* Of "title", "model", "system", "settings" (an object), those that are there. */
enum jl_status store_create(struct store *store, uint64_t owner, const json_t *fields, json_t **out,
                            struct jl_error *err);
/* With its "messages". JL_ERR_USAGE: the owner has no such chat; so below. */
enum jl_status store_get(struct store *store, uint64_t owner, const char *chat, json_t **out,
                         struct jl_error *err);
/* As store_create, and "leaf". */
enum jl_status store_change(struct store *store, uint64_t owner, const char *chat,
                            const json_t *fields, struct jl_error *err);
enum jl_status store_remove(struct store *store, uint64_t owner, const char *chat,
                            struct jl_error *err);

/* "parent" (null: the first), "role", "content", "files", "model", "status". It becomes the leaf.
 * The first question gives the chat its title where it has none. *out: the message. */
enum jl_status store_say(struct store *store, uint64_t owner, const char *chat,
                         const json_t *fields, json_t **out, struct jl_error *err);
/* Of "content", "reasoning", "status", "error", "facts" (an object), those that are there. Whose
 * message it is is not asked: for the answer's writer. */
enum jl_status store_write(struct store *store, const char *message, const json_t *fields,
                           struct jl_error *err);
/* The messages from the first to this one, in order. */
enum jl_status store_way(struct store *store, uint64_t owner, const char *chat, const char *message,
                         json_t **out, struct jl_error *err);

/* All chats of an owner with their messages, {"jinlin_chats": 1, "chats": [...]}, and back: as new
 * chats with their old times; *n says how many. */
enum jl_status store_export(struct store *store, uint64_t owner, json_t **out,
                            struct jl_error *err);
enum jl_status store_import(struct store *store, uint64_t owner, const json_t *chats, int *n,
                            struct jl_error *err);

#endif
