#include "serve/http/rate.h"

#define MINUTE_NS INT64_C(60000000000)

int64_t http_rate_take(int64_t *tat_ns, unsigned per_minute, int64_t now_ns) {
    if (!per_minute) return 0;
    int64_t each = MINUTE_NS / per_minute, full = *tat_ns > now_ns ? *tat_ns : now_ns;
    int64_t early = full + each - now_ns - MINUTE_NS; // how much more than a minute's worth is out
    if (early > 0) return early;
    *tat_ns = full + each;
    return 0;
}
