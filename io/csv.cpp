#include <millrace/io/csv.h>

#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>
#include <millrace/io/detail/csv_columns.h>
#include <millrace/io/detail/csv_number.h>
#include <millrace/io/detail/csv_records.h>
#include <millrace/io/files.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

namespace millrace {
namespace {

using detail::CsvCell;
using detail::CsvColumns;
using detail::CsvKind;
using detail::CsvValue;

// More classes than this are a mistake: an identifier or a price in the last column.
constexpr int kMaxClasses = 100'000;

char separator_of(const CsvOptions& options) {
  if (options.separator != '\0') return options.separator;
  return options.known.separator != '\0' ? options.known.separator : ',';
}

bool is_class(double value) {
  return value >= 0 && value < kMaxClasses && value == std::floor(value);
}

}  // namespace

// Fills a CsvDataset record by record.
class CsvDataset::Parser {
 public:
  Parser(CsvDataset& into, const CsvOptions& options, std::string_view text)
      : into_(into),
        options_(options),
        records_(text, separator_of(options), into.file_),
        says_header_(options.header.has_value()) {}

  void parse() {
    if (!records_.next()) return;
    check_columns();
    columns_ = detail::csv_columns(records_, options_, into_.file_);
    describe();
    first_line_ = records_.line();
    if (columns_.has_header && !records_.next()) return;
    seen_.resize(columns_.targets.size());
    do add();
    while (records_.next());
    for (std::size_t i = 0; i < seen_.size(); ++i) note_odd_value(i);
  }

 private:
  /// What was met in a column of targets.
  struct Seen {
    std::uint64_t labels = 0, others = 0;  // values that are 0 or 1, and known ones that are not
    std::int64_t line = 0;                 // of the first of these
    std::string odd{};
  };

  [[nodiscard]] const std::vector<CsvCell>& cells() const { return records_.cells(); }

  void check_columns() const {
    const bool is_enough = !options_.needs_label && options_.features < 2;
    if (cells().size() > 1 || is_enough) return;
    const char* const more = options_.used_targets().empty() ? " and the label" : " and targets";
    fail("one column; expected features", options_.needs_label ? more : "", ", with ",
         separator_name(records_.separator()), " between", other_separator());
  }

  void describe() {
    into_.features_ = static_cast<std::int64_t>(columns_.roles.size()) -
                      std::count_if(columns_.roles.begin(), columns_.roles.end(),
                                    [](std::ptrdiff_t role) { return role < 0; });
    TableForm& form = into_.form_;
    form.columns = columns_.features;
    form.label_column = columns_.label + 1;
    if (columns_.label >= 0 && !columns_.names.empty()) {
      form.label = columns_.names[static_cast<std::size_t>(columns_.label)];
    }
    form.header = options_.header ? options_.header : options_.known.header;
    if (separator_of(options_) != ',') form.separator = separator_of(options_);
    into_.notes_ = columns_.notes;
    if (!options_.needs_label) return;
    for (std::size_t i = 0; i < columns_.targets.size(); ++i) {
      const std::ptrdiff_t place = columns_.targets[i];
      form.target_columns.push_back(place + 1);
      const bool is_told = options_.targets.empty() || columns_.names.empty();
      into_.target_names_.push_back(is_told ? options_.used_targets()[i]
                                            : columns_.names[static_cast<std::size_t>(place)]);
    }
  }

  void add() {
    if (cells().size() != columns_.roles.size()) {
      fail(cells().size(), ' ', plural(cells().size(), "column"), "; the lines before have ",
           columns_.roles.size(), other_separator());
    }
    const std::size_t row = into_.values_.size();
    into_.values_.resize(row + static_cast<std::size_t>(into_.features_));
    for (std::size_t i = 0; i < columns_.roles.size(); ++i) {
      const std::ptrdiff_t role = columns_.roles[i];
      if (role >= 0) into_.values_[row + static_cast<std::size_t>(role)] = feature(i);
      if (role == CsvColumns::kLabel && options_.needs_label) into_.labels_.push_back(label(i));
    }
    if (options_.needs_label) {
      for (std::size_t i = 0; i < seen_.size(); ++i) {
        const auto place = static_cast<std::size_t>(columns_.targets[i]);
        into_.targets_.push_back(target(place));
        look_at(place, into_.targets_.back(), seen_[i]);
      }
    }
    ++into_.rows_;
  }

  [[nodiscard]] double number(std::size_t column) const {
    const CsvCell& cell = cells()[column];
    const CsvValue value = detail::csv_value(cell.text);
    if (value.kind != CsvKind::number || cell.is_quoted) {
      fail_at(column, detail::csv_problem(cell), other_separator());
    }
    return value.value;
  }
  [[nodiscard]] float feature(std::size_t column) const {
    return static_cast<float>(number(column));
  }
  [[nodiscard]] float target(std::size_t column) const {
    const bool is_unknown = detail::csv_value(cells()[column]).kind == CsvKind::missing;
    return is_unknown ? std::numeric_limits<float>::quiet_NaN() : feature(column);
  }
  void look_at(std::size_t column, float value, Seen& seen) const {
    if (std::isnan(value)) return;
    const bool is_label = value == 0 || value == 1;
    (is_label ? seen.labels : seen.others) += 1;
    if (is_label || seen.others > 1) return;
    seen.line = records_.line();
    seen.odd = cells()[column].text;
  }
  /// A slip of the pen makes a number of what was meant as a label.
  void note_odd_value(std::size_t target) {
    constexpr std::uint64_t kMore = 5;  // labels for each other value
    const Seen& seen = seen_[target];
    if (seen.others == 0 || seen.labels < kMore * seen.others) return;
    const auto [labels, others, line, odd] = seen;
    into_.notes_.push_back(
        concat(into_.file_, ":", line, ": column ", columns_.targets[target] + 1, " '",
               shown(into_.target_names_[target]), "' is 0 or 1 in ", labels, ' ',
               plural(labels, "line"), " and ", shown(odd), " here",
               others > 1 ? concat(", and another number in ", others - 1, " more") : std::string(),
               "; so it is a number to learn, and no label"));
  }
  [[nodiscard]] std::int32_t label(std::size_t column) const {
    const CsvCell& cell = cells()[column];
    const bool is_word = detail::csv_value(cell).kind == CsvKind::word;
    const double value = is_word ? -1 : number(column);
    if (!is_class(value)) {
      fail_at(column, detail::quoted(cell), " is not a class; expected 0, 1, ... in this column, ",
              "or another one named by --label-column",
              is_word ? "" : "; for a number to learn: --targets " + option_name(column));
    }
    return static_cast<std::int32_t>(value);
  }

  /// What an option that lists columns calls this one.
  [[nodiscard]] std::string option_name(std::size_t column) const {
    const bool has_name = !columns_.names.empty() && !columns_.names[column].empty() &&
                          columns_.names[column].find(',') == std::string::npos;
    return has_name ? shown(columns_.names[column]) : std::to_string(column + 1);
  }

  static const char* separator_name(char separator) {
    switch (separator) {
      case ',': return "commas";
      case ';': return "semicolons";
      case '\t': return "tabs";
      case '|': return "'|'";
      default: return "colons";
    }
  }
  /// What may be meant where the record has more of another one.
  [[nodiscard]] std::string other_separator() const {
    const std::string_view text = records_.text();
    for (const auto& [other, word] :
         {std::pair(';', ";"), std::pair('\t', "tab"), std::pair('|', "|"), std::pair(',', ",")}) {
      const bool is_there = text.find(other) != std::string_view::npos;
      if (other == records_.separator() || !is_there) continue;
      if (other == ',' && text.find(records_.separator()) != std::string_view::npos) continue;
      return concat("; if columns are separated by '", word, "': --separator '", word, "'");
    }
    return "";
  }

  template <class... What>
  [[noreturn]] void fail(const What&... what) const {
    throw Error(concat(into_.file_, ":", records_.line(), ": ", what...));
  }
  template <class... What>
  [[noreturn]] void fail_at(std::size_t column, const What&... what) const {
    const bool may_be_header = !says_header_ && records_.line() == first_line_;
    const std::string name =
        columns_.names.empty() ? std::string() : concat(" '", columns_.names[column], "'");
    fail("column ", column + 1, name, ": ", what...,
         may_be_header ? "; if this line is a header: --header yes" : "");
  }

  CsvDataset& into_;
  const CsvOptions& options_;
  detail::CsvRecords records_;
  bool says_header_;
  CsvColumns columns_;
  std::vector<Seen> seen_;  // one a target
  std::int64_t first_line_ = 0;
};

CsvDataset::CsvDataset(std::filesystem::path path, std::vector<std::string> classes,
                       const CsvOptions& options)
    : file_(path.string()), classes_(std::move(classes)) {
  const std::vector<std::byte> bytes = read_file(path);
  Parser(*this, options, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}).parse();
  if (rows_ == 0) throw Error(file_ + ": no samples; expected lines of numbers");
  values_.shrink_to_fit();
  labels_.shrink_to_fit();
  targets_.shrink_to_fit();
  if (!labels_.empty()) name_classes();
}

void CsvDataset::name_classes() {
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
  return labels_.empty() ? 0 : labels_.at(index);
}

void CsvDataset::target(std::uint32_t index, std::span<float> values) const {
  const std::size_t width = target_names_.size();
  MILLRACE_CHECK(index < size() && values.size() == width, "targets of sample ", index, " of ",
                 size(), ": ", values.size(), " of ", width);
  std::copy_n(targets_.begin() + static_cast<std::ptrdiff_t>(index * width), width, values.begin());
}

std::string CsvDataset::name(std::uint32_t index) const {
  return concat(file_, " #", index);
}

std::vector<std::string> CsvDataset::notes() const {
  std::vector<std::string> notes = notes_;
  const std::vector<std::string> of_classes = class_notes();
  notes.insert(notes.end(), of_classes.begin(), of_classes.end());
  return notes;
}

Bytes CsvDataset::index_bytes() const noexcept {
  return {sizeof(*this) + values_.capacity() * sizeof(float) +
          labels_.capacity() * sizeof(std::int32_t) + targets_.capacity() * sizeof(float)};
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
