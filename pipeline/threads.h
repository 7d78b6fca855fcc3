#pragma once
// How many threads a pipeline has where nothing is said: available_threads().

#include <millrace/core/machine_limits.h>
