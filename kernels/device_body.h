/* device_body.h - what one GPU thread does: the bodies of the CUDA kernels, as functions of the thread's
 * number.
 *
 * batch_cuda.cu calls them from kernels; the tests compile the same device form (TIDE_DEVICE_FORM) with gcc
 * and call them in a loop over blocks and threads. Thread g fits series g: tile g/32, lane g%32, workspace
 * element i at workspace[i*threads + g]. */
#ifndef TIDE_DEVICE_BODY_H
#define TIDE_DEVICE_BODY_H

#include "kernels/batch_cuda.h"
#include "kernels/arima_fit.h"
#include "kernels/fit.h"
#include "kernels/members.h"

TIDE_FN tide_fit_block tide_device_block_of(const tide_device_fit *f, size_t g) {
    tide_fit_block b;
    b.spec = &f->spec;
    b.tiles = &f->tiles;
    b.tile = g / TIDE_TILE_WIDTH;
    b.lane0 = (int)(g % TIDE_TILE_WIDTH);
    b.n_blocks = 1;
    b.rows = f->tiles.rows[b.tile];
    b.carry = f->workspace + g;
    b.scratch = b.carry + tide_fit_carry_size(&f->spec) * f->threads;
    b.y_flight = NULL;
    b.arima_carry = b.arima_scratch = NULL;
    b.arima_carry_size = 0;
    b.stride = f->threads;
    b.out = (tide_results *)&f->results; /* a table of pointers: written through, never itself */
    return b;
}

TIDE_FN void tide_device_begin(const tide_device_fit *f, size_t g) {
    tide_fit_block b = tide_device_block_of(f, g);
    tide_fit_begin(&b);
}

TIDE_FN void tide_device_candidate(const tide_device_fit *f, size_t g, int id) {
    tide_fit_block b = tide_device_block_of(f, g);
    tide_fit_candidate(&b, id);
}

TIDE_FN void tide_device_end(const tide_device_fit *f, size_t g) {
    tide_fit_block b = tide_device_block_of(f, g);
    tide_fit_end(&b);
}

/* Doubles of workspace a thread: those of the search of ARIMA models come after the others. */
static inline size_t tide_device_workspace(const tide_fit_spec *spec, int32_t rows) {
    return tide_fit_workspace(spec, rows) + tide_arima_carry_size(spec, rows) + tide_arima_search_size(spec, rows);
}

/* Entries of the list of orders: a launch each. */
static inline int tide_device_orders(const tide_fit_spec *spec) {
    return tide_fit_wants(spec, TIDE_FAMILY_ARIMA) ? tide_arima_launches(&spec->arima, spec->season) : 0;
}

/* Before the first order. */
enum { TIDE_DEVICE_ARIMA_BEGIN = -1 };

TIDE_FN void tide_device_arima(const tide_device_fit *f, size_t g, int at) {
    tide_fit_block b = tide_device_block_of(f, g);
    b.arima_carry_size = tide_arima_carry_size(&f->spec, b.rows);
    b.arima_carry = f->workspace + g + tide_fit_workspace(&f->spec, b.rows) * f->threads;
    b.arima_scratch = b.arima_carry + b.arima_carry_size * f->threads;
    if (at == TIDE_DEVICE_ARIMA_BEGIN)
        tide_arima_begin(&b);
    else
        tide_arima_fit_order(&b, at);
}

/* 1 when the spec asks for candidate `id`: others are not launched. */
static inline int tide_device_wants(const tide_fit_spec *spec, int id) {
    if (id < TIDE_ETS_FORMS)
        return (spec->families & TIDE_FAMILIES_ETS) != 0 && (spec->ets_forms >> id & 1u) != 0;
    return (spec->families >> (TIDE_FAMILY_NAIVE + id - TIDE_ETS_FORMS) & 1u) != 0;
}

TIDE_FN void tide_device_forecast_one(const tide_device_forecast *f, size_t g) {
    tide_member_view member[TIDE_MEMBERS_MAX];
    int n = tide_members_of(&f->results, g, member);
    tide_forecast_work work;
    tide_forecast_out out;
    work.at = f->workspace + g;
    work.stride = f->n;
    out.mean = f->mean + g;
    out.lo = f->lo ? f->lo + g : NULL;
    out.hi = f->hi ? f->hi + g : NULL;
    out.stride = f->n;
    tide_forecast_series(&f->spec, member, n, f->key[g], work, out);
}

#endif
