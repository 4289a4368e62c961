/* hash.h - a 64-bit hash of bytes and words for use inside a run or a store: fingerprints of series, sets of
 * ids.
 *
 * Word by word h = rotl(h ^ x*A, 29) * B, with A and B odd: for a fixed rest of the input, the map from one
 * word to the state is one to one, so that inputs which differ in one word never collide; the finish is the
 * usual pair of xor-shift and multiply rounds, after which every input bit flips each output bit about half
 * of the time (tested). Bytes are read as little-endian words on every machine, the last one padded with
 * zeros, and the length is part of the hash. Not keyed and not cryptographic: whoever wants a collision can
 * make one. */
#ifndef TIDE_HASH_H
#define TIDE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TIDE_HASH_SEED UINT64_C(0x7469646d696c6c31)

static inline uint64_t tide_hash_word(uint64_t h, uint64_t x) {
    h ^= x * UINT64_C(0x9e6c63d0876a9a47);
    h = h << 29 | h >> 35;
    return h * UINT64_C(0xd1342543de82ef95);
}

static inline uint64_t tide_hash_finish(uint64_t h) {
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 29;
    h *= UINT64_C(0xa0761d6478bd642f);
    return h ^ h >> 32;
}

static inline uint64_t tide_hash_load(const unsigned char *p, size_t n) {
    uint64_t x = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(&x, p, n);
#else
    for (size_t i = 0; i < n; ++i)
        x |= (uint64_t)p[i] << 8 * i;
#endif
    return x;
}

static inline uint64_t tide_hash_bytes(const void *bytes, size_t length) {
    const unsigned char *p = bytes;
    uint64_t h = tide_hash_word(TIDE_HASH_SEED, length);
    size_t n = length;
    for (; n >= 8; n -= 8, p += 8)
        h = tide_hash_word(h, tide_hash_load(p, 8));
    if (n)
        h = tide_hash_word(h, tide_hash_load(p, n));
    return tide_hash_finish(h);
}

#endif
