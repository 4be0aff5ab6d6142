#include "cli/chat/conversation.h"

#include <string.h>

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the conversation");
}

enum jl_status conversation_init(struct conversation *out, struct jl_error *err) {
    *out = (struct conversation){.messages = json_array()};
    return out->messages ? JL_OK : no_memory(err);
}

void conversation_clear(struct conversation *conversation) {
    json_array_clear(conversation->messages);
}

void conversation_free(struct conversation *conversation) {
    json_decref(conversation->messages);
    json_decref(conversation->system);
    *conversation = (struct conversation){0};
}

size_t conversation_count(const struct conversation *conversation) {
    return json_array_size(conversation->messages);
}

bool conversation_is(const struct conversation *conversation, size_t i, const char *role) {
    const char *is =
        json_string_value(json_object_get(json_array_get(conversation->messages, i), "role"));
    return is && !strcmp(is, role);
}

enum jl_status conversation_add(struct conversation *conversation, json_t *message,
                                struct jl_error *err) {
    return json_array_append_new(conversation->messages, message) ? no_memory(err) : JL_OK;
}

json_t *conversation_take_last(struct conversation *conversation) {
    size_t n = conversation_count(conversation);
    if (!n) return NULL;
    json_t *last = json_incref(json_array_get(conversation->messages, n - 1));
    json_array_remove(conversation->messages, n - 1);
    return last;
}

void conversation_drop_last(struct conversation *conversation) {
    json_decref(conversation_take_last(conversation));
}

/* A JSON string, or the reason why there is none. */
static enum jl_status string(const char *text, size_t len, json_t **out, struct jl_error *err) {
    *out = json_stringn(text, len);
    if (*out) return JL_OK;
    return jl_fail(err, JL_ERR_USAGE, "the text is not UTF-8 (or memory is out): nothing was sent");
}

enum jl_status conversation_set_system(struct conversation *conversation, const char *text,
                                       size_t len, struct jl_error *err) {
    json_t *system = NULL;
    if (len) JL_TRY(string(text, len, &system, err));
    json_decref(conversation->system);
    conversation->system = system;
    return JL_OK;
}

enum jl_status conversation_message(const char *role, const char *text, size_t len, json_t **out,
                                    struct jl_error *err) {
    json_t *content;
    JL_TRY(string(text, len, &content, err));
    *out = json_pack("{s:s, s:o}", "role", role, "content", content);
    return *out ? JL_OK : no_memory(err);
}
