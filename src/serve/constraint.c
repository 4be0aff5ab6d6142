#include "serve/constraint.h"

#include <pthread.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/vocab.h"

/* Constraints that nobody uses now. */
enum { MOST_KEPT = 32 };
#define KEPT_BYTES ((size_t)256 << 20)
#define TIDY_BYTES ((size_t)16 << 20)

struct constraint {
    struct constraints *all;
    struct constraint *next;
    uint8_t key[SHA256_DIGEST_LENGTH]; // of what it was made from
    struct grammar *grammar;
    struct grammar_matcher *matcher; // the scheduler's thread
    struct constrained *first;       // those at work; the same
    int n_user;                      // under the lock
    uint64_t used;
};

struct constraints {
    const struct tokenizer *tokenizer;
    const struct dialect *dialect;
    const struct end_tokens *ends;
    pthread_mutex_t lock;        // over what follows, and of each the users
    struct grammar_vocab *vocab; // NULL: nobody has asked yet
    struct constraint *first;
    uint64_t clock;
};

struct constrained {
    struct constraint *constraint;
    struct constrained *next, **link;
    struct grammar_state at;
    uint64_t mask[]; // (grammar_vocab_words)
};

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the form of an answer");
}

enum jl_status constraints_create(const struct tokenizer *tokenizer, const struct dialect *dialect,
                                  const struct end_tokens *ends, struct constraints **out,
                                  struct jl_error *err) {
    *out = calloc(1, sizeof **out);
    if (!*out) return no_memory(err);
    (*out)->tokenizer = tokenizer;
    (*out)->dialect = dialect;
    (*out)->ends = ends;
    pthread_mutex_init(&(*out)->lock, NULL);
    return JL_OK;
}

static void release(struct constraint *constraint) {
    grammar_matcher_free(constraint->matcher);
    grammar_free(constraint->grammar);
    free(constraint);
}

void constraints_free(struct constraints *all) {
    if (!all) return;
    for (struct constraint *c = all->first, *next; c; c = next) {
        next = c->next;
        release(c);
    }
    grammar_vocab_free(all->vocab);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

/* ---- what it is made from ---- */

static void put(SHA2_CTX *sha, const char *text, size_t len) {
    SHA256Update(sha, (const uint8_t *)&len, sizeof len);
    SHA256Update(sha, (const uint8_t *)text, len);
}

static void make_key(const struct constraint_spec *spec, uint8_t key[SHA256_DIGEST_LENGTH]) {
    SHA2_CTX sha;
    char head[] = {(char)('0' + spec->kind), (char)('0' + spec->thought),
                   (char)('0' + spec->must_call), (char)('0' + spec->one_call),
                   (char)('0' + spec->one_line)};
    SHA256Init(&sha);
    put(&sha, head, sizeof head);
    put(&sha, spec->source ? spec->source : "", spec->len);
    for (size_t i = 0; i < spec->n_tool; i++) {
        const char *parameters = spec->tools[i].parameters;
        put(&sha, spec->tools[i].name, strlen(spec->tools[i].name));
        put(&sha, parameters ? parameters : "", parameters ? strlen(parameters) : 0);
    }
    SHA256Final(key, &sha);
}

/* ---- the grammar ---- */

static grammar_expr mark(const struct constraints *all, struct grammar_builder *b,
                         const char *text) {
    return grammar_markup(b, all->tokenizer, text);
}

/* The end of a thought, and the white space that dialects write behind it, or some of it. */
static grammar_expr thought(const struct constraints *all, struct grammar_builder *b, bool open) {
    const struct dialect_think *think = &all->dialect->think;
    size_t n = strlen(think->close);
    int32_t id = tokenizer_find_added(all->tokenizer, think->close, n);
    static const uint32_t blanks[][2] = {{'\t', '\n'}, {' ', ' '}};
    grammar_expr space = grammar_repeat(b, grammar_chars(b, blanks, 2), 0, 4);
    grammar_expr parts[3] = {0};
    size_t at = 0;
    if (!open) parts[at++] = mark(all, b, think->open);
    parts[at++] = grammar_text_until(b, think->close, n, id);
    parts[at++] = space;
    grammar_expr whole = grammar_seq(b, parts, at);
    return open ? whole : grammar_optional(b, whole);
}

static grammar_expr words(const struct constraint_spec *spec, struct grammar_builder *b) {
    const struct grammar_json_options options = {.space = spec->one_line ? GRAMMAR_SPACE_ONE
                                                                         : GRAMMAR_SPACE_LINES};
    switch (spec->kind) {
    case CONSTRAINT_JSON: return grammar_json_object(b, &options);
    case CONSTRAINT_SCHEMA: return grammar_json_schema(b, spec->source, spec->len, &options);
    case CONSTRAINT_REGEX: return grammar_regex(b, spec->source, spec->len);
    case CONSTRAINT_GBNF: return grammar_gbnf(b, spec->source, spec->len);
    case CONSTRAINT_TEXT: break;
    }
    return grammar_never(b);
}

static grammar_expr root(const struct constraints *all, const struct constraint_spec *spec,
                         struct grammar_builder *b) {
    bool formed = spec->kind != CONSTRAINT_TEXT;
    grammar_expr body[2] = {0}, turn[2];
    size_t n = 0, n_turn = 0;
    if (formed && !spec->must_call) body[n++] = words(spec, b);
    if (spec->n_tool) {
        const struct grammar_tools tools = {.tools = spec->tools,
                                            .n = spec->n_tool,
                                            .must = spec->must_call || formed,
                                            .one = spec->one_call,
                                            .no_text = formed || spec->must_call};
        body[n++] = grammar_tool_calls(b, all->dialect, all->tokenizer, &tools);
    }
    if (spec->thought != CONSTRAINT_NO_THOUGHT && all->dialect && *all->dialect->think.open)
        turn[n_turn++] = thought(all, b, spec->thought == CONSTRAINT_IN_THOUGHT);
    turn[n_turn++] = n == 1 ? body[0] : grammar_alt(b, body, n);
    return n_turn == 1 ? turn[0] : grammar_seq(b, turn, n_turn);
}

static enum jl_status compile(struct constraints *all, const struct constraint_spec *spec,
                              struct constraint *out, struct jl_error *err) {
    struct grammar_builder *b = grammar_builder_new();
    if (!b) return no_memory(err);
    enum jl_status status = grammar_compile(b, root(all, spec, b), &out->grammar, err);
    grammar_builder_free(b);
    if (status == JL_OK)
        status = grammar_matcher_new(out->grammar, all->vocab, NULL, &out->matcher, err);
    return status;
}

/* ---- those that are kept ---- */

static enum jl_status need_vocab(struct constraints *all, struct jl_error *err) {
    pthread_mutex_lock(&all->lock);
    enum jl_status status = all->vocab ? JL_OK : grammar_vocab_of(all->tokenizer, &all->vocab, err);
    pthread_mutex_unlock(&all->lock);
    return status;
}

static struct constraint *find(struct constraints *all, const uint8_t *key) {
    for (struct constraint *c = all->first; c; c = c->next)
        if (!memcmp(c->key, key, sizeof c->key)) return c;
    return NULL;
}

/* Under the lock: the unused one that was used longest ago goes, where there are too many. */
static struct constraint *take_surplus(struct constraints *all) {
    struct constraint **oldest = NULL;
    size_t bytes = 0;
    int n = 0;
    for (struct constraint **at = &all->first; *at; at = &(*at)->next) {
        if ((*at)->n_user) continue;
        n++;
        bytes += grammar_matcher_bytes((*at)->matcher);
        if (!oldest || (*at)->used < (*oldest)->used) oldest = at;
    }
    if (n == 0 || (n <= MOST_KEPT && bytes <= KEPT_BYTES)) return NULL;
    struct constraint *taken = *oldest;
    *oldest = taken->next;
    return taken;
}

/* Under the lock. */
static struct constraint *use(struct constraints *all, struct constraint *constraint) {
    constraint->n_user++;
    constraint->used = ++all->clock;
    return constraint;
}

enum jl_status constraint_open(struct constraints *all, const struct constraint_spec *spec,
                               struct constraint **out, struct jl_error *err) {
    uint8_t key[SHA256_DIGEST_LENGTH];
    *out = NULL;
    make_key(spec, key);
    JL_TRY(need_vocab(all, err));
    pthread_mutex_lock(&all->lock);
    struct constraint *known = find(all, key);
    if (known) *out = use(all, known);
    pthread_mutex_unlock(&all->lock);
    if (known) return JL_OK;
    struct constraint *made = calloc(1, sizeof *made);
    if (!made) return no_memory(err);
    made->all = all;
    memcpy(made->key, key, sizeof made->key);
    enum jl_status status = compile(all, spec, made, err);
    if (status != JL_OK) {
        release(made);
        return status;
    }
    pthread_mutex_lock(&all->lock); // another may have made the same meanwhile: both stay
    made->next = all->first;
    all->first = made;
    *out = use(all, made);
    pthread_mutex_unlock(&all->lock);
    return JL_OK;
}

enum jl_status constraint_check(struct constraints *all, const struct constraint_spec *spec,
                                struct jl_error *err) {
    struct grammar_builder *b = grammar_builder_new();
    struct grammar *grammar = NULL;
    if (!b) return no_memory(err);
    enum jl_status status = grammar_compile(b, root(all, spec, b), &grammar, err);
    grammar_builder_free(b);
    grammar_free(grammar);
    return status;
}

void constraint_drop(struct constraint *constraint) {
    if (!constraint) return;
    struct constraints *all = constraint->all;
    pthread_mutex_lock(&all->lock);
    constraint->n_user--;
    struct constraint *surplus = take_surplus(all), *next = surplus;
    while (next)
        next = next->next = take_surplus(all);
    pthread_mutex_unlock(&all->lock);
    for (; surplus; surplus = next) {
        next = surplus->next;
        release(surplus);
    }
}

/* ---- one answer ---- */

enum jl_status constrained_begin(struct constraint *constraint, struct constrained **out,
                                 struct jl_error *err) {
    size_t words = grammar_vocab_words(constraint->all->vocab);
    struct constrained *at = calloc(1, sizeof *at + words * sizeof *at->mask);
    *out = at;
    if (!at) return no_memory(err);
    at->constraint = constraint;
    at->at = grammar_start(constraint->matcher);
    at->next = constraint->first;
    at->link = &constraint->first;
    if (at->next) at->next->link = &at->next;
    constraint->first = at;
    return JL_OK;
}

void constrained_end(struct constrained *at) {
    if (!at) return;
    *at->link = at->next;
    if (at->next) at->next->link = at->link;
    free(at);
}

/* What nobody needs any more is dropped now and then. */
static enum jl_status tidy(struct constraint *constraint, struct jl_error *err) {
    struct grammar_state **states;
    size_t n = 0;
    if (grammar_matcher_bytes(constraint->matcher) < TIDY_BYTES) return JL_OK;
    for (struct constrained *c = constraint->first; c; c = c->next)
        n++;
    if (!(states = calloc(n + 1, sizeof *states))) return no_memory(err);
    n = 0;
    for (struct constrained *c = constraint->first; c; c = c->next)
        states[n++] = &c->at;
    enum jl_status status = grammar_keep(constraint->matcher, states, n, err);
    free(states);
    return status;
}

enum jl_status constrained_allowed(struct constrained *at, const uint64_t **mask,
                                   struct jl_error *err) {
    struct constraint *constraint = at->constraint;
    const struct end_tokens *ends = constraint->all->ends;
    JL_TRY(tidy(constraint, err));
    JL_TRY(grammar_allowed(constraint->matcher, at->at, at->mask, err));
    int n = grammar_vocab_size(constraint->all->vocab);
    for (int i = 0; grammar_is_complete(constraint->matcher, at->at) && i < ends->n; i++)
        if (ends->ids[i] < n) at->mask[ends->ids[i] / 64] |= UINT64_C(1) << ends->ids[i] % 64;
    *mask = at->mask;
    return JL_OK;
}

bool constrained_could(const struct constrained *at, const int32_t *ids, size_t n) {
    struct grammar_state state = at->at;
    struct jl_error err;
    for (size_t i = 0; i < n; i++)
        if (grammar_accept(at->constraint->matcher, &state, ids[i], &err) != JL_OK) return false;
    return true;
}

enum jl_status constrained_take(struct constrained *at, int32_t id, struct jl_error *err) {
    return grammar_accept(at->constraint->matcher, &at->at, id, err);
}
