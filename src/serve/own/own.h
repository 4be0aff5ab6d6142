/* Our own addresses: what there is and how it does, and texts to tokens and back. */
#ifndef JL_SERVE_OWN_H
#define JL_SERVE_OWN_H

#include "serve/routes.h"

/* state.c: GET; they answer at once */
void own_health(void *ctx, struct http_request *http);  // alive
void own_ready(void *ctx, struct http_request *http);   // 503 without a model
void own_metrics(void *ctx, struct http_request *http); // Prometheus' text
void own_props(void *ctx, struct http_request *http);   // of each model, its settings
void own_slots(void *ctx, struct http_request *http);   // of each model, what is at work

/* text.c: POST; on a worker */
void own_tokenize(void *ctx, struct http_request *http);
void own_detokenize(void *ctx, struct http_request *http);
void own_apply_template(void *ctx, struct http_request *http);

/* keys.c: on a worker; what changes keys wants one that is marked `admin` */
void own_keys(void *ctx, struct http_request *http);       // GET: this key, all for an admin
void own_make_key(void *ctx, struct http_request *http);   // POST
void own_remove_key(void *ctx, struct http_request *http); // DELETE

/* score.c: POST; on the scheduler's thread between the answers' passes */
void own_score(void *ctx, struct http_request *http);

#endif
