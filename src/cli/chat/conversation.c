#include "cli/chat/conversation.h"

#include <stdlib.h>
#include <string.h>

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the conversation");
}

enum jl_status conversation_init(struct conversation *out, struct jl_error *err) {
    *out = (struct conversation){.messages = json_array()};
    return out->messages ? JL_OK : no_memory(err);
}

static void free_ids(struct id_buffer *ids) {
    free(ids->data);
    *ids = (struct id_buffer){0};
}

void conversation_clear(struct conversation *conversation) {
    for (size_t i = 0; i < conversation->cap; i++)
        free_ids(&conversation->ids[i]);
    json_array_clear(conversation->messages);
}

void conversation_free(struct conversation *conversation) {
    for (size_t i = 0; i < conversation->cap; i++)
        free_ids(&conversation->ids[i]);
    free(conversation->ids);
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

static enum jl_status make_room(struct conversation *conversation, struct jl_error *err) {
    if (conversation_count(conversation) < conversation->cap) return JL_OK;
    size_t cap = conversation->cap ? 2 * conversation->cap : 16;
    struct id_buffer *grown = realloc(conversation->ids, cap * sizeof *grown);
    if (!grown) return no_memory(err);
    memset(grown + conversation->cap, 0, (cap - conversation->cap) * sizeof *grown);
    conversation->ids = grown;
    conversation->cap = cap;
    return JL_OK;
}

enum jl_status conversation_add(struct conversation *conversation, json_t *message,
                                struct id_buffer *ids, struct jl_error *err) {
    enum jl_status status = make_room(conversation, err);
    size_t at = conversation_count(conversation);
    if (status != JL_OK) json_decref(message);
    if (status == JL_OK && json_array_append_new(conversation->messages, message))
        status = no_memory(err);
    if (ids && status == JL_OK) {
        conversation->ids[at] = *ids;
        *ids = (struct id_buffer){0};
    }
    if (ids) free_ids(ids);
    return status;
}

json_t *conversation_take_last(struct conversation *conversation, struct id_buffer *ids) {
    size_t n = conversation_count(conversation);
    *ids = (struct id_buffer){0};
    if (!n) return NULL;
    json_t *last = json_incref(json_array_get(conversation->messages, n - 1));
    *ids = conversation->ids[n - 1];
    conversation->ids[n - 1] = (struct id_buffer){0};
    json_array_remove(conversation->messages, n - 1);
    return last;
}

void conversation_drop_last(struct conversation *conversation) {
    struct id_buffer ids;
    json_decref(conversation_take_last(conversation, &ids));
    free(ids.data);
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
