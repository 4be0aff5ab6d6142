/* Rendering: for every dialect, parsing a rendered random turn gives the turn back, cut anywhere;
 * and turns that cannot be written are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "text/dialect/format.h"

#define MAX_CALLS 4
static uint64_t random_state;

static size_t below(size_t n) { return (size_t)(next_random(&random_state) % n); }

struct text {
    char data[16384];
    size_t len;
};

static void add(struct text *text, const char *piece) {
    size_t n = strlen(piece);
    assert_true(text->len + n < sizeof text->data);
    memcpy(text->data + text->len, piece, n + 1);
    text->len += n;
}

/* Words, other scripts, halves of marks, and marks that mean nothing where they stand. */
static const char *const pieces[] = {
    "word ",       "the answer", "\n",
    "\n\n",        " ",          "<",
    "</",          "中文，",     "🌍👩‍👩‍👧",
    "é",           "\"",         "\\",
    "'",           "{\"a\": 1}", "```",
    "<tool_c",     "<tool_",     "</thi",
    "<｜tool▁",    "[TOOL_C",    "<|tool_call",
    "；",          "｜",         "]",
    "</param",     "&lt;",       "\t",
    "0.10",        "null",       "# ",
    "- ",          "</tool_cal", "<｜DSML｜",
    "<|python_ta", "[/THIN",
};
#define N_PIECE (sizeof pieces / sizeof pieces[0])

static void add_pieces(struct text *text, size_t most) {
    for (size_t n = below(most + 1); n; n--)
        add(text, pieces[below(N_PIECE)]);
}

static void add_name(struct text *text, bool safe) {
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    char name[32];
    size_t n = 1 + below(20);
    for (size_t i = 0; i < n; i++)
        name[i] = letters[below(sizeof letters - 1)];
    name[0] = letters[below(52)];
    name[n] = 0;
    add(text, name);
    if (!safe && below(4) == 0) add(text, below(2) ? "名字" : ".sub");
}

static void add_json_string(struct text *text, const char *s) {
    json_t *value = json_string(s);
    char *json = json_dumps(value, JSON_ENCODE_ANY | (below(2) ? JSON_ENSURE_ASCII : 0));
    add(text, json);
    free(json);
    json_decref(value);
}

/* Marks inside strings, of this dialect and others: JSON hides them, bare text cannot. */
static void add_hard_string(struct text *text, const struct dialect *d) {
    static struct text s;
    s.len = 0;
    s.data[0] = 0;
    add_pieces(&s, 6);
    if (d->calls->body != CALL_PARAMS) {
        const char *const marks[] = {
            d->calls->close, d->calls->section_close, d->calls->open, d->think.close, d->think.open,
            "}]\"",          "</tool_call>",          "\\\"}"};
        add(&s, marks[below(8)]);
        add_pieces(&s, 3);
    }
    add_json_string(text, s.data);
}

static void add_value(struct text *text, const struct dialect *d, int depth) {
    static const char *const literals[] = {"0",
                                           "-1.50",
                                           "1e400",
                                           "true",
                                           "false",
                                           "null",
                                           "[]",
                                           "{}",
                                           "0.1",
                                           "-0",
                                           "12345678901234567890123"};
    size_t kind = below(depth < 4 ? 7 : 4);
    if (kind < 2) {
        add_hard_string(text, d);
    } else if (kind < 4) {
        add(text, literals[below(11)]);
    } else {
        bool object = kind < 6;
        add(text, object ? "{" : "[");
        for (size_t n = below(3), i = 0; i < n; i++) {
            if (i) add(text, below(2) ? "," : ", ");
            if (object) add_hard_string(text, d);
            if (object) add(text, below(2) ? ":" : " : ");
            add_value(text, d, depth + 1);
        }
        add(text, object ? "}" : "]");
    }
}

static const char *type_of(const char *value) {
    switch (*value) {
    case '"': return "string";
    case '{': return "object";
    case '[': return "array";
    case 't':
    case 'f': return "boolean";
    case 'n': return "null";
    default: return "number";
    }
}

/* Arguments, and the schema that goes with them. */
static void add_args(struct text *args, struct text *schema, const struct dialect *d) {
    bool params = d->calls->body == CALL_PARAMS;
    add(args, "{");
    add(schema, "{\"type\": \"object\", \"properties\": {");
    for (size_t n = below(5), i = 0; i < n; i++) {
        char key[32];
        snprintf(key, sizeof key, "k%zu%s", i, below(3) ? "" : params ? "键 é" : "\\\"}键\\n");
        if (i) add(args, ", ");
        if (i) add(schema, ", ");
        add(args, "\"");
        add(args, key);
        add(args, "\": ");
        const char *value = args->data + args->len;
        add_value(args, d, 0);
        add(schema, "\"");
        add(schema, key);
        add(schema, "\": {\"type\": \"");
        add(schema, type_of(value));
        add(schema, "\"}");
    }
    add(args, below(5) ? "}" : " }");
    add(schema, "}}");
}

static bool has_mark(const struct dialect *d, const char *text) {
    const char *const marks[] = {d->think.open,
                                 d->think.close,
                                 d->answer_open,
                                 d->answer_close,
                                 d->calls ? d->calls->section_open : "",
                                 d->calls ? d->calls->section_alt : "",
                                 d->calls ? d->calls->open : ""};
    for (size_t i = 0; i < 7; i++)
        if (*marks[i] && strstr(text, marks[i])) return true;
    return false;
}

/* A text with words in it and no mark of the dialect. */
static void make_text(struct text *text, const struct dialect *d) {
    do {
        text->len = 0;
        text->data[0] = 0;
        add_pieces(text, 4);
        add(text, "W");
        add_pieces(text, 8);
    } while (has_mark(d, text->data));
}

struct turn {
    struct text thinking, content, names[MAX_CALLS], args[MAX_CALLS], schemas[MAX_CALLS],
        ids[MAX_CALLS];
    struct dialect_call calls[MAX_CALLS];
    struct dialect_tool tools[MAX_CALLS];
    struct dialect_turn turn;
};

static void make_turn(struct turn *t, const struct dialect *d) {
    memset(t, 0, sizeof *t);
    if (*d->think.open && below(2)) {
        if (below(6)) make_text(&t->thinking, d);
        t->turn.thinking = t->thinking.data;
    }
    if (below(4)) make_text(&t->content, d);
    t->turn.content = below(8) || t->content.len ? t->content.data : NULL;
    t->turn.n_call = d->calls ? below(MAX_CALLS + 1) : 0;
    for (size_t i = 0; i < t->turn.n_call; i++) {
        bool json_names = d->calls->body == CALL_OBJECT || d->calls->body == CALL_LIST;
        do {
            t->names[i].len = 0;
            add_name(&t->names[i], !json_names);
            for (size_t k = 0; k < i; k++)
                if (strcmp(t->names[k].data, t->names[i].data) == 0) t->names[i].len = 0;
        } while (t->names[i].len == 0);
        add_args(&t->args[i], &t->schemas[i], d);
        if (d->calls->id_is_name) {
            char end[24];
            snprintf(end, sizeof end, ":%zu", below(100));
            add(&t->ids[i], "functions.");
            add(&t->ids[i], t->names[i].data);
            add(&t->ids[i], end);
        } else if (below(2)) {
            add(&t->ids[i], "9Ae3bDc2F");
        }
        t->calls[i] = (struct dialect_call){t->names[i].data, t->args[i].data, t->ids[i].data};
        t->tools[i] = (struct dialect_tool){t->names[i].data, t->schemas[i].data};
    }
    t->turn.calls = t->calls;
    t->turn.tools = t->tools;
    t->turn.n_tool = t->turn.n_call;
}

/* The events that the turn should read back as. */
static json_t *expected(const struct turn *t, const struct dialect *d) {
    json_t *events = json_array();
    if (t->thinking.len)
        json_array_append_new(events, json_pack("[ss]", "reasoning", t->thinking.data));
    if (t->content.len)
        json_array_append_new(events, json_pack("[ss]", "content", t->content.data));
    for (size_t i = 0; i < t->turn.n_call; i++) {
        bool ids = d->calls->id_is_name || d->calls->list_ids || *d->calls->id_open;
        json_array_append_new(events, json_pack("[ssss]", "call", t->names[i].data,
                                                ids ? t->ids[i].data : "", t->args[i].data));
    }
    return events;
}

/* Formats without JSON give the arguments' text in their own spacing: numbers have to be the same
 * texts, so the comparison is of the texts without spaces outside strings and with strings alike.
 */
static char *normal(const char *json) {
    char *out = malloc(strlen(json) * 6 + 8), *to = out;
    assert_non_null(out);
    while (*json) {
        if (*json != '"') {
            if (!strchr(" \t\n\r", *json)) *to++ = *json;
            json++;
            continue;
        }
        const char *end = json + 1;
        while (*end != '"')
            end += *end == '\\' ? 2 : 1;
        json_t *string =
            json_loadb(json, (size_t)(end + 1 - json), JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(string);
        char *dumped = json_dumps(string, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
        to = stpcpy(to, dumped);
        free(dumped);
        json_decref(string);
        json = end + 1;
    }
    *to = 0;
    return out;
}

static void normalize(json_t *events) {
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event) {
        if (json_array_size(event) < 4) continue;
        char *args = normal(json_string_value(json_array_get(event, 3)));
        json_array_set_new(event, 3, json_string(args));
        free(args);
    }
}

static void check_turn(const struct turn *t, const struct dialect *d) {
    struct jl_error err = {0};
    char *text;
    size_t len;
    if (dialect_render_calls(d, &t->turn, &text, &len, &err) != JL_OK) {
        json_t *wanted = expected(t, d);
        fail_msg("%s: %s\n%s", d->name, err.message, json_dumps(wanted, 0));
    }
    assert_int_equal(strlen(text), len);
    struct dialect_options options = dialect_options_default();
    options.tools = t->turn.tools;
    options.n_tool = t->turn.n_tool;
    for (int round = 0; round < 4; round++) {
        struct cut_random cut = {random_state + (uint64_t)round, 1 + (unsigned)below(20)};
        options.whole_calls = round & 1;
        json_t *got = run_stream(d, &options, text, len, cut_random, &cut);
        json_t *wanted = expected(t, d);
        if (d->calls && d->calls->body == CALL_PARAMS) {
            normalize(got);
            normalize(wanted);
        } else {
            size_t i;
            json_t *event;
            json_array_foreach(wanted, i, event)(void) event;
        }
        if (!json_equal(got, wanted))
            fail_msg("%s\ntext   %s\ngot    %s\nwanted %s", d->name, text, json_dumps(got, 0),
                     json_dumps(wanted, 0));
        json_decref(got);
        json_decref(wanted);
    }
    free(text);
}

static void test_random_turns(void **state) {
    (void)state;
    static struct turn turn;
    const struct dialect *d;
    for (size_t row = 0; (d = dialect_at(row)); row++)
        for (int round = 0; round < 300; round++) {
            make_turn(&turn, d);
            check_turn(&turn, d);
        }
}

static void refuse(const char *dialect, struct dialect_turn turn, enum jl_status wanted) {
    struct jl_error err;
    char *text = NULL;
    size_t len;
    enum jl_status got = dialect_render_calls(dialect_by_name(dialect), &turn, &text, &len, &err);
    if (got != wanted) fail_msg("%s: %s: %s", dialect, jl_status_name(got), text ? text : "");
    assert_null(text);
}

static void test_refusals(void **state) {
    (void)state;
    static const struct dialect_call good = {"f", "{}", NULL}, quote = {"a\"b", "{}", NULL},
                                     number = {"f", "{\"a\": \"5\"}", NULL},
                                     close = {"f", "{\"a\": \"x</parameter>\"}", NULL},
                                     list = {"f", "[]", NULL}, cut = {"f", "{\"a\": 1", NULL},
                                     none = {"", "{}", NULL}, key = {"f", "{\"a\\nb\": 1}", NULL},
                                     surrogate = {"f", "{\"a\": \"\\ud800\"}", NULL};
    const enum jl_status no = JL_ERR_UNSUPPORTED, wrong = JL_ERR_USAGE;
    refuse("hermes", (struct dialect_turn){.thinking = "a </think> b"}, no);
    refuse("hermes", (struct dialect_turn){.content = "<think>a</think>"}, no);
    refuse("hermes",
           (struct dialect_turn){.content = "<tool_call>{\"name\": \"f\", \"arguments\": {}}"}, no);
    refuse("llama3", (struct dialect_turn){.thinking = "a"}, no);
    refuse("gemma", (struct dialect_turn){.calls = &good, .n_call = 1}, no);
    refuse("minimax-m2", (struct dialect_turn){.calls = &quote, .n_call = 1}, no);
    refuse("qwen-xml", (struct dialect_turn){.calls = &number, .n_call = 1}, no);
    refuse("qwen-xml", (struct dialect_turn){.calls = &close, .n_call = 1}, no);
    refuse("qwen-xml", (struct dialect_turn){.calls = &key, .n_call = 1}, no);
    refuse("kimi-k2",
           (struct dialect_turn){.calls = &(struct dialect_call){"f", "{}", "functions.g:0"},
                                 .n_call = 1},
           no);
    refuse("hermes", (struct dialect_turn){.calls = &list, .n_call = 1}, wrong);
    refuse("hermes", (struct dialect_turn){.calls = &cut, .n_call = 1}, wrong);
    refuse("hermes", (struct dialect_turn){.calls = &none, .n_call = 1}, wrong);
    refuse("glm-4.5", (struct dialect_turn){.calls = &surrogate, .n_call = 1}, JL_ERR_MEMORY);
}

/* As the models' templates write it. */
static void test_known(void **state) {
    (void)state;
    static const struct dialect_call calls[] = {{"get_weather", "{\"city\": \"北京\"}", ""},
                                                {"now", "{}", ""}};
    static const struct {
        const char *dialect, *text;
    } rows[] = {
        {"hermes", "<think>\n想\n</think>\n\n好\n<tool_call>\n{\"name\": \"get_weather\", "
                   "\"arguments\": {\"city\": \"北京\"}}\n</tool_call>\n<tool_call>\n{\"name\": "
                   "\"now\", \"arguments\": {}}\n</tool_call>"},
        {"qwen-xml",
         "<think>\n想\n</"
         "think>\n\n好\n\n<tool_call>\n<function=get_weather>\n<parameter=city>\n北京"
         "\n</parameter>\n</function>\n</tool_call>\n<tool_call>\n<function=now>\n</function>\n"
         "</tool_call>"},
        {"glm-4.5", "<think>想</think>\n好\n<tool_call>get_weather\n<arg_key>city</arg_key>\n"
                    "<arg_value>北京</arg_value>\n</tool_call>\n<tool_call>now\n</tool_call>"},
        {"deepseek-r1",
         "<think>\n想\n</"
         "think>\n\n好<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>"
         "get_weather\n```json\n{\"city\": \"北京\"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>"
         "function<｜tool▁sep｜>now\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"},
        {"deepseek-v3.2",
         "<think>想</think>好\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"get_weather\">\n"
         "<｜DSML｜parameter name=\"city\" string=\"true\">北京</｜DSML｜parameter>\n"
         "</｜DSML｜invoke>\n<｜DSML｜invoke name=\"now\">\n</｜DSML｜invoke>\n"
         "</｜DSML｜function_calls>"},
        {"minimax-m2", "<think>\n想\n</think>\n\n好\n<minimax:tool_call>\n<invoke "
                       "name=\"get_weather\">\n<parameter name=\"city\">北京</parameter>\n"
                       "</invoke>\n<invoke name=\"now\">\n</invoke>\n</minimax:tool_call>"},
        {"kimi-k2-thinking",
         "<think>想</think>好<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0"
         "<|tool_call_argument_begin|>{\"city\": \"北京\"}<|tool_call_end|><|tool_call_begin|>"
         "functions.now:1<|tool_call_argument_begin|>{}<|tool_call_end|>"
         "<|tool_calls_section_end|>"},
        {"mistral-v13",
         "[THINK]想[/THINK]好[TOOL_CALLS]get_weather[ARGS]{\"city\": \"北京\"}[TOOL_CALLS]now"
         "[ARGS]{}"},
        {"hunyuan", "<think>\n想\n</think>\n<answer>\n好<tool_calls>[{\"name\": \"get_weather\", "
                    "\"arguments\": {\"city\": \"北京\"}}, {\"name\": \"now\", \"arguments\": "
                    "{}}]</tool_calls>\n</answer>"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dialect_turn turn = {"想", "好", calls, 2, NULL, 0};
        struct jl_error err;
        char *text;
        size_t len;
        if (dialect_render_calls(dialect_by_name(rows[i].dialect), &turn, &text, &len, &err) !=
            JL_OK)
            fail_msg("%s: %s", rows[i].dialect, err.message);
        assert_string_equal(text, rows[i].text);
        free(text);
    }
}

int main(void) {
    random_state = random_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_random_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
