/* Schemas of tools that say more than a grammar can follow: what cannot be followed is left out, so
 * that the arguments are held to the rest.
 *
 * Agents offer tools that somebody else wrote, with keywords of many dialects; one that cannot be
 * followed must not keep the conversation from going on. Of a schema that a client asks an answer
 * to be valid under, nothing is left out. */
#ifndef JL_SERVE_RELAX_H
#define JL_SERVE_RELAX_H

#include <jansson.h>
#include <stdbool.h>

/* Takes out of `schema`, an object, what `message` of the failed grammar is about. False: that
 * could not be found. */
bool relax_schema(json_t *schema, const char *message);

#endif
