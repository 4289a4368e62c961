/* rng.h - random numbers by counter, so that every draw depends on its place only: Philox4x32-10.
 *
 * Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC'11). No state: draw (block,
 * path) of a series is a function of
 *
 *     key      seed of the run              (2 x 32 bits)
 *     counter  block, path, series key      (32, 32, 2 x 32 bits)
 *
 * hence the same for every lane, thread, order and machine, and no two series share a stream. One block
 * yields two uniforms of 52 bits in the open interval (0, 1), or two normal draws by inversion (normal.h). */
#ifndef TIDE_RNG_H
#define TIDE_RNG_H

#include "kernels/normal.h"

typedef struct tide_philox {
    uint32_t word[4];
} tide_philox;

TIDE_FN tide_philox tide_philox4x32(tide_philox counter, uint32_t key0, uint32_t key1) {
    uint32_t a = counter.word[0], b = counter.word[1], c = counter.word[2], d = counter.word[3];
    for (int round = 0; round < 10; ++round) {
        uint64_t p = (uint64_t)0xD2511F53u * a, q = (uint64_t)0xCD9E8D57u * c;
        a = (uint32_t)(q >> 32) ^ b ^ key0;
        b = (uint32_t)q;
        c = (uint32_t)(p >> 32) ^ d ^ key1;
        d = (uint32_t)p;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    tide_philox r;
    r.word[0] = a;
    r.word[1] = b;
    r.word[2] = c;
    r.word[3] = d;
    return r;
}

/* 52 of the 64 bits as (k + 1/2)/2^52: exact, never 0 or 1, symmetric about 1/2. */
TIDE_FN double tide_uniform_of(uint32_t high, uint32_t low) {
    uint64_t u = (uint64_t)high << 32 | low;
    return tide_from_bits(0x3ff0000000000000ull | u >> 12) - 1.0 + 0x1p-53;
}

/* Two uniforms of block `block` of path `path` in the stream of a series. */
TIDE_FN tide_pair tide_uniform_pair(uint64_t seed, uint64_t series, uint32_t path, uint32_t block) {
    tide_philox c;
    c.word[0] = block;
    c.word[1] = path;
    c.word[2] = (uint32_t)series;
    c.word[3] = (uint32_t)(series >> 32);
    c = tide_philox4x32(c, (uint32_t)seed, (uint32_t)(seed >> 32));
    tide_pair r;
    r.high = tide_uniform_of(c.word[1], c.word[0]);
    r.low = tide_uniform_of(c.word[3], c.word[2]);
    return r;
}

/* Two independent standard normal draws: likewise (high is the first). */
TIDE_FN tide_pair tide_normal_pair(uint64_t seed, uint64_t series, uint32_t path, uint32_t block) {
    tide_pair r = tide_uniform_pair(seed, series, path, block);
    r.high = tide_normal_quantile(r.high);
    r.low = tide_normal_quantile(r.low);
    return r;
}

#endif
