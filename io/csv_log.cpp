#include <millrace/io/csv_log.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <utility>

namespace millrace {
namespace {

/// Python switches to an exponent where the point would lie further left or right than this.
bool is_fixed_in_python(double value) {
  const double size = std::abs(value);
  return size == 0 || (size >= 1e-4 && size < 1e16);
}

}  // namespace

std::string python_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  const bool is_fixed = is_fixed_in_python(value);
  std::array<char, 32> digits{};
  const auto format = is_fixed ? std::chars_format::fixed : std::chars_format::scientific;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, format);
  std::string text(digits.data(), end.ptr);
  if (is_fixed && text.find('.') == std::string::npos) text += ".0";
  return text;
}

CsvLog::CsvLog(std::filesystem::path path, const std::set<std::string>& columns)
    : path_(std::move(path)), file_(path_) {
  if (!file_) throw Error(concat(path_.string(), ": cannot be written: ", std::strerror(errno)));
  if (!columns.empty()) begin({columns.begin(), columns.end()});
}

void CsvLog::begin(std::vector<std::string> names) {
  columns_ = std::move(names);
  const bool has_validation =
      std::any_of(columns_.begin(), columns_.end(),
                  [](const std::string& name) { return name.starts_with("val_"); });
  const std::size_t trained = columns_.size();
  for (std::size_t i = 0; !has_validation && i < trained; ++i) {
    columns_.push_back("val_" + columns_[i]);
  }
  std::vector<std::string> head{"epoch"};
  head.insert(head.end(), columns_.begin(), columns_.end());
  write_line(head);
}

void CsvLog::write(std::uint32_t epoch, const std::map<std::string, double>& metrics) {
  if (columns_.empty()) {
    std::vector<std::string> names;
    for (const auto& [name, value] : metrics) names.push_back(name);
    begin(std::move(names));
  }
  std::vector<std::string> fields{std::to_string(epoch)};
  for (const std::string& name : columns_) {
    const auto found = metrics.find(name);
    fields.push_back(found == metrics.end() ? "NA" : python_text(found->second));
  }
  write_line(fields);
}

void CsvLog::write_line(const std::vector<std::string>& fields) {
  for (std::size_t i = 0; i < fields.size(); ++i) file_ << (i == 0 ? "" : ",") << fields[i];
  file_ << "\r\n" << std::flush;
  if (!file_) throw Error(concat(path_.string(), ": cannot be written: ", std::strerror(errno)));
}

}  // namespace millrace
