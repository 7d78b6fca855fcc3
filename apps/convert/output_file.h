#pragma once
// The file that a conversion of a model writes.

#include <filesystem>
#include <string>

namespace millrace::apps {

/// Throws UsageError, beginning with the command, if `to` is the file that is read; Error if it
/// exists and is not to be replaced.
void check_output_file(const std::string& command, const std::filesystem::path& from,
                       const std::string& to, bool overwrite);

}  // namespace millrace::apps
