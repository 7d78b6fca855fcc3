#pragma once
// The folder for what programs of Millrace can make again: measured times, fetched weights.

#include <filesystem>

namespace millrace {

/// Millrace's folder in the user's cache, by the rules of the XDG Base Directory Specification;
/// empty if there is no home. It may not be there.
[[nodiscard]] std::filesystem::path cache_folder();

}  // namespace millrace
