/* forecast_lanes.c - the forecast of one instruction set: compiled once for each, as batch_lanes.c, but for one lane.
 * Forecasts of a series need no other one; its vectors run over steps, states and paths. */
#undef TIDE_LANES
#define TIDE_LANES 1
#include "kernels/forecast_lanes.h"

#include "kernels/members.h"

void TIDE_JOIN(tide_forecast_lanes_, TIDE_LANES_NAME)(const tide_forecast_job *job, size_t first, size_t end,
                                                      double *workspace) {
    const size_t n = job->results->n_series;
    const int intervals = job->spec->n_levels > 0;
    tide_member_view member[TIDE_MEMBERS_MAX];
    for (size_t i = first; i < end; ++i) {
        tide_forecast_work work = {workspace, 1};
        tide_forecast_out out = {job->mean + i, intervals ? job->lo + i : NULL,
                                 intervals ? job->hi + i : NULL, n};
        int count = tide_members_of(job->results, i, member);
        tide_forecast_series(job->spec, member, count, job->key ? job->key[i] : 0, work, out);
    }
}
