#include <millrace/io/detail/csv_columns.h>

#include <millrace/core/error.h>
#include <millrace/core/lower_case.h>
#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>
#include <millrace/io/detail/csv_header.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>
#include <utility>

namespace millrace::detail {
namespace {

using Names = std::vector<std::string>;

/// Where each name stands first, and again (-1: nowhere). Tables may have many thousand columns.
using Places = std::unordered_map<std::string, std::pair<std::ptrdiff_t, std::ptrdiff_t>>;

Places places_of(const Names& names) {
  Places places;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto at = static_cast<std::ptrdiff_t>(i);
    const auto [found, is_new] = places.try_emplace(names[i], at, -1);
    if (!is_new && found->second.second < 0) found->second.second = at;
  }
  return places;
}

/// A number from 1 on, or 0.
std::int64_t column_number(const std::string& text) {
  std::int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size() && number > 0 ? number : 0;
}

class Finder {
 public:
  Finder(const CsvRecords& records, const CsvOptions& options, const std::string& file)
      : records_(records), options_(options), known_(options.known), file_(file) {}

  CsvColumns find() {
    const auto count = records_.cells().size();
    find_header();
    found_.roles.assign(count, CsvColumns::kLeftOut);
    const Names& targets = options_.used_targets();
    targets.empty() ? find_label(count) : find_targets(targets);
    if (found_.label >= 0) found_.roles[static_cast<std::size_t>(found_.label)] = kLabel;
    if (goes_by_name()) {
      take_by_name();
    } else {
      take_in_order();
    }
    return std::move(found_);
  }

 private:
  static constexpr std::ptrdiff_t kLabel = CsvColumns::kLabel;

  [[nodiscard]] bool goes_by_name() const {
    return !found_.names.empty() && !known_.columns.empty();
  }
  void note(const std::string& text) { found_.notes.push_back(concat(shown(file_), ": ", text)); }
  template <class... What>
  [[noreturn]] void fail(const What&... what) const {
    throw Error(concat(file_, ":", records_.line(), ": ", what...));
  }

  void find_header() {
    const CsvHeader header = csv_header(records_, options_);
    found_.has_header = header.is_there;
    if (!header.note.empty()) note(header.note);
    if (!found_.has_header) return;
    found_.names = csv_names(records_);
    places_ = places_of(found_.names);
  }

  /// The column of a name; -1: none. Throws Error if there are several.
  [[nodiscard]] std::ptrdiff_t place_of(const std::string& name) const {
    const auto found = places_.find(name);
    if (found == places_.end()) return -1;
    const auto [first, second] = found->second;
    if (second >= 0) {
      fail("columns ", first + 1, " and ", second + 1, " are both named '", name,
           "'; give them different names");
    }
    return first;
  }

  void find_label(std::size_t count) {
    const auto columns = static_cast<std::int64_t>(count);
    if (!options_.label.empty()) {
      find_named_label(columns);
    } else if (!found_.names.empty() && !known_.label.empty()) {
      found_.label = place_of(known_.label);
      if (found_.label < 0 && options_.needs_label) {
        fail("has no column '", known_.label, "', which is the label", near(known_.label),
             "; --label-column names another");
      }
    } else if (goes_by_name()) {
      find_nameless_label();
    } else if (options_.needs_label || columns != options_.features) {
      const bool fits = known_.label_column > 0 && known_.label_column <= columns;
      found_.label = (fits ? known_.label_column : columns) - 1;
      if (!options_.needs_label && columns == options_.features + 1) {
        note(concat("column ", found_.label + 1, " is taken for the label and left out"));
      }
    }
  }
  /// The label of the model's table has no name, so that its place says no more than that this is
  /// the column: pandas leaves the column of its row numbers without a name too.
  void find_nameless_label() {
    const auto count = static_cast<std::int64_t>(found_.names.size());
    const std::int64_t place = known_.label_column > 0 ? known_.label_column : count;
    const bool is_nameless =
        place <= count && found_.names[static_cast<std::size_t>(place - 1)].empty();
    if (is_nameless && std::count(found_.names.begin(), found_.names.end(), "") == 1) {
      found_.label = place - 1;
    } else if (options_.needs_label) {
      fail("the label has no name in the model's table, and column ", place,
           " is not the only one without a name here; say which one it is: --label-column N");
    }
  }
  void find_named_label(std::int64_t columns) {
    const std::int64_t number = column_number(options_.label);
    found_.label = place_of(options_.label);
    if (found_.label >= 0 && number > 0 && number != found_.label + 1) {
      note(concat("the label is column ", found_.label + 1, ", whose name is '",
                  shown(options_.label), "'"));
    }
    if (found_.label < 0 && number > 0 && number <= columns) found_.label = number - 1;
    if (found_.label >= 0) return;
    const std::string has = concat("it has ", columns, ' ', plural(columns, "column"));
    if (number > 0) fail("has no column ", number, " for --label-column; ", has);
    if (found_.names.empty()) {
      fail("has no header with a column '", options_.label, "' for --label-column; ", has,
           ", give a number from 1 on");
    }
    if (options_.needs_label) {
      fail("has no column '", options_.label, "' for --label-column", near(options_.label),
           "; its columns are ", list_of(found_.names));
    }
  }
  /// Gives the columns of targets their roles.
  void find_targets(const Names& wanted) {
    if (!options_.label.empty()) {
      fail("--label-column names a class, in whose place targets stand; leave it out");
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const std::ptrdiff_t place =
          options_.targets.empty() ? place_of_known_target(i) : place_of_target(wanted[i]);
      if (place < 0 && !options_.needs_label) continue;
      if (place < 0) fail_without_target(wanted[i]);
      std::ptrdiff_t& role = found_.roles[static_cast<std::size_t>(place)];
      if (role == CsvColumns::kTarget) {
        fail("column ", place + 1, " is named twice by --targets; name each column once");
      }
      role = CsvColumns::kTarget;
      found_.targets.push_back(place);
    }
    if (found_.targets.size() < found_.roles.size()) return;
    fail(
        "all columns are targets, and none is left to learn them from; leave one out of --targets");
  }
  /// By its name, else by its number; -1: nowhere.
  [[nodiscard]] std::ptrdiff_t place_of_target(const std::string& wanted) const {
    const std::ptrdiff_t named = place_of(wanted);
    return named >= 0 ? named : column_at(column_number(wanted));
  }
  /// By its name, or where one of the two tables has no names by its place.
  [[nodiscard]] std::ptrdiff_t place_of_known_target(std::size_t i) const {
    if (goes_by_name()) return place_of(options_.known_targets[i]);
    const bool may_lack = !options_.needs_label && options_.features > 0;
    const auto columns = static_cast<std::int64_t>(found_.roles.size());
    if (may_lack && columns == options_.features) return -1;
    return i < known_.target_columns.size() ? column_at(known_.target_columns[i]) : -1;
  }
  /// -1 where there is no column of this number.
  [[nodiscard]] std::ptrdiff_t column_at(std::int64_t number) const {
    const auto columns = static_cast<std::int64_t>(found_.roles.size());
    return number > 0 && number <= columns ? static_cast<std::ptrdiff_t>(number - 1) : -1;
  }
  [[noreturn]] void fail_without_target(const std::string& wanted) const {
    const std::string what = options_.targets.empty() ? ", which is a target" : " for --targets";
    if (!found_.names.empty()) {
      const bool have_comma =
          std::any_of(found_.names.begin(), found_.names.end(),
                      [](const std::string& name) { return name.find(',') != std::string::npos; });
      fail("has no column '", wanted, "'", what, near(wanted), "; its columns are ",
           list_of(found_.names),
           have_comma ? "; one whose name has a comma goes by its number, from 1 on" : "");
    }
    fail("has no header, and no column '", wanted, "'", what, "; it has ", found_.roles.size(), ' ',
         plural(found_.roles.size(), "column"), ", give numbers from 1 on");
  }
  /// What a name may be that differs in capitals or spaces alone.
  [[nodiscard]] std::string near(const std::string& wanted) const {
    const auto plain = [](const std::string& name) {
      std::string result;
      for (const char c : name) {
        if (c == ' ' || c == '_' || c == '-') continue;
        result += lower_case(c);
      }
      return result;
    };
    for (const std::string& name : found_.names) {
      if (plain(name) == plain(wanted)) return concat(" (there is '", name, "')");
    }
    return "";
  }

  void take_by_name() {
    found_.features = known_.columns;
    const Names own = other_names();
    if (own == known_.columns) {  // also where names are not unique
      take_in_order();
      return;
    }
    for (std::size_t i = 0; i < known_.columns.size(); ++i) {
      const std::string& name = known_.columns[i];
      const std::ptrdiff_t place = place_of(name);
      if (place < 0) {
        fail("has no column '", name, "', which the model needs", near(name), "; its columns are ",
             list_of(found_.names));
      }
      std::ptrdiff_t& role = found_.roles[static_cast<std::size_t>(place)];
      if (role == kLabel) fail("column '", name, "' is a feature of the model, not the label");
      if (role == CsvColumns::kTarget) {
        fail("column '", name, "' is a feature of the model, not a target");
      }
      if (role != CsvColumns::kLeftOut) {
        fail("the model has two columns '", name, "', so this table must have its columns in the ",
             "same order");
      }
      role = static_cast<std::ptrdiff_t>(i);
    }
    Names left_out;
    for (std::size_t i = 0; i < found_.roles.size(); ++i) {
      if (found_.roles[i] == CsvColumns::kLeftOut) left_out.push_back(found_.names[i]);
    }
    if (left_out.empty()) return;
    note(concat("left out ", left_out.size(), ' ', plural(left_out.size(), "column"),
                " that the model does not know: ", list_of(left_out)));
  }
  [[nodiscard]] Names other_names() const {
    Names names;
    for (std::size_t i = 0; i < found_.names.size(); ++i) {
      if (found_.roles[i] == CsvColumns::kLeftOut) names.push_back(found_.names[i]);
    }
    return names;
  }

  void take_in_order() {
    found_.features = other_names();
    std::ptrdiff_t place = 0;
    for (std::ptrdiff_t& role : found_.roles) {
      if (role == CsvColumns::kLeftOut) role = place++;
    }
    const auto unnamed = std::find(found_.features.begin(), found_.features.end(), "");
    if (unnamed != found_.features.end()) {
      const auto column = std::find(found_.names.begin(), found_.names.end(), "");
      fail("column ", column - found_.names.begin() + 1, " has no name in the header; pandas ",
           "writes its row numbers so, which to_csv(index=False) leaves out; name the column to ",
           "use it as a feature");
    }
    if (options_.features > 0 && place != options_.features) {
      fail("has ", place, ' ', plural(place, "feature"), found_.label >= 0 ? " and a label" : "",
           found_.targets.empty() ? "" : " beside its targets", " where the model needs ",
           options_.features, known_.columns.empty() ? "" : ": ",
           known_.columns.empty() ? "" : list_of(known_.columns));
    }
    if (found_.names.empty() && !known_.columns.empty()) {
      note("has no header, so its columns are taken in the order of the model's");
    }
  }

  const CsvRecords& records_;
  const CsvOptions& options_;
  const TableForm& known_;
  const std::string& file_;
  CsvColumns found_;
  Places places_;  // of found_.names
};

}  // namespace

CsvColumns csv_columns(const CsvRecords& records, const CsvOptions& options,
                       const std::string& file) {
  return Finder(records, options, file).find();
}

}  // namespace millrace::detail
