#pragma once
// What training left out: files that are not images, and images that could not be read.

#include <millrace/pipeline/report.h>
#include <millrace/training/training.h>

#include <string>
#include <utility>
#include <vector>

namespace millrace::apps {

/// Names what a run left out, on standard error.
void print_left_out(const Report& report);

/// At the end of a run: warns on standard error of classes of which no image could be read, and
/// of more than a tenth of the images.
void warn_of_lost(const Training& training);

/// Members of the report: "left_out" and, if it is not 0, "left_out_by_reason", with their JSON.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> left_out_of(
    const Training& training);

}  // namespace millrace::apps
