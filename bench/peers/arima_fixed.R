# What R's Arima(method = "ML") makes of five fixed orders a season, series by series.
#
# usage: Rscript arima_fixed.R TRAIN META OUT [MOST [SEED]]
#
# TRAIN: unique_id,ds,y (plain or .gz), META: unique_id,period. OUT: a row a series and order, written as they come; rows that are
# there already are not made again. MOST (default all): series a period, a random sample. loglik is R's own, which is
# inexact; coefs are those at which arima_loglik evaluates the exact one.
suppressMessages(library(forecast))
args <- commandArgs(trailingOnly = TRUE)
most <- if (length(args) >= 4) as.integer(args[4]) else .Machine$integer.max
set.seed(if (length(args) >= 5) as.integer(args[5]) else 1L)
orders <- function(m) { # p d q P D Q constant
    if (m == 1)
        list(c(0, 1, 1, 0, 0, 0, 0), c(1, 1, 0, 0, 0, 0, 1), c(2, 0, 0, 0, 0, 0, 1), c(0, 2, 2, 0, 0, 0, 0),
             c(1, 1, 1, 0, 0, 0, 1))
    else
        list(c(0, 1, 1, 0, 1, 1, 0), c(2, 1, 1, 0, 1, 1, 0), c(1, 0, 1, 0, 1, 1, 1), c(1, 1, 1, 1, 0, 1, 1),
             c(2, 0, 0, 1, 0, 0, 1))
}
meta <- read.csv(args[2], stringsAsFactors = FALSE)
rows <- read.csv(args[1], colClasses = c(unique_id = "character"))
series <- split(rows$y, factor(rows$unique_id, levels = unique(rows$unique_id)))
out <- args[3]
if (!file.exists(out)) cat("unique_id,period,p,d,q,P,D,Q,constant,code,loglik,aicc,sigma2,coefs,seconds,error\n", file = out)
done <- read.csv(out, stringsAsFactors = FALSE)
done <- paste(done$unique_id, done$p, done$d, done$q, done$P, done$D, done$Q, done$constant)
number <- function(v) sprintf("%.17g", v)
one <- function(id, m, o) {
    if (paste(id, paste(o, collapse = " ")) %in% done) return(invisible())
    y <- ts(series[[id]], frequency = m)
    start <- proc.time()[["elapsed"]]
    fit <- tryCatch(suppressWarnings(Arima(y, order = o[1:3], seasonal = o[4:6], include.constant = o[7] == 1, method = "ML")),
                    error = function(e) conditionMessage(e))
    seconds <- number(proc.time()[["elapsed"]] - start)
    line <- if (is.character(fit)) c(id, m, o, "", "", "", "", "", seconds, gsub("[,\n]", " ", fit)) else
        c(id, m, o, fit$code, number(fit$loglik), number(fit$aicc), number(fit$sigma2),
          paste(names(fit$coef), number(fit$coef), sep = "=", collapse = ";"), seconds, "")
    cat(paste(line, collapse = ","), "\n", sep = "", file = out, append = TRUE)
}
parts <- lapply(sort(unique(meta$period)), function(m) {
    ids <- meta$unique_id[meta$period == m]
    list(m = m, ids = ids[sample.int(length(ids), min(most, length(ids)))])
})
for (i in seq_len(max(sapply(parts, function(p) length(p$ids))))) for (p in parts) if (i <= length(p$ids))
    for (o in orders(p$m)) one(p$ids[i], p$m, o)
