/* Accounts: who has had how much of the machine, so that nobody waits for another's many requests.
 *
 * Each owner of requests has an account of rows that passes have computed for it. Of several owners
 * the one that has had least comes first. Whoever was away begins with what the least of those at
 * work has had: being idle saves nothing up. One owner thread; no heap while the number of owners
 * at work stays below the limit it was made with. */
#ifndef JL_SERVE_ACCOUNTS_H
#define JL_SERVE_ACCOUNTS_H

#include <stdint.h>

#include "base/status.h"

struct accounts;
struct account;

enum jl_status accounts_create(int most, struct accounts **out, struct jl_error *err);
void accounts_free(struct accounts *accounts); // NULL is fine

/* The account of an owner who has one request more from now on. NULL: more than `most` owners. */
struct account *accounts_enter(struct accounts *accounts, uint64_t owner);
void accounts_leave(struct accounts *accounts, struct account *account); // and one less

void account_charge(struct account *account, double rows);
/* Below 0: the first comes first. */
int account_compare(const struct account *a, const struct account *b);

#endif
