/* The contract's order of a sum: 16 lanes, then the tree 8-4-2-1. */
#ifndef JL_KERNEL_REF_LANES_H
#define JL_KERNEL_REF_LANES_H

#define LANES 16

static inline float lanes_sum(float lane[LANES]) {
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int j = 0; j < width; j++)
            lane[j] = lane[j] + lane[j + width];
    return lane[0];
}

#endif
