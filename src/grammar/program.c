#include "grammar/program.h"

#include <stdlib.h>
#include <string.h>

#include "grammar/limits.h"

#define NONE UINT32_MAX
#define MAX_ALIAS 64 // free edges skipped before a position

/* Links sorted by one of their ends: those of position p are order[first[p], first[p + 1]). */
struct sorted {
    uint32_t *first, *order;
};

struct work {
    struct grammar *g;
    struct program_link *links; // a copy
    size_t n_link;
    struct sorted to;    // by target
    uint32_t *queue;     // (n_position)
    uint32_t *rule_at;   // (n_position) the rule that starts here, or NONE
    uint32_t *wait_head; // (n_rule) links whose rule has not been reached yet
    uint32_t *wait_next; // (n_link)
    uint8_t *mark;       // (n_position)
};

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for a grammar");
}

static void *array(size_t n, size_t size) { return calloc(n + 1, size); }

static void sort_links(struct sorted *s, const struct program_link *links, size_t n_link,
                       uint32_t n_position, bool by_target) {
    memset(s->first, 0, (n_position + 1) * sizeof *s->first);
    for (size_t i = 0; i < n_link; i++)
        s->first[(by_target ? links[i].edge.target : links[i].from) + 1]++;
    for (uint32_t p = 0; p < n_position; p++)
        s->first[p + 1] += s->first[p];
    for (size_t i = 0; i < n_link; i++) // first[p] moves to where the links of p end
        s->order[s->first[by_target ? links[i].edge.target : links[i].from]++] = (uint32_t)i;
    for (uint32_t p = n_position; p > 0; p--)
        s->first[p] = s->first[p - 1];
    s->first[0] = 0;
}

/* Marks the positions from which their rule's end can be reached: by free edges and calls of rules
 * that can themselves be passed so, and with `bytes` by the other edges, too. */
static void reach_back(struct work *w, bool bytes) {
    const struct grammar *g = w->g;
    size_t n = 0;
    memset(w->mark, 0, g->n_position);
    for (uint32_t r = 0; r < g->n_rule; r++)
        w->wait_head[r] = NONE;
    for (uint32_t r = 0; r < g->n_rule; r++) {
        w->mark[g->rules[r].end] = 1;
        w->queue[n++] = g->rules[r].end;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t p = w->queue[i];
        for (uint32_t k = w->to.first[p]; k < w->to.first[p + 1]; k++) {
            uint32_t at = w->to.order[k];
            const struct program_link *l = &w->links[at];
            bool passes = l->edge.kind == EDGE_FREE || bytes;
            if (l->edge.kind == EDGE_CALL && !w->mark[g->rules[l->edge.arg].start]) {
                w->wait_next[at] = w->wait_head[l->edge.arg];
                w->wait_head[l->edge.arg] = at;
                continue;
            }
            if ((!passes && l->edge.kind != EDGE_CALL) || w->mark[l->from]) continue;
            w->mark[l->from] = 1;
            w->queue[n++] = l->from;
        }
        uint32_t rule = w->rule_at[p];
        for (uint32_t at = rule == NONE ? NONE : w->wait_head[rule]; at != NONE;
             at = w->wait_next[at]) {
            uint32_t from = w->links[at].from;
            if (w->mark[from]) continue;
            w->mark[from] = 1;
            w->queue[n++] = from;
        }
    }
}

/* Keeps the links on some way from a start to an end. */
static void remove_dead(struct work *w) {
    size_t n = 0;
    for (size_t i = 0; i < w->n_link; i++) {
        const struct program_link *l = &w->links[i];
        bool live = w->mark[l->from] && w->mark[l->edge.target];
        if (l->edge.kind == EDGE_CALL) live = live && w->mark[w->g->rules[l->edge.arg].start];
        if (live) w->links[n++] = *l;
    }
    w->n_link = n;
}

/* A position with nothing but one free edge is as good as the one behind it. */
static void skip_free(struct work *w, const struct sorted *from) {
    for (size_t i = 0; i < w->n_link; i++) {
        if (w->links[i].edge.kind == EDGE_FREE) continue;
        uint32_t p = w->links[i].edge.target;
        for (int k = 0; k < MAX_ALIAS && from->first[p + 1] - from->first[p] == 1; k++) {
            const struct edge *e = &w->links[from->order[from->first[p]]].edge;
            if (e->kind != EDGE_FREE || e->op != OP_NONE) break;
            p = e->target;
        }
        w->links[i].edge.target = p;
    }
}

static void take_edges(struct work *w, const struct sorted *from) {
    struct grammar *g = w->g;
    for (size_t i = 0; i < w->n_link; i++)
        g->edges[i] = w->links[from->order[i]].edge;
    memcpy(g->first, from->first, (g->n_position + 1) * sizeof *g->first);
    g->n_edge = (uint32_t)w->n_link;
}

/* POSITION_WAITS, backwards through free edges. */
static void mark_waiting(struct work *w) {
    struct grammar *g = w->g;
    size_t n = 0;
    for (size_t i = 0; i < w->n_link; i++) {
        uint32_t from = w->links[i].from;
        if (w->links[i].edge.kind == EDGE_FREE || (g->flags[from] & POSITION_WAITS)) continue;
        g->flags[from] |= POSITION_WAITS;
        w->queue[n++] = from;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t p = w->queue[i];
        for (uint32_t k = w->to.first[p]; k < w->to.first[p + 1]; k++) {
            const struct program_link *l = &w->links[w->to.order[k]];
            if (l->edge.kind != EDGE_FREE || (g->flags[l->from] & POSITION_WAITS)) continue;
            g->flags[l->from] |= POSITION_WAITS;
            w->queue[n++] = l->from;
        }
    }
}

/* The positions that `from` reaches without a byte, into the queue; their number. Marks must be
 * zero and are set. */
static size_t reach_free(struct work *w, uint32_t from) {
    const struct grammar *g = w->g;
    size_t n = 0;
    w->mark[from] = 1;
    w->queue[n++] = from;
    for (size_t i = 0; i < n; i++) {
        uint32_t p = w->queue[i];
        for (uint32_t k = g->first[p]; k < g->first[p + 1]; k++) {
            const struct edge *e = &g->edges[k];
            bool passes = e->kind == EDGE_FREE || (e->kind == EDGE_CALL && g->rules[e->arg].empty);
            if (!passes || w->mark[e->target]) continue;
            w->mark[e->target] = 1;
            w->queue[n++] = e->target;
        }
    }
    return n;
}

static void clear_marks(struct work *w, size_t n) {
    for (size_t i = 0; i < n; i++)
        w->mark[w->queue[i]] = 0;
}

/* A turn without a byte still counts, so that all counts are places at once. */
static enum jl_status check_loops(struct work *w, struct jl_error *err) {
    for (uint32_t i = 0; i < w->g->n_loop; i++) {
        const struct program_loop *loop = &w->g->loops[i];
        uint32_t most = loop->high == GRAMMAR_UNBOUNDED ? loop->low : loop->high;
        if (most <= GRAMMAR_EMPTY_REPEAT || loop->of_chars) continue;
        size_t n = reach_free(w, loop->body);
        bool bad = w->mark[loop->back] && (w->g->flags[loop->back] & POSITION_LIVE);
        clear_marks(w, n);
        if (bad)
            return jl_fail(err, JL_ERR_UNSUPPORTED,
                           "a repetition counts up to %u times what may be empty: more than %d; "
                           "leave the empty case out",
                           most, GRAMMAR_EMPTY_REPEAT);
    }
    return JL_OK;
}

/* ---- which rules call which before any byte ---- */

struct first_calls {
    uint32_t *first; // (n_rule + 1)
    uint32_t *rules;
    size_t n, cap;
};

static bool find_first_calls(struct work *w, struct first_calls *calls) {
    const struct grammar *g = w->g;
    for (uint32_t r = 0; r < g->n_rule; r++) {
        calls->first[r] = (uint32_t)calls->n;
        size_t n = reach_free(w, g->rules[r].start);
        clear_marks(w, n);
        for (size_t i = 0; i < n; i++) {
            for (uint32_t k = g->first[w->queue[i]]; k < g->first[w->queue[i] + 1]; k++) {
                if (g->edges[k].kind != EDGE_CALL) continue;
                if (calls->n == calls->cap) {
                    size_t cap = calls->cap ? 2 * calls->cap : 64;
                    uint32_t *more = realloc(calls->rules, cap * sizeof *more);
                    if (!more) return false;
                    calls->rules = more;
                    calls->cap = cap;
                }
                calls->rules[calls->n++] = g->edges[k].arg;
            }
        }
    }
    calls->first[g->n_rule] = (uint32_t)calls->n;
    return true;
}

/* A rule that is among its own first calls, one with a name if there is any. `left`: rules that
 * could not be ranked; each has one such before it. */
static const char *recursive_name(const struct grammar *g, const struct first_calls *calls,
                                  const uint32_t *left) {
    uint32_t at = 0;
    while (!left[at])
        at++;
    uint32_t *before = malloc((g->n_rule + 1) * sizeof *before);
    if (!before) return "?";
    for (uint32_t r = 0; r < g->n_rule; r++)
        for (uint32_t k = calls->first[r]; k < calls->first[r + 1]; k++)
            if (left[r]) before[calls->rules[k]] = r;
    for (uint32_t i = 0; i < g->n_rule; i++) // now on a cycle
        at = before[at];
    const char *name = NULL;
    for (uint32_t i = 0; i < g->n_rule && !name; i++, at = before[at])
        name = g->rules[at].name;
    free(before);
    return name ? name : "?";
}

static enum jl_status rank_rules(struct work *w, struct jl_error *err) {
    struct grammar *g = w->g;
    struct first_calls calls = {.first = array(g->n_rule + 1, sizeof(uint32_t))};
    uint32_t *left = array(g->n_rule, sizeof *left), *ready = array(g->n_rule, sizeof *ready);
    enum jl_status status = JL_OK;
    uint32_t n = 0;
    if (!calls.first || !left || !ready || !find_first_calls(w, &calls)) {
        status = no_memory(err);
        goto done;
    }
    for (size_t i = 0; i < calls.n; i++)
        left[calls.rules[i]]++;
    for (uint32_t r = 0; r < g->n_rule; r++)
        if (!left[r]) ready[n++] = r;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t r = ready[i];
        g->rules[r].rank = i;
        for (uint32_t k = calls.first[r]; k < calls.first[r + 1]; k++)
            if (--left[calls.rules[k]] == 0) ready[n++] = calls.rules[k];
    }
    if (n < g->n_rule)
        status = jl_fail(err, JL_ERR_UNSUPPORTED,
                         "rule \"%s\" is left-recursive: it may begin with itself; write it as a "
                         "repetition, or with something before the recursion",
                         recursive_name(g, &calls, left));
done:
    free(calls.first);
    free(calls.rules);
    free(left);
    free(ready);
    return status;
}

static enum jl_status finish(struct work *w, struct sorted *from, struct jl_error *err) {
    struct grammar *g = w->g;
    for (uint32_t p = 0; p < g->n_position; p++)
        w->rule_at[p] = g->loop_of[p] = NONE;
    for (uint32_t i = 0; i < g->n_loop; i++)
        for (uint32_t p = g->loops[i].body; p < g->loops[i].stop; p++)
            g->loop_of[p] = i;
    for (uint32_t r = 0; r < g->n_rule; r++)
        w->rule_at[g->rules[r].start] = r;
    sort_links(&w->to, w->links, w->n_link, g->n_position, true);
    reach_back(w, true);
    if (!w->mark[g->rules[0].start])
        return jl_fail(err, JL_ERR_UNSUPPORTED, "no text at all can satisfy the grammar");
    for (uint32_t p = 0; p < g->n_position; p++)
        g->flags[p] = w->mark[p] ? POSITION_LIVE : 0;
    remove_dead(w);
    sort_links(from, w->links, w->n_link, g->n_position, false);
    skip_free(w, from);
    take_edges(w, from);
    sort_links(&w->to, w->links, w->n_link, g->n_position, true);
    reach_back(w, false);
    for (uint32_t p = 0; p < g->n_position; p++)
        if (w->mark[p]) g->flags[p] |= POSITION_MAY_END;
    for (uint32_t r = 0; r < g->n_rule; r++)
        g->rules[r].empty = w->mark[g->rules[r].start];
    mark_waiting(w);
    memset(w->mark, 0, g->n_position);
    JL_TRY(check_loops(w, err));
    return rank_rules(w, err);
}

enum jl_status program_finish(struct grammar *grammar, const struct program_link *links,
                              size_t n_link, struct jl_error *err) {
    size_t n = grammar->n_position;
    struct work w = {.g = grammar, .n_link = n_link};
    struct sorted from = {array(n, 4), array(n_link, 4)};
    w.to = (struct sorted){array(n, 4), array(n_link, 4)};
    w.links = array(n_link, sizeof *w.links);
    w.queue = array(n + grammar->n_rule, 4);
    w.rule_at = array(n, 4);
    w.wait_head = array(grammar->n_rule, 4);
    w.wait_next = array(n_link, 4);
    w.mark = array(n, 1);
    grammar->first = array(n, 4);
    grammar->edges = array(n_link, sizeof *grammar->edges);
    grammar->flags = array(n, 1);
    grammar->loop_of = array(n, 4);
    enum jl_status status;
    if (!from.first || !from.order || !w.to.first || !w.to.order || !w.links || !w.queue ||
        !w.rule_at || !w.wait_head || !w.wait_next || !w.mark || !grammar->first ||
        !grammar->edges || !grammar->flags || !grammar->loop_of) {
        status = no_memory(err);
    } else {
        if (n_link) memcpy(w.links, links, n_link * sizeof *links);
        status = finish(&w, &from, err);
    }
    free(from.first);
    free(from.order);
    free(w.to.first);
    free(w.to.order);
    free(w.links);
    free(w.queue);
    free(w.rule_at);
    free(w.wait_head);
    free(w.wait_next);
    free(w.mark);
    return status;
}
