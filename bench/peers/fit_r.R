# Times ets() or auto.arima() of R's forecast package on a long table, one process.
#
# usage: Rscript fit_r.R CSV PERIOD HORIZON FORECAST_OUT [MODEL]    MODEL: of ets() (ZZZ), or arima
#
# Prints `version seconds_fit seconds_all series`: fit and forecast of all series in memory, and the same with reading.
suppressPackageStartupMessages(library(forecast))
args <- commandArgs(trailingOnly = TRUE)
period <- as.integer(args[2])
horizon <- as.integer(args[3])
model <- if (length(args) > 4) args[5] else "ZZZ"
start <- proc.time()[["elapsed"]]
rows <- read.csv(args[1], colClasses = c(unique_id = "character"))
read <- proc.time()[["elapsed"]] - start
rows <- rows[!is.na(rows$y), ]
series <- split(rows$y, factor(rows$unique_id, levels = unique(rows$unique_id)))
fit_one <- function(y) if (model == "arima") auto.arima(y) else ets(y, model = model)
invisible(forecast(fit_one(ts(series[[1]], frequency = period)), h = horizon))
start <- proc.time()[["elapsed"]]
parts <- lapply(names(series), function(id) {
    y <- ts(series[[id]], frequency = period)
    fc <- tryCatch(forecast(fit_one(y), h = horizon, level = c(80, 95)),
                   error = function(e) snaive(y, h = horizon, level = c(80, 95)))
    data.frame(unique_id = id, h = seq_len(horizon), mean = as.numeric(fc$mean),
               `lo-80` = as.numeric(fc$lower[, 1]), `hi-80` = as.numeric(fc$upper[, 1]),
               `lo-95` = as.numeric(fc$lower[, 2]), `hi-95` = as.numeric(fc$upper[, 2]), check.names = FALSE)
})
fit <- proc.time()[["elapsed"]] - start
write.csv(do.call(rbind, parts), args[4], row.names = FALSE, quote = FALSE)
cat(sprintf("R-forecast-%s %.3f %.3f %d\n", packageVersion("forecast"), fit, fit + read, length(series)))
