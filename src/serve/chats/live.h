/* Answers to chats of the page while they are written: by the server, whoever looks on. A tab may
 * close, another may open; what came so far is in the store every half second and in the end. */
#ifndef JL_SERVE_CHATS_LIVE_H
#define JL_SERVE_CHATS_LIVE_H

#include "serve/chats/store.h"
#include "serve/serving.h"

struct live; // all answers that are being written

enum jl_status live_create(struct serving *serving, struct store *store, struct live **out,
                           struct jl_error *err);
/* After the schedulers have stopped and the workers ended. What could not be kept yet is tried for
 * the last time. NULL is fine. */
void live_free(struct live *live);

/* An answer to the message `parent` of the chat, which is the person's: with the model, system
 * message and settings of the chat. *out: the message that it will be. JL_ERR_BUSY: too many wait,
 * or as many as the client's key may have at once are being written. */
enum jl_status live_answer(struct live *live, const struct serving_client *client, const char *chat,
                           const char *parent, json_t **out, struct jl_error *err);

/* The events of an answer: {"state": MESSAGE} first, then what comes: {"content": TEXT} and
 * {"reasoning": TEXT} to be appended, {"waiting": {"before", "read", "prompt"}} while there is
 * nothing yet, {"facts"} when a thought has ended, {"state": MESSAGE} once more in the end. False:
 * it is not being written now. */
bool live_watch(struct live *live, uint64_t owner, const char *message,
                struct http_request *request);
/* Ends it; what there is of it stays. False: it is not being written. */
bool live_stop(struct live *live, uint64_t owner, const char *message);
void live_stop_all(struct live *live, uint64_t owner, const char *chat); // the answers of a chat

#endif
