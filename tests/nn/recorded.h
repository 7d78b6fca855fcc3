#pragma once
// Files that the scripts in tests/reference recorded from other libraries.

#include <nlohmann/json.hpp>

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace millrace::test {

/// A file of tests/data/nn.
inline nlohmann::json recorded(const std::string& name) {
  const std::string path = std::string(MILLRACE_TEST_DATA) + "/nn/" + name;
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  return nlohmann::json::parse(file);
}

template <class T>
std::vector<T> list(const nlohmann::json& values) {
  return values.get<std::vector<T>>();
}

/// Rows of equal length, one after the other.
inline std::vector<double> flat(const nlohmann::json& rows) {
  std::vector<double> result;
  for (const auto& row : rows) {
    if (row.is_array()) {
      const auto values = flat(row);
      result.insert(result.end(), values.begin(), values.end());
    } else {
      result.push_back(row.get<double>());
    }
  }
  return result;
}

}  // namespace millrace::test
