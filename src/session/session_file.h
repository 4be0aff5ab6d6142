/* Sessions on disk: docs/sessions.md has the format.
 *
 * A file belongs to one model in one numeric class, and says so; another model, class or version of
 * the rules is refused. What is read is hostile until checked: sizes against the file's own, every
 * part against its checksum, tokens against the vocabulary. */
#ifndef JL_SESSION_SESSION_FILE_H
#define JL_SESSION_SESSION_FILE_H

#include "session/session.h"

/* The tokens that were read, with all that is cached of them and the logits, if they are known. The
 * file is whole or absent. The first call of a set reads the whole model for its fingerprint. */
enum jl_status session_save(struct session *session, const char *path, struct jl_error *err);

/* The session becomes what was saved: same bits from here on. On failure it is as before. The pool
 * must have room for both. */
enum jl_status session_load(struct session *session, const char *path, struct jl_error *err);

#endif
