#include "train/eval/line.h"

#include <string.h>

#include "train/data/line.h"

#define MOST_TOKENS (1 << 20) // of an answer
#define SHOWN 40              // bytes of a stranger's text in a message

/* ---- keys ---- */

enum check_set { OF_ANSWER = 1, OF_NUMBER = 2, OF_CHOICE = 4, OF_LOSS = 8, OF_ALL = 15 };

/* Which checks read a key, and whether a head may have it among its defaults. */
static const struct key {
    const char *name;
    unsigned checks;
    bool in_defaults;
} keys[] = {
    {"prompt", OF_ALL, false},
    {"messages", OF_ALL, false},
    {"tools", OF_ALL, true},
    {"expect", OF_ALL, false},
    {"check", OF_ALL, true},
    {"group", OF_ALL, true},
    {"max_tokens", OF_ANSWER | OF_NUMBER, true},
    {"stop", OF_ANSWER | OF_NUMBER, true},
    {"tolerance", OF_NUMBER, true},
    {"choices", OF_CHOICE, true},
    {"score", OF_CHOICE, true},
};
enum { N_KEY = sizeof keys / sizeof keys[0] };

static const struct key *find_key(const char *name) {
    for (size_t i = 0; i < N_KEY; i++)
        if (!strcmp(keys[i].name, name)) return &keys[i];
    return NULL;
}

static enum jl_status check_of(struct eval_line *line, const char *name, unsigned *set,
                               struct jl_error *err) {
    line->check = name;
    line->verifier = NULL;
    line->kind = EVAL_ANSWER;
    *set = OF_ANSWER;
    if (!strcmp(name, "choice")) {
        line->kind = EVAL_CHOICE;
        *set = OF_CHOICE;
    } else if (!strcmp(name, "loss")) {
        line->kind = EVAL_LOSS;
        *set = OF_LOSS;
    } else {
        line->verifier = verify_find(name);
        if (!line->verifier)
            return jl_fail(err, JL_ERR_FORMAT,
                           "there is no check \"%.*s\": it may be exact, contains, number, regex, "
                           "fraction, numbers, list, countdown, verse, "
                           "verse_form, idiom_move, choice or loss",
                           SHOWN, name);
        if (line->verifier->takes_tolerance) *set = OF_NUMBER;
    }
    return JL_OK;
}

/* The line's own keys, each of which its check must read. */
static enum jl_status check_keys(const struct eval_line *line, unsigned set, struct jl_error *err) {
    const char *name;
    json_t *value;
    json_object_foreach(line->root, name, value) {
        const struct key *key = find_key(name);
        if (!key)
            return jl_fail(err, JL_ERR_FORMAT,
                           "a task has an unknown key \"%.*s\": rename or remove it", SHOWN, name);
        if (!(key->checks & set))
            return jl_fail(err, JL_ERR_FORMAT, "\"%s\" means nothing to the check \"%s\"", name,
                           line->check);
    }
    return JL_OK;
}

static enum jl_status add_defaults(struct eval_line *line, json_t *defaults, unsigned set,
                                   struct jl_error *err) {
    bool asks = json_object_get(line->root, "messages") != NULL;
    const char *name;
    json_t *value;
    json_object_foreach(defaults, name, value) {
        const struct key *key = find_key(name);
        bool wanted = key && (key->checks & set) && !json_object_get(line->root, name) &&
                      (asks || strcmp(name, "tools") != 0);
        if (wanted && json_object_set(line->root, name, value))
            return jl_fail(err, JL_ERR_MEMORY, "out of memory for a task");
    }
    return JL_OK;
}

/* ---- values ---- */

static bool is_text(const json_t *value) {
    return json_is_string(value) && json_string_length(value) > 0;
}

static struct pattern_text text_of(const json_t *value) {
    return (struct pattern_text){json_string_value(value), json_string_length(value)};
}

static enum jl_status read_question(struct eval_line *line, struct jl_error *err) {
    const json_t *prompt = json_object_get(line->root, "prompt"), *last;
    line->messages = json_object_get(line->root, "messages");
    line->tools = json_object_get(line->root, "tools");
    if (!prompt == !line->messages)
        return jl_fail(err, JL_ERR_FORMAT, "a task has \"prompt\" or \"messages\", one of the two");
    if (prompt && line->tools) return jl_fail(err, JL_ERR_FORMAT, "\"tools\" go with \"messages\"");
    if (prompt) {
        if (!is_text(prompt))
            return jl_fail(err, JL_ERR_FORMAT, "\"prompt\" must be a text that is not empty");
        line->prompt = json_string_value(prompt);
        line->n_prompt = json_string_length(prompt);
        return JL_OK;
    }
    JL_TRY(data_line_check_chat(line->messages, line->tools, err));
    last = json_array_get(line->messages, json_array_size(line->messages) - 1);
    if (strcmp(json_string_value(json_object_get(last, "role")), "assistant") != 0) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT,
                   "the last message is the assistant's: what it should say is \"expect\"");
}

static enum jl_status read_group(struct eval_line *line, struct jl_error *err) {
    const json_t *group = json_object_get(line->root, "group");
    if (!group) return JL_OK;
    if (!is_text(group) || strlen(json_string_value(group)) != json_string_length(group))
        return jl_fail(err, JL_ERR_FORMAT, "\"group\" must be a text that is not empty");
    line->group = json_string_value(group);
    return JL_OK;
}

static enum jl_status read_stops(struct eval_line *line, struct jl_error *err) {
    const json_t *stop = json_object_get(line->root, "stop"), *item;
    size_t i, bytes = 0;
    if (!stop) return JL_OK;
    if (is_text(stop)) return line->stop[line->n_stop++] = text_of(stop), JL_OK;
    bool fits = json_is_array(stop) && json_array_size(stop) > 0 &&
                json_array_size(stop) <= EVAL_MOST_STOPS;
    if (fits) json_array_foreach(stop, i, item) {
            fits = fits && is_text(item);
            if (fits) line->stop[line->n_stop++] = text_of(item), bytes += text_of(item).len;
        }
    if (fits && bytes <= PATTERNS_MAX_BYTES) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT,
                   "\"stop\" must be a text or a list of up to %d texts, none of them empty",
                   EVAL_MOST_STOPS);
}

static enum jl_status read_max_tokens(struct eval_line *line, struct jl_error *err) {
    const json_t *most = json_object_get(line->root, "max_tokens");
    line->max_tokens = EVAL_MAX_TOKENS;
    if (!most) return JL_OK;
    if (!json_is_integer(most) || json_integer_value(most) < 1 ||
        json_integer_value(most) > MOST_TOKENS)
        return jl_fail(err, JL_ERR_FORMAT, "\"max_tokens\" must be a whole number from 1 to %d",
                       MOST_TOKENS);
    line->max_tokens = (int)json_integer_value(most);
    return JL_OK;
}

static enum jl_status read_answer(struct eval_line *line, struct jl_error *err) {
    json_t *expect = json_object_get(line->root, "expect");
    const json_t *tolerance = json_object_get(line->root, "tolerance");
    JL_TRY(read_stops(line, err));
    JL_TRY(read_max_tokens(line, err));
    if (!is_text(expect))
        return jl_fail(err, JL_ERR_FORMAT, "\"expect\" must be a text that is not empty");
    if (tolerance && !(json_is_number(tolerance) && json_number_value(tolerance) >= 0))
        return jl_fail(err, JL_ERR_FORMAT, "\"tolerance\" must be a number from 0");
    line->expect.text = json_string_value(expect);
    line->expect.len = json_string_length(expect);
    line->expect.tolerance = tolerance ? json_number_value(tolerance) : 0;
    return verify_prepare(line->verifier, &line->expect, err);
}

static enum jl_status read_right(struct eval_line *line, struct jl_error *err) {
    const json_t *expect = json_object_get(line->root, "expect");
    if (json_is_integer(expect)) {
        json_int_t index = json_integer_value(expect);
        if (index < 0 || index >= line->n_choice)
            return jl_fail(err, JL_ERR_FORMAT,
                           "\"expect\" is choice %lld: there are %d, counted from 0",
                           (long long)index, line->n_choice);
        line->right = (int)index;
        return JL_OK;
    }
    line->right = -1;
    for (int i = 0; json_is_string(expect) && i < line->n_choice; i++)
        if (line->choices[i].len == json_string_length(expect) &&
            !memcmp(line->choices[i].text, json_string_value(expect), line->choices[i].len))
            line->right = i;
    if (line->right >= 0) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT,
                   "\"expect\" must be one of the choices, or its number counted from 0");
}

static enum jl_status read_choice(struct eval_line *line, struct jl_error *err) {
    const json_t *list = json_object_get(line->root, "choices"),
                 *score = json_object_get(line->root, "score"), *item;
    size_t i;
    if (!json_is_array(list) || json_array_size(list) < 2 ||
        json_array_size(list) > EVAL_MOST_CHOICES)
        return jl_fail(err, JL_ERR_FORMAT, "\"choices\" must be a list of 2 to %d texts",
                       EVAL_MOST_CHOICES);
    json_array_foreach(list, i, item) {
        if (!is_text(item))
            return jl_fail(err, JL_ERR_FORMAT, "choice %zu must be a text that is not empty", i);
        for (size_t k = 0; k < i; k++)
            if (json_equal(item, json_array_get(list, k)))
                return jl_fail(err, JL_ERR_FORMAT, "choices %zu and %zu are the same", k, i);
        line->choices[line->n_choice++] = text_of(item);
    }
    if (score) {
        const char *name = json_is_string(score) ? json_string_value(score) : "";
        line->per_byte = !strcmp(name, "bytes");
        if (!line->per_byte && strcmp(name, "sum") != 0)
            return jl_fail(err, JL_ERR_FORMAT, "\"score\" must be \"sum\" or \"bytes\"");
    }
    return read_right(line, err);
}

static enum jl_status read_loss(struct eval_line *line, struct jl_error *err) {
    const json_t *expect = json_object_get(line->root, "expect");
    if (!is_text(expect))
        return jl_fail(err, JL_ERR_FORMAT, "\"expect\" must be a text that is not empty");
    line->expect.text = json_string_value(expect);
    line->expect.len = json_string_length(expect);
    return JL_OK;
}

/* ---- a line ---- */

static enum jl_status read_line(struct eval_line *line, json_t *defaults, struct jl_error *err) {
    const json_t *check;
    unsigned set = 0;
    if (!json_is_object(line->root)) return jl_fail(err, JL_ERR_FORMAT, "a task must be an object");
    check = json_object_get(line->root, "check");
    if (!check) check = json_object_get(defaults, "check");
    if (check && !json_is_string(check))
        return jl_fail(err, JL_ERR_FORMAT, "\"check\" must be a text");
    JL_TRY(check_of(line, check ? json_string_value(check) : "exact", &set, err));
    JL_TRY(check_keys(line, set, err));
    JL_TRY(add_defaults(line, defaults, set, err));
    if (!json_object_get(line->root, "expect"))
        return jl_fail(err, JL_ERR_FORMAT, "a task must say what to \"expect\"");
    JL_TRY(read_question(line, err));
    JL_TRY(read_group(line, err));
    if (line->kind == EVAL_ANSWER) return read_answer(line, err);
    return line->kind == EVAL_CHOICE ? read_choice(line, err) : read_loss(line, err);
}

enum jl_status eval_line_parse(const char *bytes, size_t n, json_t *defaults, struct eval_line *out,
                               struct jl_error *err) {
    *out = (struct eval_line){0};
    JL_TRY(data_line_json(bytes, n, &out->root, err));
    enum jl_status status = read_line(out, defaults, err);
    if (status != JL_OK) eval_line_free(out);
    return status;
}

void eval_line_free(struct eval_line *line) {
    verify_free(&line->expect);
    json_decref(line->root);
    *line = (struct eval_line){0};
}

/* ---- the head ---- */

static enum jl_status check_defaults(json_t *defaults, struct jl_error *err) {
    const char *name;
    json_t *value;
    if (!json_is_object(defaults))
        return jl_fail(err, JL_ERR_FORMAT, "\"defaults\" must be an object");
    json_object_foreach(defaults, name, value) {
        const struct key *key = find_key(name);
        if (!key || !key->in_defaults)
            return jl_fail(err, JL_ERR_FORMAT, "\"%.*s\" can have no default", SHOWN, name);
    }
    return JL_OK;
}

static enum jl_status read_head(struct eval_head *head, struct jl_error *err) {
    const json_t *task = json_object_get(head->root, "task");
    head->defaults = json_object_get(head->root, "defaults");
    if (json_object_size(head->root) != 1 + (size_t)(head->defaults != NULL))
        return jl_fail(err, JL_ERR_FORMAT,
                       "the head of a file of tasks has \"task\", may have \"defaults\", and no "
                       "other key");
    if (!is_text(task) || strlen(json_string_value(task)) != json_string_length(task))
        return jl_fail(err, JL_ERR_FORMAT, "\"task\" must be a name");
    head->task = json_string_value(task);
    return head->defaults ? check_defaults(head->defaults, err) : JL_OK;
}

enum jl_status eval_head_parse(const char *bytes, size_t n, bool *is_head, struct eval_head *out,
                               struct jl_error *err) {
    *out = (struct eval_head){0};
    *is_head = false;
    JL_TRY(data_line_json(bytes, n, &out->root, err));
    enum jl_status status = JL_OK;
    *is_head = json_object_get(out->root, "task") != NULL;
    if (*is_head) status = read_head(out, err);
    if (status != JL_OK || !*is_head) eval_head_free(out);
    return status;
}

void eval_head_free(struct eval_head *head) {
    json_decref(head->root);
    *head = (struct eval_head){0};
}
