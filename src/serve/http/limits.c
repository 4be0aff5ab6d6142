#include "serve/http/server.h"

struct http_limits http_limits_filled(const struct http_limits *given) {
    struct http_limits limits = *given;
#define FILL(field, value)                                                                         \
    if (!limits.field) limits.field = value
    FILL(header_bytes, 16u << 10);
    FILL(body_bytes, 32u << 20);
    FILL(bodies_bytes, 256u << 20);
    FILL(refused_bytes, 1u << 20);
    FILL(stream_bytes, 1u << 20);
    FILL(head_ms, 10000);
    FILL(body_ms, 60000);
    FILL(body_rate, 1024);
    FILL(body_grace_ms, 5000);
    FILL(idle_ms, 75000);
    FILL(stall_ms, 30000);
    FILL(ping_ms, 10000);
    FILL(connections, 512);
    FILL(per_address, 128);
#undef FILL
    return limits;
}
