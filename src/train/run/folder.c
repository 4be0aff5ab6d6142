/* The folder of a run. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/file.h"
#include "session/fresh_folder.h"
#include "train/run/self.h"

enum jl_status run_make_folder(const struct run *run, const char *path) {
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && file_is_dir(path))) return JL_OK;
    return jl_fail(run->err, JL_ERR_IO, "%s: %s", path, strerror(errno));
}

/* One run at a time writes here. The lock goes with the process, however it ends. */
enum jl_status run_lock_folder(struct run *run) {
    char *path = file_path_in(run->options->folder, ".lock");
    if (!path) return run_no_memory(run);
    run->lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
    bool locked = run->lock >= 0 && flock(run->lock, LOCK_EX | LOCK_NB) == 0;
    int why = errno;
    enum jl_status status = JL_OK;
    if (!locked && run->lock >= 0 && why == EWOULDBLOCK)
        status = jl_fail(run->err, JL_ERR_IO, "%s: another run is at work in this folder",
                         run->options->folder);
    else if (!locked)
        status = jl_fail(run->err, JL_ERR_IO, "%s: %s", path, strerror(why));
    free(path);
    return status;
}

enum jl_status run_keep_recipe(const struct run *run) {
    char *path = file_path_in(run->options->folder, "recipe");
    struct file_writer writer;
    if (!path) return run_no_memory(run);
    enum jl_status status = file_writer_open(path, &writer, run->err);
    if (status == JL_OK) {
        fputs(run->recipe->text, writer.stream); // a failure shows when it is committed
        status = file_writer_commit(&writer, run->err);
    }
    free(path);
    return status;
}

/* The model to begin with: the recipe's, or a new one made in the folder once. */
enum jl_status run_find_start(struct run *run) {
    const struct recipe *r = run->recipe;
    JL_TRY(run_find_from(run));
    if (run->start) return JL_OK;
    run->start = r->start ? strdup(r->start) : file_path_in(run->options->folder, "start");
    if (!run->start) return run_no_memory(run);
    if (r->start || file_exists(run->start)) return JL_OK;
    const struct fresh_folder_options fresh = {
        .init = {.path = r->path, .config = r->config, .dtype = r->work, .seed = (uint64_t)r->seed},
        .tokenizer = r->tokenizer,
    };
    return fresh_folder_write(&fresh, run->start, run->pool, run->err);
}
