/* forecast_lanes.h - the forecast of a lane driver (batch.h). */
#ifndef TIDE_FORECAST_LANES_H
#define TIDE_FORECAST_LANES_H

#include "kernels/batch.h"

#ifndef TIDE_JOIN
#define TIDE_JOIN_(a, b) a##b
#define TIDE_JOIN(a, b) TIDE_JOIN_(a, b)
#endif

void TIDE_JOIN(tide_forecast_lanes_, TIDE_LANES_NAME)(const tide_forecast_job *job, size_t first, size_t end,
                                                      double *workspace);

#endif
