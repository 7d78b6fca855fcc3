#include <millrace/training/option_list.h>

#include <algorithm>

namespace millrace {
namespace {

/// The characters that must change to turn one word into another (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

/// "batch-size" goes on where "batch" ends.
bool goes_on(std::string_view longer, std::string_view word) {
  return longer.size() > word.size() && longer.starts_with(word) && longer[word.size()] == '-';
}

/// "lr" of "learning-rate".
std::string initials(std::string_view name) {
  std::string letters(name.substr(0, 1));
  for (std::size_t i = 1; i < name.size(); ++i) {
    if (name[i - 1] == '-') letters += name[i];
  }
  return letters;
}

constexpr std::string_view kNo = "no-";

}  // namespace

Option& Option::needs(std::string other, std::function<bool()> fits) {
  needed.emplace_back(std::move(other), std::move(fits));
  return *this;
}

Option& Option::by_default(std::string words) {
  default_words_ = std::move(words);
  return *this;
}

Option& Option::keeps() {
  is_kept = true;
  return *this;
}

Option& Option::of_model() {
  is_of_model = true;
  return *this;
}

Option& Option::never_in_files() {
  is_never_in_files = true;
  return of_command();
}

Option& Option::of_command() {
  is_of_command = true;
  return *this;
}

Option& Option::also_called(std::string other) {
  other_names.push_back(std::move(other));
  return *this;
}

std::string Option::shown_name() const {
  return is_flag && initial == "true" ? concat(kNo, name) : name;
}

bool Option::is_taken_back() const {
  return is_initial() && (is_flag || initial.empty() || initial == "none" || initial == "0");
}

std::string Option::shown_default() const {
  if (!default_words_.empty()) return default_words_;
  return is_flag || initial == "none" ? std::string() : initial;
}

void OptionList::topic(std::string key, std::string title) {
  topics_.push_back({std::move(key), std::move(title)});
}

Option& OptionList::add(std::string name, std::string unit, std::string help) {
  // Update rules of a program's own bring names along.
  MILLRACE_CHECK(find(name).option == nullptr, "there is an option --", name, " already");
  auto option = std::make_unique<Option>();
  option->name = std::move(name);
  if (!topics_.empty()) option->topic = topics_.back().key;
  option->unit = std::move(unit);
  option->help = std::move(help);
  options_.push_back(std::move(option));
  return *options_.back();
}

Option& OptionList::positional(std::string name, std::string& field) {
  Option& option = (*this)(std::move(name), field, "", "");
  option.is_positional = true;
  return option;
}

void OptionList::refuse(const Option& option, const std::string& wanted, std::string_view text) {
  const bool is_number = OptionText<std::string>::read(text).find_first_not_of("+-.0123456789e") ==
                             std::string::npos &&
                         !text.empty();
  const char* const quote = is_number ? "" : "'";
  throw UsageError(concat("--", option.name, " must be ", wanted, ", not ", quote, text, quote));
}

bool OptionList::is_negative(std::string_view text) {
  return text.size() > 1 && text.front() == '-' &&
         text.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

OptionList::Found OptionList::find(std::string_view name) const {
  const auto is_called = [](const Option& option, std::string_view word) {
    return option.name == word || std::find(option.other_names.begin(), option.other_names.end(),
                                            word) != option.other_names.end();
  };
  for (const auto& option : options_) {
    if (is_called(*option, name)) return {option.get(), false};
  }
  if (!name.starts_with(kNo)) return {};
  name.remove_prefix(kNo.size());
  for (const auto& option : options_) {
    if (option->is_flag && is_called(*option, name)) return {option.get(), true};
  }
  return {};
}

std::string OptionList::nearest(std::string_view wrong) const {
  for (const auto& option : options_) {
    const std::string name = option->shown_name();
    const bool is_short = wrong.size() > 1 && initials(name) == wrong;
    if (option->is_positional) continue;
    if (is_short || goes_on(wrong, name) || goes_on(name, wrong)) return name;
  }
  std::string best;
  std::size_t least = wrong.size() / 3 + 1;
  for (const auto& option : options_) {
    const std::string name = option->shown_name();
    const std::size_t away = distance(wrong, name);
    if (option->is_positional || away > least) continue;
    least = away;
    best = name;
  }
  return best;
}

void OptionList::set(std::string_view name, std::string_view value, OptionSource source) {
  const auto [option, is_no] = find(name);
  if (option == nullptr) throw UsageError(concat("unknown option '--", name, "'"));
  if (is_no || (option->is_flag && option->name != name)) {
    const bool before = OptionText<bool>::read(option->write());
    option->read(value);
    const bool is_on = OptionText<bool>::read(option->write());
    // Older runs wrote a flag under each of its names: one of them turns it on.
    const bool says_nothing = !is_no && !is_on && source == OptionSource::recipe;
    option->read(OptionText<bool>::write(says_nothing ? before : is_on != is_no));
    if (says_nothing) return;
  } else {
    option->read(value);
  }
  option->source = source;
}

bool OptionList::was_given(std::string_view name) const {
  const Found found = find(name);
  return found.option != nullptr && found.option->source != OptionSource::nobody;
}

std::vector<std::string> OptionList::settle() {
  const auto without_effect = [](const Option& option) -> std::string {
    for (const auto& [other, fits] : option.needed) {
      if (!fits()) return concat("--", option.shown_name(), " has no effect without ", other);
    }
    return {};
  };
  std::vector<std::string> dropped;
  // What is dropped may be what another one needs, of the command line too.
  for (bool is_settled = false; !is_settled;) {
    is_settled = true;
    for (const auto& option : options_) {
      if (option->source == OptionSource::command_line || option->is_initial()) continue;
      std::string line = without_effect(*option);
      if (line.empty()) continue;
      option->reset();
      option->source = OptionSource::nobody;
      dropped.push_back(std::move(line));
      is_settled = false;
    }
  }
  for (const auto& option : options_) {
    if (option->source != OptionSource::command_line || option->is_taken_back()) continue;
    const std::string line = without_effect(*option);
    if (!line.empty()) throw UsageError(line);
  }
  return dropped;
}

void OptionList::check() const {
  for (const auto& option : options_) option->check();
}

}  // namespace millrace
