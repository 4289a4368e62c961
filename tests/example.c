/* example.c - fits a CSV file into a store and forecasts one series: example SALES.csv STORE ID
 * cc example.c $(pkg-config --cflags --libs tidemill) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidemill.h>

int main(int argc, char **argv) {
    tide_error err;
    tide_status status;
    tide_config *cfg = NULL;
    tide_store *store = NULL;
    tide_store_info info;
    tide_fit_summary fit = {0};
    int64_t row = -1;
    double mean[3], lo[3], hi[3];
    if (argc != 4) return 2;
    if ((status = tide_config_create(&cfg, &err)) || (status = tide_config_set(cfg, "source.path", argv[1], &err)) ||
        (status = tide_config_set(cfg, "store.dir", argv[2], &err)) ||
        (status = tide_fit(cfg, NULL, NULL, &fit, &err)) ||
        (status = tide_store_open(argv[2], TIDE_VERIFY_TOUCHED, &store, &err)) ||
        (status = tide_store_find(store, argv[3], strlen(argv[3]), &row, &err)))
        fprintf(stderr, "%s\n", err.message);
    else if (row < 0)
        fprintf(stderr, "no series '%s'\n", argv[3]), status = TIDE_NOT_FOUND;
    else {
        tide_store_get_info(store, &info);
        tide_forecast_spec spec = {.season = info.season, .horizon = 3, .n_levels = 1, .level = {0.95}};
        status = tide_store_forecast(store, row, &spec, mean, lo, hi, &err);
        printf("%llu series\n", (unsigned long long)fit.series);
        for (int h = 0; h < 3 && !status; ++h) printf("%d %.17g %.17g %.17g\n", h + 1, mean[h], lo[h], hi[h]);
    }
    tide_store_close(store);
    tide_config_destroy(cfg);
    free(fit.report_json);
    return status;
}
