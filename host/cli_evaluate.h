/* cli_evaluate.h - what the two files of tidemill evaluate share. */
#ifndef TIDE_CLI_EVALUATE_H
#define TIDE_CLI_EVALUATE_H

#include "host/evaluate.h"

#include <stdio.h>

typedef enum tide_evaluate_format { TIDE_EVALUATE_TEXT, TIDE_EVALUATE_CSV, TIDE_EVALUATE_JSON } tide_evaluate_format;

/* The whole, beside the benchmarks; by_step: a part for each step ahead, too. */
void tide_evaluation_print(FILE *f, const tide_evaluation *e, tide_evaluate_format format, int by_step);

#endif
