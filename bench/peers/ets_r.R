# Fits ets() of R's forecast package series by series in memory, one process, and says how much processor time the fits alone took.
#
# usage: Rscript ets_r.R CSV PERIOD HORIZON FORECAST_OUT CHOICE_OUT
#
# Prints `version seconds_fit seconds_forecast series`. The files are those of ets_statsforecast.py.
suppressPackageStartupMessages(library(forecast))
args <- commandArgs(trailingOnly = TRUE)
period <- as.integer(args[2])
horizon <- as.integer(args[3])
rows <- read.csv(args[1], colClasses = c(unique_id = "character"))
rows <- rows[!is.na(rows$y), ]
series <- split(rows$y, factor(rows$unique_id, levels = unique(rows$unique_id)))
series <- lapply(series, ts, frequency = period)
invisible(ets(series[[1]]))
took <- function(code) sum(system.time(code)[c("user.self", "sys.self")])
models <- list()
fit <- took(models <- lapply(series, function(y) tryCatch(suppressWarnings(ets(y)), error = function(e) NULL)))
ahead <- list()
forecasting <- took(ahead <- lapply(names(series), function(id) {
    m <- models[[id]]
    if (is.null(m)) snaive(series[[id]], h = horizon, level = c(80, 95)) else forecast(m, h = horizon, level = c(80, 95))
}))
parts <- Map(function(id, fc) data.frame(unique_id = id, h = seq_len(horizon), mean = as.numeric(fc$mean),
    `lo-80` = as.numeric(fc$lower[, 1]), `hi-80` = as.numeric(fc$upper[, 1]),
    `lo-95` = as.numeric(fc$lower[, 2]), `hi-95` = as.numeric(fc$upper[, 2]), check.names = FALSE), names(series), ahead)
write.csv(do.call(rbind, parts), args[4], row.names = FALSE, quote = FALSE)
fitted <- Filter(Negate(is.null), models)
write.csv(data.frame(unique_id = names(fitted), aicc = vapply(fitted, function(m) sprintf("%.17g", m$aicc), "")),
          args[5], row.names = FALSE, quote = FALSE)
cat(sprintf("R-forecast-%s %.3f %.3f %d\n", packageVersion("forecast"), fit, forecasting, length(series)))
