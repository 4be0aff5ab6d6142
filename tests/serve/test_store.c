/* Chats in SQLite: branches, owners, searches, what a server that died leaves, export and import.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/scratch.h"
#include "serve/chats/store.h"

static char path[512];
static struct store *store;
static struct jl_error err;

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != JL_OK) fail_msg("%s", err.message);                                          \
    } while (0)

static int setup(void **state) {
    (void)state;
    snprintf(path, sizeof path, "%s", scratch_path("chats.db"));
    MUST(store_open(path, &store, &err));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    store_close(store);
    scratch_remove();
    return 0;
}

static const char *text(const json_t *object, const char *name) {
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

static json_t *create(uint64_t owner, const char *title) {
    json_t *fields = json_pack("{s:s, s:{s:f}}", "title", title, "settings", "temperature", 0.5);
    json_t *chat;
    MUST(store_create(store, owner, fields, &chat, &err));
    json_decref(fields);
    return chat;
}

/* The id, in a buffer of its own. */
static const char *say(uint64_t owner, const char *chat, const char *parent, const char *role,
                       const char *content, const char *status) {
    static char ids[16][32];
    static int next;
    char *id = ids[next++ % 16];
    json_t *fields =
        json_pack("{s:s, s:s, s:s}", "role", role, "content", content, "status", status);
    json_t *message;
    if (parent) json_object_set_new(fields, "parent", json_string(parent));
    MUST(store_say(store, owner, chat, fields, &message, &err));
    assert_string_equal(text(message, "content"), content);
    snprintf(id, 32, "%s", text(message, "id"));
    json_decref(fields);
    json_decref(message);
    return id;
}

static size_t count(uint64_t owner, const char *search) {
    json_t *list;
    const struct store_search wanted = {.text = search, .most = 100};
    MUST(store_list(store, owner, &wanted, &list, &err));
    size_t n = json_array_size(list);
    json_decref(list);
    return n;
}

static void branches(void **state) {
    json_t *chat = create(1, ""), *way, *whole;
    const char *id = text(chat, "id");
    (void)state;
    const char *question = say(1, id, NULL, "user", "  first line\nsecond", "done");
    const char *one = say(1, id, question, "assistant", "one", "done");
    const char *two = say(1, id, question, "assistant", "two", "done");
    const char *on = say(1, id, one, "user", "and then?", "done");
    MUST(store_get(store, 1, id, &whole, &err));
    assert_string_equal(text(whole, "title"), "first line");
    assert_string_equal(text(whole, "leaf"), on);
    assert_int_equal(json_array_size(json_object_get(whole, "messages")), 4);
    MUST(store_way(store, 1, id, on, &way, &err));
    assert_int_equal(json_array_size(way), 3);
    assert_string_equal(text(json_array_get(way, 0), "id"), question);
    assert_string_equal(text(json_array_get(way, 1), "content"), "one");
    json_t *fields = json_pack("{s:s, s:s}", "leaf", two, "title", "\xE6\x9C\x88");
    MUST(store_change(store, 1, id, fields, &err));
    json_decref(whole);
    MUST(store_get(store, 1, id, &whole, &err));
    assert_string_equal(text(whole, "leaf"), two);
    assert_string_equal(text(whole, "title"), "\xE6\x9C\x88");
    assert_true(json_number_value(
                    json_object_get(json_object_get(whole, "settings"), "temperature")) == 0.5);
    json_decref(fields);
    json_decref(whole);
    json_decref(way);
    MUST(store_remove(store, 1, id, &err));
    assert_int_equal(store_get(store, 1, id, &whole, &err), JL_ERR_USAGE);
    json_decref(chat);
}

static void owners(void **state) {
    json_t *chat = create(UINT64_MAX, "mine"), *out,
           *fields = json_pack("{s:s}", "title", "theirs");
    const char *id = text(chat, "id");
    (void)state;
    say(UINT64_MAX, id, NULL, "user", "a needle in here", "done");
    assert_int_equal(count(UINT64_MAX, "needle"), 1);
    assert_int_equal(count(UINT64_MAX, "NEEDLE"), 1);
    assert_int_equal(count(UINT64_MAX, "%"), 0);
    assert_int_equal(count(2, NULL), 0);
    assert_int_equal(store_get(store, 2, id, &out, &err), JL_ERR_USAGE);
    assert_int_equal(store_change(store, 2, id, fields, &err), JL_ERR_USAGE);
    assert_int_equal(store_remove(store, 2, id, &err), JL_ERR_USAGE);
    assert_int_equal(store_way(store, 2, id, "x", &out, &err), JL_ERR_USAGE);
    MUST(store_export(store, 2, &out, &err));
    assert_int_equal(json_array_size(json_object_get(out, "chats")), 0);
    json_decref(out);
    json_decref(fields);
    MUST(store_remove(store, UINT64_MAX, id, &err));
    json_decref(chat);
}

static void cut_answers(void **state) {
    json_t *chat = create(1, "t"), *whole, *fields;
    const char *id = text(chat, "id");
    struct stat info;
    (void)state;
    const char *question = say(1, id, NULL, "user", "q", "done");
    const char *answer = say(1, id, question, "assistant", "", "running");
    fields = json_pack("{s:s, s:s, s:{s:i}}", "content", "half an ans", "reasoning", "hm", "facts",
                       "tokens", 3);
    MUST(store_write(store, answer, fields, &err));
    json_decref(fields);
    store_close(store); // as if it had died: nothing says that the answer is over
    MUST(store_open(path, &store, &err));
    MUST(store_get(store, 1, id, &whole, &err));
    const json_t *message = json_array_get(json_object_get(whole, "messages"), 1);
    assert_string_equal(text(message, "status"), "cut");
    assert_string_equal(text(message, "content"), "half an ans");
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(message, "facts"), "tokens")), 3);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    json_decref(whole);
    MUST(store_remove(store, 1, id, &err));
    json_decref(chat);
}

static void export_and_import(void **state) {
    json_t *chat = create(1, "kept"), *all, *again, *bad;
    const char *id = text(chat, "id");
    int n;
    (void)state;
    const char *question = say(1, id, NULL, "user", "q", "done");
    say(1, id, question, "assistant", "a1", "done");
    say(1, id, question, "assistant", "a2", "running");
    MUST(store_export(store, 1, &all, &err));
    MUST(store_import(store, 7, all, &n, &err));
    assert_int_equal(n, 1);
    MUST(store_export(store, 7, &again, &err));
    const json_t *copy = json_array_get(json_object_get(again, "chats"), 0);
    const json_t *messages = json_object_get(copy, "messages");
    assert_string_equal(text(copy, "title"), "kept");
    assert_string_not_equal(text(copy, "id"), id);
    assert_int_equal(json_array_size(messages), 3);
    assert_string_equal(text(json_array_get(messages, 2), "parent"),
                        text(json_array_get(messages, 0), "id"));
    assert_string_equal(text(json_array_get(messages, 2), "status"), "cut");
    assert_string_equal(text(copy, "leaf"), text(json_array_get(messages, 2), "id"));
    json_decref(again);

    // Times are kept; and chats of one time are all found, some at once.
    json_object_set_new(json_array_get(json_object_get(all, "chats"), 0), "changed",
                        json_integer(1000));
    json_object_set_new(json_array_get(json_object_get(all, "chats"), 0), "created",
                        json_integer(900));
    for (int i = 0; i < 5; i++)
        MUST(store_import(store, 8, all, &n, &err));
    struct store_search search = {.most = 2};
    char last[64];
    size_t found = 0;
    for (json_t *list;; json_decref(list)) {
        MUST(store_list(store, 8, &search, &list, &err));
        if (!json_array_size(list)) {
            json_decref(list);
            break;
        }
        const json_t *one = json_array_get(list, json_array_size(list) - 1);
        assert_int_equal(json_integer_value(json_object_get(one, "changed")), 1000);
        assert_int_equal(json_integer_value(json_object_get(one, "created")), 900);
        snprintf(last, sizeof last, "%s", text(one, "id"));
        search.before = 1000;
        search.behind = last;
        found += json_array_size(list);
    }
    assert_int_equal(found, 5);
    bad = json_pack("{s:i, s:[{s:s}, {s:s, s:[{s:s, s:s, s:s}]}]}", "jinlin_chats", 1, "chats",
                    "title", "fine", "title", "not", "messages", "id", "x", "role", "user",
                    "parent", "nobody");
    assert_int_equal(store_import(store, 9, bad, &n, &err), JL_ERR_FORMAT);
    assert_int_equal(count(9, NULL), 0); // all or nothing
    json_decref(bad);
    bad = json_pack("{s:i}", "jinlin_chats", 2);
    assert_int_equal(store_import(store, 9, bad, &n, &err), JL_ERR_FORMAT);
    json_decref(bad);
    json_decref(all);
    json_decref(chat);
}

static void refusals(void **state) {
    json_t *chat = create(1, "r"), *fields, *out;
    const char *id = text(chat, "id");
    (void)state;
    fields = json_pack("{s:s, s:s}", "role", "user", "parent", "nobody");
    assert_int_equal(store_say(store, 1, id, fields, &out, &err), JL_ERR_USAGE);
    json_decref(fields);
    fields = json_pack("{s:s}", "role", "system");
    assert_int_equal(store_say(store, 1, id, fields, &out, &err), JL_ERR_USAGE);
    json_decref(fields);
    static const char *const shapes[] = {
        "{\"role\":\"user\",\"files\":{}}", "{\"role\":\"user\",\"files\":\"x\"}",
        "{\"role\":\"user\",\"files\":[{\"name\":\"x\"}]}", "{\"role\":\"user\",\"facts\":[]}"};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        fields = json_loads(shapes[i], 0, NULL);
        assert_int_equal(store_say(store, 1, id, fields, &out, &err), JL_ERR_USAGE);
        json_decref(fields);
    }
    fields = json_pack("{s:i}", "title", 3);
    assert_int_equal(store_change(store, 1, id, fields, &err), JL_ERR_USAGE);
    json_decref(fields);
    assert_int_equal(store_open("/nowhere/at/all.db", &(struct store *){0}, &err), JL_ERR_IO);
    json_decref(chat);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(branches), cmocka_unit_test(owners), cmocka_unit_test(cut_answers),
        cmocka_unit_test(export_and_import), cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
