#include <millrace/io/csv.h>

#include <millrace/core/plural.h>
#include <millrace/io/files.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

namespace millrace {
namespace {

// More classes than this are a mistake: an identifier or a price in the last column.
constexpr int kMaxClasses = 100'000;

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// Cuts the part up to `separator` off the front of `text`.
std::string_view cut(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

std::optional<double> number(std::string_view field) {
  if (field.starts_with('+')) field.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc{} || end != field.data() + field.size() || !std::isfinite(value))
    return {};
  return value;
}

}  // namespace

// Fills a CsvDataset line by line.
class CsvDataset::Parser {
 public:
  explicit Parser(CsvDataset& into) : into_(into) {}

  void parse(std::string_view text) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // byte order mark of spreadsheets
    while (!text.empty()) {
      ++line_;
      const std::string_view line = trimmed(cut(text, '\n'));
      if (!line.empty()) add(line);
    }
  }

 private:
  void add(std::string_view line) {
    const auto columns = std::count(line.begin(), line.end(), ',') + 1;
    const bool is_first = columns_ == 0;
    if (is_first) {
      if (columns < 2)
        fail("one column; expected features and, last, the label, with commas between");
      columns_ = columns;
      into_.features_ = columns - 1;
      std::string_view rest = line;
      if (!number(trimmed(cut(rest, ',')))) return;  // a header
    }
    if (columns != columns_) fail(concat(columns, " columns; the lines before have ", columns_));
    for (std::int64_t i = 0; i + 1 < columns; ++i) add_feature(trimmed(cut(line, ',')));
    add_label(trimmed(line));
  }

  void add_feature(std::string_view field) {
    const std::optional<double> value = number(field);
    if (!value || std::fabs(*value) > std::numeric_limits<float>::max()) {
      fail(concat("'", field, "' is not a number"));
    }
    into_.values_.push_back(static_cast<float>(*value));
  }

  void add_label(std::string_view field) {
    const std::optional<double> value = number(field);
    if (!value || *value < 0 || *value >= kMaxClasses || *value != std::floor(*value)) {
      fail(concat("'", field, "' is not a class; expected 0, 1, ... in the last column"));
    }
    into_.labels_.push_back(static_cast<std::int32_t>(*value));
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(concat(into_.file_, ":", line_, ": ", what));
  }

  CsvDataset& into_;
  std::int64_t line_ = 0;
  std::int64_t columns_ = 0;
};

CsvDataset::CsvDataset(std::filesystem::path path, std::vector<std::string> classes)
    : file_(path.string()), classes_(std::move(classes)) {
  const std::vector<std::byte> bytes = read_file(path);
  Parser(*this).parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (labels_.empty()) throw Error(file_ + ": no samples; expected lines of numbers");
  values_.shrink_to_fit();
  labels_.shrink_to_fit();
  const auto count =
      static_cast<std::size_t>(*std::max_element(labels_.begin(), labels_.end())) + 1;
  if (classes_.empty()) {
    for (std::size_t i = 0; i < count; ++i) classes_.push_back(std::to_string(i));
  } else if (classes_.size() < count) {
    throw Error(concat(file_, ": label ", count - 1, " where there ",
                       classes_.size() == 1 ? "is " : "are ", classes_.size(), ' ',
                       plural(classes_.size(), "class", "classes")));
  }
}

int CsvDataset::label(std::uint32_t index) const {
  return labels_.at(index);
}

std::string CsvDataset::name(std::uint32_t index) const {
  return concat(file_, " #", index);
}

Bytes CsvDataset::index_bytes() const noexcept {
  return {sizeof(*this) + values_.capacity() * sizeof(float) +
          labels_.capacity() * sizeof(std::int32_t)};
}

void CsvDataset::load(std::uint32_t index, TensorView target, Filter, Decoder&) const {
  MILLRACE_CHECK(index < size(), "sample ", index, " of ", size());
  const std::span<float> out = target.as<float>();
  MILLRACE_CHECK(static_cast<std::int64_t>(out.size()) == features_, name(index), " has ",
                 features_, " features, the target ", out.size());
  std::copy_n(values_.begin() + static_cast<std::int64_t>(index) * features_, features_,
              out.begin());
}

}  // namespace millrace
