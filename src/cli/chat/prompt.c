#include "cli/chat/prompt.h"

#include <stdlib.h>
#include <string.h>

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for a prompt");
}

void prompt_free(struct prompt *prompt) {
    free(prompt->ids);
    *prompt = (struct prompt){0};
}

static bool append(struct id_buffer *all, const int32_t *ids, size_t n) {
    if (!buffer_reserve_ids(all, n)) return false;
    memcpy(all->data + all->len, ids, n * sizeof *ids);
    all->len += n;
    return true;
}

static enum jl_status append_text(const struct talk *talk, struct byte_buffer *text,
                                  struct id_buffer *all, struct jl_error *err) {
    int32_t *ids;
    size_t n;
    if (!text->len) return JL_OK;
    JL_TRY(tokenizer_encode(talk->tokenizer, text->data, text->len, all->len ? 0 : ENCODE_ADD_BOS,
                            &ids, &n, err));
    bool fits = append(all, ids, n);
    free(ids);
    text->len = 0;
    return fits ? JL_OK : no_memory(err);
}

static enum jl_status join(const struct talk *talk, const struct conversation *conversation,
                           struct byte_buffer *text, struct id_buffer *all, struct jl_error *err) {
    size_t n = conversation_count(conversation);
    for (size_t i = 0; i < n; i++) {
        const struct id_buffer *known = &conversation->ids[i];
        const json_t *content =
            json_object_get(json_array_get(conversation->messages, i), "content");
        // A question's tokens depend on nothing before it, except that the first has BOS.
        bool alone = i > 0 && conversation->ids[i - 1].len;
        if (known->len || alone) JL_TRY(append_text(talk, text, all, err));
        if (known->len) {
            if (!append(all, known->data, known->len)) return no_memory(err);
        } else if (!buffer_append(text, json_string_value(content), json_string_length(content))) {
            return no_memory(err);
        }
    }
    return append_text(talk, text, all, err);
}

enum jl_status prompt_plain(const struct talk *talk, const struct conversation *conversation,
                            struct prompt *out, struct jl_error *err) {
    struct byte_buffer text = {0};
    struct id_buffer all = {0};
    *out = (struct prompt){0};
    enum jl_status status = join(talk, conversation, &text, &all, err);
    if (status == JL_OK && all.len == 0)
        status = jl_fail(err, JL_ERR_USAGE, "the prompt is empty: give at least one token of text");
    buffer_free(&text);
    if (status == JL_OK)
        *out = (struct prompt){all.data, all.len};
    else
        free(all.data);
    return status;
}
