/* Files: read-only maps, small whole reads, and writes that are whole or absent.
 *
 * Every error names the path and what the system said. */
#ifndef JL_BASE_FILE_H
#define JL_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

struct file_map {
    const uint8_t *data; // NULL for an empty file
    size_t size;         // bytes
    char *path;          // owned; for messages
};

/* Regular files only. The bytes are those of the file while it is open: whoever shortens a mapped
 * model file makes reads past its new end fail with SIGBUS, as with every mmap. */
enum jl_status file_map_open(const char *path, struct file_map *out, struct jl_error *err);
void file_map_close(struct file_map *map); // zeroed map is fine

/* Whole file as a NUL-terminated heap buffer, refused above `limit` bytes. Caller frees. `size`
 * may be NULL. Pipes are read to their end. */
enum jl_status file_read(const char *path, size_t limit, char **text, size_t *size,
                         struct jl_error *err);

/* The same of standard input, by its descriptor: /dev/stdin cannot be opened where it is a socket. */
enum jl_status file_read_standard(size_t limit, char **text, size_t *size, struct jl_error *err);

/* The same of a regular file, such as a file of a model: a pipe or device that lies in its place is
 * an error, never waited for nor read to an end that it may not have. */
enum jl_status file_read_regular(const char *path, size_t limit, char **text, size_t *size,
                                 struct jl_error *err);

bool file_is_dir(const char *path);

/* Whether anything has this name. A link that leads nowhere has, and so has what must not be looked
 * at: whoever opens it learns what is wrong, where "there is none" would let it be overlooked. */
bool file_exists(const char *path);

/* Is it a regular file that begins with these n <= 16 bytes? */
bool file_begins(const char *path, const char *bytes, size_t n);

/* Writes to a temporary name beside `path` (`path`.tmp-PID), then fsync and rename: the file is
 * whole or absent. A symbolic link is followed; an existing file keeps its permission bits; a
 * target that is not a regular file is refused. */
struct file_writer {
    FILE *stream;
    char *path, *tmp_path;
};
enum jl_status file_writer_open(const char *path, struct file_writer *out, struct jl_error *err);
/* On failure the temporary file is gone and the old file, if any, is untouched. The one exception
 * says so: the new file is in place but its directory could not be synced. */
enum jl_status file_writer_commit(struct file_writer *writer, struct jl_error *err);
void file_writer_abort(struct file_writer *writer); // after commit: no effect

/* "folder/name", on the heap; NULL: out of memory. */
char *file_path_in(const char *folder, const char *name);

#endif
