#pragma once
// Tables of tests/data/io, which scripts of tests/reference record: comments that say with which
// versions, a head, and a line of fields between commas for each case.
//
//   recorded("png.csv", [](Fields& next) { return Row{next.text(), next.number(), next.crc()}; });

#include <millrace/core/error.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace millrace::test {

/// The fields of a line, one after the other. All throw where there is none, or not of that kind.
class Fields {
 public:
  explicit Fields(std::string line) : rest_(std::move(line)) {}

  std::string text() {
    if (is_over_) throw Error("a recorded line with too few fields");
    const std::size_t comma = rest_.find(',');
    std::string field = rest_.substr(0, comma);
    is_over_ = comma == std::string::npos;
    rest_.erase(0, is_over_ ? comma : comma + 1);
    return field;
  }
  int number() { return std::stoi(text()); }
  std::uint32_t crc() { return static_cast<std::uint32_t>(std::stoul(text(), nullptr, 16)); }
  [[nodiscard]] bool is_over() const noexcept { return is_over_; }

 private:
  std::string rest_;
  bool is_over_ = false;
};

/// What `make(fields)` gives for each case of a table. Throws Error if there is none, or one has
/// other fields.
template <class Make>
auto recorded(const std::string& name, Make make) {
  std::ifstream table(MILLRACE_TEST_DATA "/io/" + name);
  std::vector<decltype(make(std::declval<Fields&>()))> cases;
  bool is_head = true;
  for (std::string line; std::getline(table, line);) {
    if (line.starts_with('#') || std::exchange(is_head, false)) continue;
    Fields fields(line);
    cases.push_back(make(fields));
    if (!fields.is_over()) throw Error(name + ": a recorded line with too many fields: " + line);
  }
  if (cases.empty()) throw Error(name + ": nothing is recorded");
  return cases;
}

}  // namespace millrace::test
