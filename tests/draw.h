/* draw.h - numbers that look random and are the same on every machine, for the data of tests and benches. */
#ifndef TIDE_DRAW_H
#define TIDE_DRAW_H

#include <stdint.h>

/* Of two counters: the finish of splitmix64. The salt keeps the data of one file from being those of another. */
static inline uint64_t draw_bits(uint64_t a, uint64_t b, uint64_t salt) {
    uint64_t z = a * 0x9e3779b97f4a7c15ull + b * 0xd1342543de82ef95ull + salt;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* [0, 1) */
static inline double draw_unit(uint64_t a, uint64_t b, uint64_t salt) {
    return (double)(draw_bits(a, b, salt) >> 11) * 0x1p-53;
}

/* [0, 1), one after the other: a congruential generator. */
static inline double draw_next(uint64_t *state) {
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (double)(*state >> 11) * 0x1p-53;
}

/* [-1, 1) */
static inline double draw_noise(uint64_t *state) {
    return 2.0 * draw_next(state) - 1.0;
}

#endif
