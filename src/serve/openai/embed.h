/* /v1/embeddings: {"input": texts or ids, "encoding_format", "pooling"}. A text's vector is the
 * hidden state behind the output norm of its last token, or with "mean" of all of them, of
 * length 1.
 */
#ifndef JL_SERVE_OPENAI_EMBED_H
#define JL_SERVE_OPENAI_EMBED_H

#include "serve/serving.h"

/* On the HTTP thread; the request has its answer, or will have it. */
void openai_embed_begin(struct serving *serving, struct http_request *http);

#endif
