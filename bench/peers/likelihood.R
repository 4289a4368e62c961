# Log-likelihoods of all 15 ETS forms as R's ets() ends them: Rscript likelihood.R TRAIN.csv PERIOD > r_forms.csv
# TRAIN.csv: unique_id,ds,y in order of time. Rows out: unique_id,form,loglik,aicc,alpha,beta,gamma,phi. A form that R refuses has no row.
suppressMessages(library(forecast))
args <- commandArgs(trailingOnly = TRUE)
period <- as.integer(args[2])
data <- read.csv(args[1], stringsAsFactors = FALSE)
series <- split(data$y, factor(data$unique_id, levels = unique(data$unique_id)))
forms <- expand.grid(trend = c("N", "A", "Ad"), season = c("N", "A", "M"), error = c("A", "M"), stringsAsFactors = FALSE)
forms <- forms[!(forms$error == "A" & forms$season == "M") & (period > 1 | forms$season == "N"), ]
coefficients <- c("alpha", "beta", "gamma", "phi")
cat("unique_id,form,loglik,aicc,alpha,beta,gamma,phi\n")
for (id in names(series)) {
    y <- ts(series[[id]], frequency = period)
    for (i in seq_len(nrow(forms))) {
        f <- forms[i, ]
        fit <- try(suppressWarnings(ets(y, model = paste0(f$error, substr(f$trend, 1, 1), f$season),
                                        damped = f$trend == "Ad")), silent = TRUE)
        if (!inherits(fit, "try-error") && is.finite(fit$loglik))
            cat(sprintf("%s,%s%s%s,%.17g,%.17g,%s\n", id, f$error, f$trend, f$season, fit$loglik, fit$aicc,
                        paste(sprintf("%.10g", fit$par[coefficients]), collapse = ",")))
    }
}
