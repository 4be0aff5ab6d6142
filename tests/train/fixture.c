#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/open_tokenizer.h"
#include "text/buffer.h"

static const char *const marks[] = {"<s>",
                                    "</s>",
                                    "<|im_start|>",
                                    "<|im_end|>",
                                    "<｜User｜>",
                                    "<｜Assistant｜>",
                                    "<｜end▁of▁sentence｜>",
                                    "<|user|>",
                                    "<|assistant|>",
                                    "<|observation|>"};
static const char *const words[] = {"\n\n", "th", "the",   "an",          "he",
                                    "fish", "is", "river", "\xE9\xB1\xBC"};

enum { N_MARK = sizeof marks / sizeof marks[0], N_WORD = sizeof words / sizeof words[0] };
enum { BYTE0 = 1 + N_MARK, WORD0 = BYTE0 + 256, SINGLE0 = WORD0 + N_WORD, N = SINGLE0 + 96 };

static struct tokenizer *make_tokenizer(enum data_fixture_kind kind) {
    static char bytes[256][8], singles[96][4];
    static struct token_entry tokens[N];
    struct tokenizer *t;
    struct jl_error err;
    tokens[0] = (struct token_entry){"<unk>", 5, 0, TOKEN_UNKNOWN};
    for (int i = 0; i < N_MARK; i++)
        tokens[1 + i] = (struct token_entry){marks[i], strlen(marks[i]), 0, TOKEN_CONTROL};
    for (int i = 0; i < 256; i++) {
        snprintf(bytes[i], sizeof bytes[i], "<0x%02X>", (unsigned)i);
        tokens[BYTE0 + i] = (struct token_entry){bytes[i], 6, 0, TOKEN_BYTE};
    }
    for (int i = 0; i < N_WORD; i++)
        tokens[WORD0 + i] =
            (struct token_entry){words[i], strlen(words[i]), (float)-i, TOKEN_NORMAL};
    for (int i = 0; i < 96; i++) { // a newline, a space's mark, and what can be printed
        snprintf(singles[i], sizeof singles[i], "%c", i == 95 ? '\n' : 32 + i);
        if (i == 0) strcpy(singles[i], "\xE2\x96\x81");
        tokens[SINGLE0 + i] =
            (struct token_entry){singles[i], strlen(singles[i]), (float)(-100 - i), TOKEN_NORMAL};
    }
    if (kind == DATA_FIXTURE_OTHER) tokens[WORD0 + 1].score -= 50;
    struct spm_spec spec = {.tokens = tokens,
                            .n_token = N,
                            .bos = 1,
                            .eos = kind == DATA_FIXTURE_NO_EOS ? TOKEN_NONE : 2,
                            .unk = 0,
                            .add_bos = true,
                            .add_space_prefix = kind == DATA_FIXTURE_PREFIX};
    if (tokenizer_from_spm(&spec, &t, &err) != JL_OK) fail_msg("%s", err.message);
    return t;
}

static void open_form(struct data_fixture *f, const char *path) {
    struct jl_error err;
    if (path && chat_form_open(path, f->tokenizer, &f->form, &err) != JL_OK)
        fail_msg("%s: %s", path, err.message);
}

static struct data_model model_of(const struct data_fixture *f) {
    return (struct data_model){
        .tokenizer = f->tokenizer, .form = &f->form, .n_vocab = tokenizer_vocab_size(f->tokenizer)};
}

void data_fixture_open(struct data_fixture *f, enum data_fixture_kind kind, const char *name) {
    char path[256];
    *f = (struct data_fixture){.tokenizer = make_tokenizer(kind)};
    snprintf(path, sizeof path, "tests/train/templates/%s.jinja", name ? name : "");
    open_form(f, name ? path : NULL);
    f->model = model_of(f);
}

struct data_fixture data_fixture_of(const char *tokenizer, const char *pre,
                                    const char *template_path) {
    struct data_fixture f = {0};
    struct jl_error err;
    if (open_tokenizer_path(tokenizer, pre, &f.tokenizer, &err) != JL_OK)
        fail_msg("%s", err.message);
    open_form(&f, template_path);
    return f;
}

void data_fixture_close(struct data_fixture *f) {
    chat_form_close(&f->form);
    tokenizer_free(f->tokenizer);
}

/* ---- showing ---- */

static void put(struct byte_buffer *out, const char *text) {
    assert_true(buffer_append(out, text, strlen(text)));
}

static void show(const struct tokenizer *t, const struct data_example *e, struct byte_buffer *out) {
    struct token_stream stream;
    struct jl_error err;
    bool inside = false;
    token_stream_init(&stream, t, false);
    stream.raw = stream.show_control = true;
    for (uint32_t i = 0; i <= e->n; i++) {
        bool loss = i < e->n && data_example_loss(e, i);
        if (loss != inside) put(out, loss ? "[" : "]");
        inside = loss;
        if (i < e->n && token_stream_push(&stream, (int32_t)e->ids[i], &out->data, &out->len,
                                          &out->cap, &err) != JL_OK)
            fail_msg("%s", err.message);
    }
}

static const char *keep(struct byte_buffer *text) {
    static char shown[1 << 16];
    assert_true(text->len < sizeof shown);
    memcpy(shown, text->data, text->len);
    shown[text->len] = 0;
    buffer_free(text);
    return shown;
}

const char *data_fixture_show(const struct tokenizer *t, const struct data_example *example) {
    struct byte_buffer text = {0};
    show(t, example, &text);
    return keep(&text);
}

const char *data_fixture_show_doc(const struct tokenizer *t, const struct data_doc *doc) {
    struct byte_buffer text = {0};
    size_t at = 0;
    for (uint32_t i = 0; i < doc->n_example; i++) {
        struct data_example example = data_example_at(doc->words + at);
        if (i) put(&text, " | ");
        show(t, &example, &text);
        at += data_example_words(example.n);
    }
    assert_int_equal(at, doc->n_word);
    put(&text, "");
    return keep(&text);
}

enum jl_status data_fixture_line(const struct data_fixture *f, const char *line,
                                 struct data_doc *doc, struct jl_error *err) {
    struct data_line parsed;
    struct data_chat chat;
    const struct data_model model = model_of(f);
    *doc = (struct data_doc){0};
    JL_TRY(data_chat_open(&model, 0, &chat, err));
    JL_TRY(data_line_parse(line, strlen(line), &parsed, err));
    enum jl_status status = parsed.form == DATA_LINE_TEXT
                                ? data_doc_add_text(doc, f->tokenizer, parsed.text, parsed.len, err)
                                : data_chat_add(&chat, &parsed, doc, err);
    data_line_free(&parsed);
    return status;
}

/* ---- sources ---- */

char *data_fixture_texts(int n, const char *tag) {
    struct byte_buffer out = {0};
    for (int i = 0; i < n; i++) {
        char head[64];
        snprintf(head, sizeof head, "{\"text\": \"%s%d:", tag, i);
        put(&out, head);
        for (int k = 0; k < (i * 7919) % 23; k++)
            put(&out, i % 3 ? " the river is an old fish."
                            : "\xE6\xB1\x9F\xE9\x87\x8C\xE6\x9C\x89\xE9\xB1\xBC\xE3\x80\x82");
        put(&out, "\"}\n");
    }
    assert_true(buffer_append(&out, "", 1));
    return out.data;
}

struct data *data_fixture_data(const struct data_fixture *f, const struct data_spec *spec,
                               int threads) {
    struct pool *pool = NULL;
    struct data *data;
    struct jl_error err;
    const struct pool_options options = {.n_threads = threads};
    if (threads > 1) assert_int_equal(pool_create(&options, &pool, &err), JL_OK);
    if (data_open(spec, &f->model, pool, &data, &err) != JL_OK) fail_msg("%s", err.message);
    pool_free(pool);
    return data;
}
