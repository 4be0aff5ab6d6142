/* Bytes of the types with the IQ4 book. */
#include "tensor/codebook.h"
#include "tensor/quant_pack.h"

static int place_of(int number) {
    int place = 0;
    while (place < 15 && codebook_iq4[place] < number)
        place++;
    return place;
}

static void put_places(const int8_t q[32], uint8_t *out) {
    for (int i = 0; i < 16; i++)
        out[i] = (uint8_t)(place_of(q[i]) | place_of(q[i + 16]) << 4);
}

void quant_pack_iq4_nl(const struct qblock *block, uint8_t *bytes) {
    quant_put_f16(bytes, block->d);
    put_places(block->q, bytes + IQ4_NL_Q);
}

void quant_pack_iq4_xs(const struct qblock *block, uint8_t *bytes) {
    quant_put_f16(bytes, block->d);
    memset(bytes + IQ4_XS_HIGH, 0, IQ4_XS_Q - IQ4_XS_HIGH);
    for (int j = 0; j < 8; j++) {
        int code = block->scale[2 * j] + 32;
        bytes[IQ4_XS_HIGH + j / 4] |= (uint8_t)((code >> 4) << 2 * (j % 4));
        bytes[IQ4_XS_LOW + j / 2] |= (uint8_t)((code & 15) << 4 * (j % 2));
        put_places(block->q + 32 * j, bytes + IQ4_XS_Q + 16 * j);
    }
}
