#pragma once
// How commands tell of files that are no part of what they worked on.

#include "apps/progress.h"

#include <millrace/io/dataset.h>
#include <millrace/io/left_out.h>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>

namespace millrace::apps {

/// The notes of a data set: on standard output, or on standard error where that is for the result
/// alone (Show::nothing). What could not be read is named on standard error in any case.
void print_notes(const Dataset& dataset, Show show);

/// {"left_out": 3, "left_out_by_reason": {"hidden": 2, "not_decoded": 1}}: how many files were left
/// out of folders, and how many images could not be decoded.
[[nodiscard]] nlohmann::ordered_json json_of(const LeftOut& left_out, std::uint64_t not_decoded);

}  // namespace millrace::apps
