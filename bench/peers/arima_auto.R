# What auto.arima() of R's forecast package chooses, series by series, by its default search and by the full one, or by others.
#
# usage: Rscript arima_auto.R TRAIN META OUT [MONTHLY QUARTERLY YEARLY [SEED [SEARCH...]]]
#
# TRAIN: unique_id,ds,y (plain or .gz), META: unique_id,period,category. A random sample of so many series a category (60, 40 and
# 100 unless told). OUT: a row a series and search, written as they come, so that a run cut short is of use; rows that
# are there already are not made again. coefs: name=value;... with 17 digits. A monthly full search takes a minute or so.
suppressMessages(library(forecast))
args <- commandArgs(trailingOnly = TRUE)
most <- if (length(args) >= 6) as.integer(args[4:6]) else c(60L, 40L, 100L)
set.seed(if (length(args) >= 7) as.integer(args[7]) else 1L)
searches <- if (length(args) >= 8) args[-(1:7)] else c("default", "full")
stopifnot(searches %in% c("default", "full", "stepwise"))
meta <- read.csv(args[2], stringsAsFactors = FALSE)
rows <- read.csv(args[1], colClasses = c(unique_id = "character"))
series <- split(rows$y, factor(rows$unique_id, levels = unique(rows$unique_id)))
pick <- function(category, n) {
    ids <- meta$unique_id[meta$category == category]
    ids[sample.int(length(ids), min(n, length(ids)))]
}
parts <- list(pick("monthly", most[1]), pick("quarterly", most[2]), pick("yearly", most[3]))
out <- args[3]
columns <- "unique_id,category,period,n,search,chosen,p,d,q,P,D,Q,constant,nobs,loglik,aicc,sigma2,npar,coefs,seconds,error"
if (!file.exists(out)) cat(columns, "\n", sep = "", file = out)
done <- read.csv(out, stringsAsFactors = FALSE)
done <- paste(done$unique_id, done$search)
number <- function(v) sprintf("%.17g", v)
one <- function(id, search) {
    if (paste(id, search) %in% done) return(invisible())
    about <- meta[meta$unique_id == id, ]
    y <- ts(series[[id]], frequency = about$period)
    start <- proc.time()[["elapsed"]]
    fit <- tryCatch(suppressWarnings(if (search == "default") auto.arima(y) else
        auto.arima(y, stepwise = search == "stepwise", approximation = FALSE)), error = function(e) conditionMessage(e))
    seconds <- proc.time()[["elapsed"]] - start
    head <- c(id, about$category, about$period, length(y), search)
    line <- if (is.character(fit)) c(head, rep("", 14), number(seconds), gsub("[,\n]", " ", fit)) else {
        a <- fit$arma
        constant <- as.integer(any(names(fit$coef) %in% c("intercept", "drift")))
        c(head, as.character(fit), a[1], a[6], a[2], a[3], a[7], a[4], constant, fit$nobs, number(fit$loglik),
          number(fit$aicc), number(fit$sigma2), length(fit$coef[fit$mask]) + 1L,
          paste(names(fit$coef), number(fit$coef), sep = "=", collapse = ";"), number(seconds), "")
    }
    cat(paste(gsub(",", " ", line[1:5]), collapse = ","), paste0("\"", line[6], "\""), paste(line[-(1:6)], collapse = ","),
        sep = ",", file = out, append = TRUE)
    cat("\n", file = out, append = TRUE)
}
# Categories in turn, so that a run cut short has all of them.
turns <- max(lengths(parts))
for (i in seq_len(turns)) for (ids in parts) if (i <= length(ids)) for (search in searches) one(ids[i], search)
