/* Folders that are whole or absent: written under a temporary name beside the wanted one, which the
 * finished folder then gets. */
#ifndef JL_BASE_FILE_FOLDER_H
#define JL_BASE_FILE_FOLDER_H

#include "base/status.h"

struct file_folder {
    char *path, *tmp_path; // write into tmp_path; both NULL once committed or given up
};

/* `path`.tmp-PID is made. What already has the name `path` is refused, but for an empty folder. */
enum jl_status file_folder_open(const char *path, struct file_folder *out, struct jl_error *err);
/* The files are expected to be on the disk (file_writer_commit). On failure nothing is left, but
 * for the case that the message names: the folder is in place and its own folder not synced. */
enum jl_status file_folder_commit(struct file_folder *folder, struct jl_error *err);
/* Removes the temporary folder with its files, and those of folders in it. After commit: no effect.
 */
void file_folder_abort(struct file_folder *folder);

#endif
