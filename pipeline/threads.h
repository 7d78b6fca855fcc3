#pragma once
// How many threads a pipeline has by default: available_threads().

#include <millrace/core/machine_limits.h>
