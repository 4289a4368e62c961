# Orders of differences and Box-Cox lambda as R's forecast package chooses them.
#
# usage: Rscript arima_orders.R TRAIN PERIOD > orders.csv
#
# TRAIN: unique_id,ds,y; an empty y is missing. Rows out: unique_id,D,d,strength,kpss,lambda. D and d as in auto.arima():
# nsdiffs() where a series is longer than two periods, then ndiffs() of its seasonal differences. lambda by Guerrero's
# method; empty where a value is not positive.
suppressMessages(library(forecast))
args <- commandArgs(trailingOnly = TRUE)
period <- as.integer(args[2])
rows <- read.csv(args[1], colClasses = c(unique_id = "character"))
series <- split(rows$y, factor(rows$unique_id, levels = unique(rows$unique_id)))
cat("unique_id,D,d,strength,kpss,lambda\n")
for (id in names(series)) {
    y <- series[[id]]
    y <- ts(y[seq(min(which(!is.na(y))), length(y))], frequency = period)
    long <- period > 1 && length(y) > 2 * period
    D <- if (long) suppressWarnings(nsdiffs(y, test = "seas", max.D = 1)) else 0
    dx <- if (D > 0) diff(y, lag = period, differences = D) else y
    d <- suppressWarnings(ndiffs(dx, test = "kpss", max.d = 2))
    strength <- if (long) tryCatch(forecast:::seas.heuristic(y), error = function(e) NA) else NA
    x <- as.numeric(dx)[!is.na(dx)]
    kpss <- urca::ur.kpss(x, use.lag = trunc(3 * sqrt(length(x)) / 13))@teststat
    lambda <- if (all(y > 0, na.rm = TRUE)) tryCatch(BoxCox.lambda(y, method = "guerrero"), error = function(e) NA) else NA
    cat(sprintf("%s,%d,%d,%.17g,%.17g,%.17g\n", id, as.integer(D), as.integer(d), strength, kpss, lambda))
}
