/* Conversations as files: whole round trips, and files that are refused without losing anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "cli/chat/saved.h"
#include "support/scratch.h"

static void add(struct conversation *said, const char *json) {
    struct jl_error err = {0};
    json_t *message = json_loads(json, JSON_ALLOW_NUL, NULL);
    assert_non_null(message);
    assert_int_equal(conversation_add(said, message, &err), JL_OK);
}

static void begin(struct conversation *said) {
    struct jl_error err = {0};
    assert_int_equal(conversation_init(said, &err), JL_OK);
    add(said, "{\"role\": \"user\", \"content\": \"\xe4\xbd\xa0\\n\\u0000 \\\"x\\\"\"}");
    add(said, "{\"role\": \"assistant\", \"content\": \"\", \"reasoning\": \"hm\", \"tool_calls\": "
              "[{\"type\": \"function\", \"function\": {\"name\": \"f\", \"arguments\": {\"a\": "
              "0.1}}}]}");
}

static void test_round_trip(void **state) {
    (void)state;
    struct conversation said, read = {0};
    struct jl_error err = {0};
    const char *path = scratch_path("round.json");
    begin(&said);
    for (int with_system = 0; with_system < 2; with_system++) {
        if (with_system)
            assert_int_equal(conversation_set_system(&said, "be brief", 8, &err), JL_OK);
        assert_int_equal(saved_write(path, &said, "m.gguf", with_system, &err), JL_OK);
        assert_int_equal(saved_read(path, &read, &err), JL_OK);
        assert_true(json_equal(read.messages, said.messages));
        assert_int_equal(read.system != NULL, with_system);
        if (with_system) assert_true(json_equal(read.system, said.system));
    }
    char *text = NULL;
    assert_int_equal(file_read(path, 1 << 20, &text, NULL, &err), JL_OK);
    assert_non_null(strstr(text, "\"a\": 0.1\n")); // as a person would write it
    free(text);
    assert_int_equal(saved_write(path, &said, "m.gguf", false, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.message, "save!"));
    assert_int_equal(saved_write(path, &said, "not \xff utf-8", true, &err), JL_OK);
    assert_int_equal(saved_read(path, &read, &err), JL_OK);
    conversation_free(&said);
    conversation_free(&read);
}

static void test_other_forms(void **state) {
    (void)state;
    struct conversation read = {0};
    struct jl_error err = {0};
    scratch_text("list.json",
                 "[{\"role\": \"system\", \"content\": \"s\"}, {\"role\": \"assistant\", "
                 "\"content\": \"c\", \"reasoning_content\": \"r\"}]");
    assert_int_equal(saved_read(scratch_path("list.json"), &read, &err), JL_OK);
    assert_int_equal(conversation_count(&read), 1);
    assert_string_equal(json_string_value(read.system), "s");
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(read.messages, 0), "reasoning")), "r");
    scratch_text("empty.json", "[]");
    assert_int_equal(saved_read(scratch_path("empty.json"), &read, &err), JL_OK);
    assert_int_equal(conversation_count(&read), 0);
    assert_null(read.system);
    conversation_free(&read);
}

static void test_bad_files_change_nothing(void **state) {
    (void)state;
    static const char text_arguments[] =
        "[{\"role\": \"assistant\", \"content\": \"x\", \"tool_calls\": [{\"function\": {\"name\": "
        "\"f\", \"arguments\": \"{}\"}}]}]";
    static const char *const files[] = {
        text_arguments,
        "",
        "1",
        "\"x\"",
        "{}",
        "{\"messages\": [}",
        "{\"messages\": 3}",
        "[1]",
        "[{}]",
        "[{\"role\": \"user\"}]",
        "[{\"role\": 1, \"content\": \"x\"}]",
        "[{\"role\": \"tool\", \"content\": \"x\"}]",
        "[{\"role\": \"user\", \"content\": null}]",
        "[{\"role\": \"user\", \"content\": \"x\", \"reasoning\": \"y\"}]",
        "[{\"role\": \"assistant\", \"content\": \"x\", \"reasoning\": 1}]",
        "[{\"role\": \"assistant\", \"content\": \"x\", \"tool_calls\": {}}]",
        "[{\"role\": \"user\", \"role\": \"user\", \"content\": \"x\"}]",
        "{\"messages\": [], \"version\": 2}",
        "{\"messages\": [], \"format\": \"other\"}",
        "{\"messages\": [], \"model\": 1}",
        "{\"messages\": [], \"x\": 1}",
        "[{\"role\": \"user\", \"content\": \"x\"}, {\"role\": \"system\", \"content\": \"x\"}]",
        "[{\"role\": \"user\", \"content\": \"\xff\"}]"};
    struct conversation said;
    struct jl_error err = {0};
    begin(&said);
    json_t *before = json_deep_copy(said.messages);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        scratch_text("bad.json", files[i]);
        if (saved_read(scratch_path("bad.json"), &said, &err) != JL_ERR_FORMAT)
            fail_msg("taken: %s (%s)", files[i], err.message);
        assert_non_null(strstr(err.message, "bad.json"));
        assert_true(json_equal(before, said.messages));
    }
    assert_int_equal(saved_read(scratch_path("absent.json"), &said, &err), JL_ERR_IO);
    assert_true(json_equal(before, said.messages));
    json_decref(before);
    conversation_free(&said);
}

static void test_messages(void **state) {
    (void)state;
    struct conversation said;
    struct jl_error err = {0};
    json_t *message;
    begin(&said);
    assert_int_equal(conversation_message("user", "\xff", 1, &message, &err), JL_ERR_USAGE);
    assert_int_equal(conversation_message("user", "x", 1, &message, &err), JL_OK);
    assert_int_equal(conversation_add(&said, message, &err), JL_OK);
    for (int i = 0; i < 40; i++)
        add(&said, "{\"role\": \"user\", \"content\": \"\"}");
    while (conversation_count(&said) > 3)
        conversation_drop_last(&said);
    assert_true(conversation_is(&said, 2, "user"));
    message = conversation_take_last(&said);
    assert_string_equal(json_string_value(json_object_get(message, "content")), "x");
    assert_int_equal(conversation_count(&said), 2);
    assert_int_equal(conversation_add(&said, message, &err), JL_OK);
    assert_true(conversation_is(&said, 2, "user"));
    assert_int_equal(conversation_set_system(&said, "s", 1, &err), JL_OK);
    conversation_clear(&said);
    assert_int_equal(conversation_count(&said), 0);
    assert_non_null(said.system);
    conversation_drop_last(&said);
    assert_null(conversation_take_last(&said));
    assert_int_equal(conversation_set_system(&said, "", 0, &err), JL_OK);
    assert_null(said.system);
    conversation_free(&said);
}

static int clean(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_other_forms),
        cmocka_unit_test(test_bad_files_change_nothing),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
