/* The walk is depth first: a piece goes through all further steps before the next piece is cut, so
 * no list of pieces is kept and memory stays within a few copies of the text. */
#include "text/tokenizer/pretok.h"

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/byte_alphabet.h"
#include "text/utf8.h"

/* A piece of a text, which begins `base`; only the base's first piece can begin the whole text. */
struct piece {
    const char *text;
    size_t len;
    bool first; // it begins the stretch given to pretok_text
};

static enum jl_status run_steps(struct pretok_run *run, int step, struct piece piece);

static enum jl_status no_memory(struct pretok_run *run, size_t len) {
    return jl_fail(run->err, JL_ERR_MEMORY, "out of memory while splitting a text of %zu bytes",
                   len);
}

void pretok_free(struct pretok *pretok) {
    for (int i = 0; i < pretok->n_step; i++)
        regex_free(pretok->steps[i].regex);
    pretok->n_step = 0;
}

void pretok_run_free(struct pretok_run *run) {
    for (int i = 0; i < PRETOK_MAX_STEPS; i++) {
        regex_scratch_free(&run->levels[i].scratch);
        buffer_free(&run->levels[i].text);
    }
    buffer_free(&run->unmapped);
}

static inline enum jl_status pass(struct pretok_run *run, int step, const struct piece *base,
                                  size_t from, size_t to) {
    const char *text = base->text + from;
    if (from >= to) return JL_OK;
    run->before = from;
    if (step + 1 == run->pretok->n_step && !run->mapped) // the last step, most often the only one
        return run->word(run->ctx, text, to - from, run->err);
    if (run->piece && step + 1 >= run->free_step)
        return run->piece(run->ctx, step + 1, text, to - from, run->err);
    return run_steps(run, step + 1, (struct piece){text, to - from, base->first && from == 0});
}

/* ---- split ---- */

/* The part not yet passed on: later parts may still join it. */
struct pending {
    size_t from, to;
    bool present;
    bool match;       // contiguous: what it is
    bool after_match; // merged with previous: the part before was a match
};

/* Takes the next part, a match or what lies between two. Parts come in order and cover the piece.
 */
static enum jl_status take(struct pretok_run *run, int step, const struct piece *base,
                           struct pending *pending, struct text_span part, bool match) {
    const struct pretok_step *rules = &run->pretok->steps[step];
    if (rules->invert) match = !match;
    bool join = false;
    switch (rules->behaviour) {
    case PRETOK_REMOVED: return match ? JL_OK : pass(run, step, base, part.start, part.stop);
    case PRETOK_ISOLATED: break; // split_apart
    case PRETOK_CONTIGUOUS: join = pending->match == match; break;
    case PRETOK_MERGED_WITH_PREVIOUS: join = match && !pending->after_match; break;
    case PRETOK_MERGED_WITH_NEXT: join = pending->match && !match; break;
    }
    pending->after_match = match;
    if (join && pending->present) {
        pending->to = part.stop;
        pending->match = match;
        return JL_OK;
    }
    struct pending old = *pending;
    pending->from = part.start;
    pending->to = part.stop;
    pending->present = true;
    pending->match = match;
    return old.present ? pass(run, step, base, old.from, old.to) : JL_OK;
}

/* The usual behaviour: every match and what lies between is a piece. */
static enum jl_status split_apart(struct pretok_run *run, int step, const struct piece *base) {
    struct regex_search search;
    size_t at = 0;
    regex_begin(&search, run->pretok->steps[step].regex, &run->levels[step].scratch, base->text,
                base->len);
    while (at < base->len) {
        bool found;
        JL_TRY(regex_next(&search, &found, run->err));
        if (!found) break;
        struct text_span match = search.in.match;
        if (match.start > at) JL_TRY(pass(run, step, base, at, match.start));
        if (match.stop > match.start) JL_TRY(pass(run, step, base, match.start, match.stop));
        at = match.stop;
    }
    return pass(run, step, base, at, base->len);
}

static enum jl_status split(struct pretok_run *run, int step, const struct piece *base) {
    struct regex_search search;
    struct pending pending = {0};
    size_t at = 0;
    if (run->pretok->steps[step].behaviour == PRETOK_ISOLATED) return split_apart(run, step, base);
    regex_begin(&search, run->pretok->steps[step].regex, &run->levels[step].scratch, base->text,
                base->len);
    for (;;) {
        bool found;
        JL_TRY(regex_next(&search, &found, run->err));
        if (!found) break;
        struct text_span match = search.in.match;
        if (match.start > at)
            JL_TRY(take(run, step, base, &pending, (struct text_span){at, match.start}, false));
        JL_TRY(take(run, step, base, &pending, match, true));
        at = match.stop;
    }
    if (at < base->len)
        JL_TRY(take(run, step, base, &pending, (struct text_span){at, base->len}, false));
    return pending.present ? pass(run, step, base, pending.from, pending.to) : JL_OK;
}

/* ---- other cuts ---- */

/* Digits with general category Nd, by far most often ASCII. */
static size_t digit_length(const char *text, size_t len) {
    uint32_t code;
    if (len == 0) return 0;
    int n = utf8_step(text, len, &code);
    return utf8_is_digit(code) ? (size_t)n : 0;
}

/* Places in a run of digits where the digits that remain are a multiple of three. */
static enum jl_status digit_groups(struct pretok_run *run, int step, const struct piece *base) {
    bool isolated = run->pretok->steps[step].isolated;
    size_t from = 0, at = 0;
    while (at < base->len) {
        size_t n = digit_length(base->text + at, base->len - at), count = 0;
        if (n == 0) {
            uint32_t code;
            at += (size_t)utf8_step(base->text + at, base->len - at, &code);
            continue;
        }
        if (isolated) {
            JL_TRY(pass(run, step, base, from, at));
            from = at;
        }
        for (size_t look = at; (n = digit_length(base->text + look, base->len - look)); look += n)
            count++;
        for (; count; count--) {
            if (count % 3 == 0) {
                JL_TRY(pass(run, step, base, from, at));
                from = at;
            }
            at += digit_length(base->text + at, base->len - at);
        }
        if (isolated) {
            JL_TRY(pass(run, step, base, from, at));
            from = at;
        }
    }
    return pass(run, step, base, from, base->len);
}

static enum jl_status fixed(struct pretok_run *run, int step, const struct piece *base) {
    size_t from = 0, count = 0;
    for (size_t at = 0; at < base->len;) {
        uint32_t code;
        at += (size_t)utf8_step(base->text + at, base->len - at, &code);
        if (++count < run->pretok->steps[step].length) continue;
        JL_TRY(pass(run, step, base, from, at));
        from = at;
        count = 0;
    }
    return pass(run, step, base, from, base->len);
}

/* ---- rewriting ---- */

static enum jl_status metaspace(struct pretok_run *run, int step, const struct piece *base) {
    const struct metaspace *rules = &run->pretok->steps[step].metaspace;
    struct byte_buffer *text = &run->levels[step].text;
    if (!metaspace_mark(rules, base->text, base->len, base->first && run->at_start, text))
        return no_memory(run, base->len);
    struct piece marked = {text->data, text->len, base->first};
    for (size_t at = 0, end; at < marked.len; at = end) {
        end = metaspace_word_end(rules, marked.text, marked.len, at);
        JL_TRY(pass(run, step, &marked, at, end));
    }
    return JL_OK;
}

static enum jl_status prefix_space(struct pretok_run *run, int step, const struct piece *base) {
    struct byte_buffer *text = &run->levels[step].text;
    if (base->text[0] == ' ' || (base->first && run->continued))
        return run_steps(run, step + 1, *base);
    text->len = 0;
    if (!buffer_append(text, " ", 1) || !buffer_append(text, base->text, base->len))
        return no_memory(run, base->len);
    return run_steps(run, step + 1, (struct piece){text->data, text->len, base->first});
}

static enum jl_status to_bytes(struct pretok_run *run, int step, const struct piece *base) {
    struct byte_buffer *text = &run->levels[step].text;
    text->len = 0;
    if (!byte_alphabet_write(base->text, base->len, text)) return no_memory(run, base->len);
    return run_steps(run, step + 1, (struct piece){text->data, text->len, base->first});
}

static enum jl_status finish(struct pretok_run *run, struct piece piece) {
    run->before = 0;
    if (!run->mapped) return run->word(run->ctx, piece.text, piece.len, run->err);
    bool known;
    if (!byte_alphabet_read(piece.text, piece.len, &run->unmapped, &known))
        return no_memory(run, piece.len);
    return run->word(run->ctx, run->unmapped.data, run->unmapped.len, run->err);
}

static enum jl_status run_steps(struct pretok_run *run, int step, struct piece piece) {
    if (piece.len == 0) return JL_OK;
    if (step == run->pretok->n_step) return finish(run, piece);
    switch (run->pretok->steps[step].kind) {
    case PRETOK_SPLIT: return split(run, step, &piece);
    case PRETOK_DIGIT_GROUPS: return digit_groups(run, step, &piece);
    case PRETOK_FIXED: return fixed(run, step, &piece);
    case PRETOK_METASPACE: return metaspace(run, step, &piece);
    case PRETOK_PREFIX_SPACE: return prefix_space(run, step, &piece);
    case PRETOK_BYTES: return to_bytes(run, step, &piece);
    }
    return JL_OK;
}

enum jl_status pretok_rest(struct pretok_run *run, int step, const char *text, size_t len,
                           struct jl_error *err) {
    run->err = err;
    return run_steps(run, step, (struct piece){text, len, false});
}

/* Only these look into the text with a pattern; the others take any bytes. */
static bool needs_utf8(const struct pretok *pretok) {
    for (int i = 0; i < pretok->n_step; i++) {
        if (pretok->steps[i].kind != PRETOK_METASPACE) return true;
    }
    return false;
}

enum jl_status pretok_text(struct pretok_run *run, const char *text, size_t len, bool at_start,
                           struct jl_error *err) {
    run->err = err;
    run->mapped = false;
    for (int i = 0; i < run->pretok->n_step; i++) {
        enum pretok_kind kind = run->pretok->steps[i].kind;
        run->mapped = run->mapped || kind == PRETOK_BYTES;
        if (kind == PRETOK_METASPACE || kind == PRETOK_PREFIX_SPACE) run->free_step = i + 1;
    }
    run->at_start = at_start;
    run->continued = false;
    if (!needs_utf8(run->pretok)) return run_steps(run, 0, (struct piece){text, len, true});
    for (size_t at = 0; at < len;) {
        size_t good = utf8_valid_length(text + at, len - at), bad;
        if (good) {
            run->at_start = at_start && at == 0;
            JL_TRY(run_steps(run, 0, (struct piece){text + at, good, true}));
            at += good;
        }
        run->continued = true;
        for (bad = at; bad < len && utf8_length(text + bad, len - bad) == 0;)
            bad++;
        run->before = at;
        if (bad > at) JL_TRY(run->word(run->ctx, text + at, bad - at, err));
        at = bad;
    }
    return JL_OK;
}
