/* Reading memory as fast as one core can: the ceiling of everything that streams weights. */
#ifndef JL_CLI_PEAKS_STREAM_H
#define JL_CLI_PEAKS_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* One linear stream of whole cache lines (`bytes` a multiple of 64); returns something that depends
 * on all of them. With `ahead` > 0 a software prefetch runs that many bytes in front: it goes on
 * across page borders, where the hardware's stops. */
static inline uint64_t stream_read(const uint8_t *p, size_t bytes, size_t ahead) {
    uint64_t sum[8] = {0};
    for (size_t at = 0; at < bytes; at += 64) {
        if (ahead) __builtin_prefetch(p + at + ahead, 0, 3);
        uint64_t line[8];
        memcpy(line, p + at, sizeof line);
        for (int i = 0; i < 8; i++)
            sum[i] += line[i];
    }
    return sum[0] ^ sum[1] ^ sum[2] ^ sum[3] ^ sum[4] ^ sum[5] ^ sum[6] ^ sum[7];
}

#endif
