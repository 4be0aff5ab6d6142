#!/usr/bin/env python3
"""The draws of test_sample.c's test_known_draws, computed apart from the program: Philox4x32-10 and
softmax written again from their papers."""
import math

MASK = 0xFFFFFFFF


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & MASK, (p0 >> 32) ^ c[3] ^ k[1], p0 & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def draw(logits, temperature, seed, sequence, position):
    words = philox((0, position, sequence, 0), (seed & MASK, seed >> 32))
    unit = ((words[0] << 32 | words[1]) >> 11) / 2.0 ** 53
    weights = [math.exp((x - max(logits)) / temperature) for x in logits]
    wanted, total = unit * sum(weights), 0.0
    for i, weight in enumerate(weights):
        total += weight
        if total > wanted:
            return i
    return logits.index(max(logits))


LOGITS = [i * 5 % 32 / 8 for i in range(32)]
TEMPERATURE = 0.7
print(", ".join(str(draw(LOGITS, TEMPERATURE, 12345678901234567890, 3, 1000 + i)) for i in range(12)))
