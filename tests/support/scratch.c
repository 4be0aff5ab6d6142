#include "support/scratch.h"

#include <dirent.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char root[512];

static void die(const char *what) {
    perror(what);
    exit(99);
}

const char *scratch_dir(void) {
    if (!root[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(root, sizeof root, "%s/jinlin-test-XXXXXX", base && *base ? base : P_tmpdir);
        if (!mkdtemp(root)) die(root);
    }
    return root;
}

const char *scratch_path(const char *name) {
    static char ring[8][1024];
    static unsigned turn;
    char *path = ring[turn++ % 8];
    snprintf(path, sizeof ring[0], "%s/%s", scratch_dir(), name);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(path, 0777);
        *at = '/';
    }
    return path;
}

void scratch_write(const char *name, const void *bytes, size_t size) {
    FILE *file = fopen(scratch_path(name), "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) die(name);
}

void scratch_text(const char *name, const char *text) { scratch_write(name, text, strlen(text)); }

static int count(bool folders) {
    DIR *dir = opendir(scratch_dir());
    if (!dir) die(root);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        n += (entry->d_type == DT_DIR) == folders;
    closedir(dir);
    return folders ? n - 2 : n; // "." and ".."
}

int scratch_entries(void) { return count(false); }
int scratch_folders(void) { return count(true); }

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st, (void)type, (void)at;
    return remove(path);
}

void scratch_remove(void) {
    if (root[0]) nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    root[0] = '\0';
}
