#pragma once
// Class folders of tests: what is read of them, or why they are refused.

#include <millrace/io/class_folder.h>

#include "io/scratch.h"

#include <string>
#include <string_view>
#include <vector>

namespace millrace::test {

/// Names below the scratch folder.
inline std::vector<std::string> names(const ClassFolder& set, const Scratch& scratch) {
  std::vector<std::string> result;
  for (std::uint32_t i = 0; i < set.size(); ++i) {
    result.push_back(set.name(i).substr(scratch.path().string().size() + 1));
  }
  return result;
}

inline std::string folder_error(const Scratch& scratch, std::string_view name = "") {
  const std::filesystem::path root = name.empty() ? scratch.path() : scratch / name;
  const std::string error = error_of([&] { ClassFolder set(root); });
  const std::string prefix = scratch.path().string();
  return error.starts_with(prefix) ? error.substr(prefix.size()) : error;
}

}  // namespace millrace::test
