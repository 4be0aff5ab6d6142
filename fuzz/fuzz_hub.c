/* What hubs send: the same bytes as each kind of list, as an index of shards, as a header, as a
 * manifest and as a name. Whatever is accepted stays below its folder. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "hub/choose.h"
#include "hub/store.h"

static void check(const struct hub_listing *list) {
    for (size_t i = 0; i < list->n; i++) {
        const char *path = list->files[i].path;
        if (list->files[i].size < 0 || path[0] == '/' || strchr(path, '\\') ||
            !strcmp(path, "..") || !strncmp(path, "../", 3) || strstr(path, "/../") ||
            strchr(hub_path_base(path), '/'))
            abort();
    }
}

static void try_choice(struct hub_listing *list, const char *text, size_t size,
                       struct arena *arena) {
    struct hub_choice choice;
    check(list);
    if (hub_listing_finish(list, "fuzz", NULL) != JL_OK) return;
    struct hub_question question = {
        .listing = list, .repo = "a/b", .index = text, .index_size = size};
    if (hub_choose(&question, arena, &choice, NULL) == JL_OK)
        for (size_t i = 0; i < choice.n; i++)
            if (!choice.files[i]) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena = {.block_size = 1024};
    struct hub_listing list = {0}, other = {0};
    struct hub_model model;
    struct hub_name name;
    const char *text = (const char *)data, *folder;
    if (hub_listing_hf_tree(text, size, "fuzz", &arena, &list, NULL) == JL_OK)
        try_choice(&list, text, size, &arena);
    if (hub_listing_ms(text, size, "fuzz", &arena, &other, NULL) == JL_OK)
        try_choice(&other, text, size, &arena);
    hub_listing_hf_revision(text, size, "fuzz", &arena, &list, NULL);
    if (hub_manifest_parse(text, size, "fuzz", &arena, &model, NULL) == JL_OK)
        for (size_t i = 0; i < model.n; i++)
            if (strchr(model.files[i].file, '/') || model.files[i].size < 0) abort();
    char *string = arena_strndup(&arena, text, size);
    if (string) {
        hub_link_next(string, &arena);
        if (hub_name_parse(string, NULL, NULL, &arena, &name, NULL) == JL_OK &&
            hub_store_folder("home", &name, &arena, &folder, NULL) == JL_OK &&
            strstr(folder, "/../"))
            abort();
    }
    arena_free(&arena);
    return 0;
}
