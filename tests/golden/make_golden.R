# make_golden.R - makes ets_fixed.csv, ets_fixed_fc.csv, ets_auto.csv and ets_auto_fc.csv again from series.csv.
#
#   Rscript make_golden.R OUTPUT_DIRECTORY [SERIES ...]        (all series unless named; some minutes)
#
# Needs R with the package forecast. The committed tables are of forecast 8.20 on R 4.2.2; other versions may stop the
# optimiser elsewhere. Seconds of processor time (cpu_secs) differ from run to run, everything else should not.
suppressMessages(library(forecast))

arguments <- commandArgs(trailingOnly = TRUE)
if (length(arguments) < 1) stop("usage: Rscript make_golden.R OUTPUT_DIRECTORY [SERIES ...]")
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1]))
long <- read.csv(file.path(here, "series.csv"), stringsAsFactors = FALSE)
long$y <- as.numeric(long$y)
wanted <- if (length(arguments) > 1) arguments[-1] else unique(long$series)

text <- function(x) ifelse(is.na(x), "", trimws(formatC(as.numeric(x), digits = 17, format = "g")))

# Forms by the rule of ets(): multiplicative ones only for positive data, seasonal ones only where there is a season.
forms <- function(y) {
  all <- c("ANN", "AAN", "AAdN", "ANA", "AAA", "AAdA", "MNN", "MAN", "MAdN", "MNA", "MAA", "MAdA", "MNM", "MAM", "MAdM")
  last <- substring(all, nchar(all))
  keep <- (frequency(y) > 1 | last == "N") & (all(y > 0, na.rm = TRUE) | substring(all, 1, 1) == "A")
  all[keep]
}

row_of <- function(series, model, fit, seconds) {
  par <- function(name) if (name %in% names(fit$par)) unname(fit$par[name]) else NA
  data.frame(series = series, model = model, n_used = length(fit$x), method = fit$method, loglik = text(fit$loglik),
             aic = text(fit$aic), aicc = text(fit$aicc), bic = text(fit$bic), sigma2 = text(fit$sigma2),
             mse = text(fit$mse), npar = length(fit$par) + 1,
             alpha = text(par("alpha")), beta = text(par("beta")), gamma = text(par("gamma")), phi = text(par("phi")),
             initstate = paste(names(fit$initstate), text(fit$initstate), sep = "=", collapse = ";"),
             cpu_secs = seconds, warning = "", error = "")
}

forecasts_of <- function(series, model, fit) {
  f <- forecast(fit, h = 24, level = c(80, 95))
  data.frame(series = series, model = model, h = 1:24, point = text(f$mean), lo80 = text(f$lower[, 1]),
             hi80 = text(f$upper[, 1]), lo95 = text(f$lower[, 2]), hi95 = text(f$upper[, 2]))
}

timed <- function(expression) {
  fit <- NULL
  seconds <- system.time(fit <- suppressWarnings(force(expression)))[["user.self"]]
  list(fit = fit, seconds = seconds)
}

fixed <- fixed_fc <- auto <- auto_fc <- list()
for (name in wanted) {
  part <- long[long$series == name, ]
  if (nrow(part) == 0) stop("no series ", name)
  y <- ts(part$y, frequency = part$period[1])
  for (model in forms(y)) {
    damped <- grepl("d", model)
    r <- timed(ets(y, model = sub("d", "", model), damped = damped, opt.crit = "lik", bounds = "both"))
    fixed[[length(fixed) + 1]] <- row_of(name, model, r$fit, r$seconds)
    fixed_fc[[length(fixed_fc) + 1]] <- forecasts_of(name, model, r$fit)
  }
  r <- timed(ets(y))
  auto[[length(auto) + 1]] <- row_of(name, "ZZZ", r$fit, r$seconds)
  auto_fc[[length(auto_fc) + 1]] <- forecasts_of(name, r$fit$method, r$fit)
}

save <- function(rows, file) write.csv(do.call(rbind, rows), file.path(arguments[1], file), row.names = FALSE)
save(fixed, "ets_fixed.csv")
save(fixed_fc, "ets_fixed_fc.csv")
save(auto, "ets_auto.csv")
save(auto_fc, "ets_auto_fc.csv")
