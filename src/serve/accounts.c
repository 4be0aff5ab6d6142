#include "serve/accounts.h"

#include <stdlib.h>

struct account {
    uint64_t owner;
    double had; // rows
    int n_request;
};

struct accounts {
    struct account *list; // (most); those with requests are at work
    int most;
};

enum jl_status accounts_create(int most, struct accounts **out, struct jl_error *err) {
    struct accounts *accounts = calloc(1, sizeof *accounts);
    *out = NULL;
    if (accounts) accounts->list = calloc((size_t)most, sizeof *accounts->list);
    if (!accounts || !accounts->list) {
        accounts_free(accounts);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for the accounts of %d clients", most);
    }
    accounts->most = most;
    *out = accounts;
    return JL_OK;
}

void accounts_free(struct accounts *accounts) {
    if (!accounts) return;
    free(accounts->list);
    free(accounts);
}

struct account *accounts_enter(struct accounts *accounts, uint64_t owner) {
    struct account *unused = NULL, *found = NULL;
    double least = -1;
    for (int i = 0; i < accounts->most; i++) {
        struct account *account = &accounts->list[i];
        if (account->n_request && (least < 0 || account->had < least)) least = account->had;
        if (account->owner == owner && (account->n_request || account->had > 0)) found = account;
        // What an absent owner has had is forgotten where another needs the place.
        if (!account->n_request && (!unused || account->had < unused->had)) unused = account;
    }
    if (!found) found = unused;
    if (!found) return NULL;
    if (found->n_request == 0) {
        if (found->owner != owner) found->had = 0;
        found->owner = owner;
        if (found->had < least) found->had = least;
    }
    found->n_request++;
    return found;
}

void accounts_leave(struct accounts *accounts, struct account *account) {
    (void)accounts;
    account->n_request--;
}

void account_charge(struct account *account, double rows) { account->had += rows; }

int account_compare(const struct account *a, const struct account *b) {
    return (a->had > b->had) - (a->had < b->had);
}
