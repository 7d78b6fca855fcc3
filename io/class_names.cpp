#include <millrace/io/class_names.h>

#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>
#include <millrace/io/decode.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace millrace {
namespace {

/// "007" as "7"; nothing for what is no whole number.
std::optional<std::string> number_in(const std::string& name) {
  const bool is_number = !name.empty() && std::all_of(name.begin(), name.end(),
                                                      [](char c) { return c >= '0' && c <= '9'; });
  if (!is_number) return {};
  return name.substr(std::min(name.find_first_not_of('0'), name.size() - 1));
}

/// "cats, dogs, owls, ...".
std::string listed(std::span<const std::string> names) {
  constexpr std::size_t kFew = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(kFew, names.size()); ++i) {
    text += concat(i == 0 ? "" : ", ", names[i]);
  }
  return text + (names.size() > kFew ? ", ..." : "");
}

/// A data set under other labels.
class Relabelled final : public Dataset {
 public:
  /// `labels`: those of `inner` to places in `classes`.
  Relabelled(std::shared_ptr<const Dataset> inner, std::vector<std::string> classes,
             std::vector<int> labels)
      : inner_(std::move(inner)), classes_(std::move(classes)), labels_(std::move(labels)) {}

  [[nodiscard]] std::uint32_t size() const noexcept override { return inner_->size(); }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t index) const override {
    return labels_[static_cast<std::size_t>(inner_->label(index))];
  }
  [[nodiscard]] std::string name(std::uint32_t index) const override { return inner_->name(index); }
  [[nodiscard]] std::string place() const override { return inner_->place(); }
  [[nodiscard]] Bytes index_bytes() const noexcept override {
    return inner_->index_bytes() + Bytes{sizeof(*this) + labels_.capacity() * sizeof(int)};
  }
  [[nodiscard]] Shape natural_shape() const override { return inner_->natural_shape(); }
  [[nodiscard]] DType dtype() const noexcept override { return inner_->dtype(); }
  [[nodiscard]] const TableForm* table() const noexcept override { return inner_->table(); }
  void load(std::uint32_t index, TensorView target, Filter filter,
            Decoder& decoder) const override {
    inner_->load(index, target, filter, decoder);
  }
  [[nodiscard]] ImageInfo info(std::uint32_t index, Decoder& decoder) const override;
  [[nodiscard]] std::optional<FileStart> read_start(std::uint32_t index,
                                                    std::span<std::byte> into) const override {
    return inner_->read_start(index, into);
  }
  [[nodiscard]] std::span<const std::uint32_t> shards() const noexcept override {
    return inner_->shards();
  }
  [[nodiscard]] const LeftOut& left_out() const noexcept override { return inner_->left_out(); }
  /// Those of the other one, but of its classes as they are here.
  [[nodiscard]] std::vector<std::string> notes() const override {
    std::vector<std::string> notes = inner_->notes();
    for (const std::string& note : inner_->class_notes()) std::erase(notes, note);
    const std::vector<std::string> own = class_notes();
    notes.insert(notes.end() - (left_out().total() > 0 && !notes.empty() ? 1 : 0), own.begin(),
                 own.end());
    return notes;
  }

 private:
  std::shared_ptr<const Dataset> inner_;
  std::vector<std::string> classes_;
  std::vector<int> labels_;
};

ImageInfo Relabelled::info(std::uint32_t index, Decoder& decoder) const {
  return inner_->info(index, decoder);
}

/// The classes as they are called by `given`, in their order.
std::vector<std::string> called(std::span<const std::string> numbers,
                                std::span<const std::string> given, const std::string& owner) {
  std::vector<std::string> names;
  for (const std::string& name : numbers) {
    const std::string digits = number_in(name).value_or("");
    const std::size_t number =
        digits.empty() || digits.size() > 9 ? given.size() : std::stoul(digits);
    if (number >= given.size()) {
      throw UsageError(concat("--class-names: ", given.size(), ' ', plural(given.size(), "name"),
                              " for the numbers from 0 on, and none for the class '", name, "' of ",
                              owner));
    }
    names.push_back(given[number]);
  }
  return names;
}

void check_given(std::span<const std::string> given) {
  std::set<std::string_view> taken;
  for (const std::string& name : given) {
    if (name.empty()) throw UsageError("--class-names: a name is empty");
    if (!taken.insert(name).second) {
      throw UsageError(concat("--class-names: the name '", name, "' is there twice"));
    }
  }
}

/// The same data set with other names, and those that it does not have behind them.
std::shared_ptr<const Dataset> renamed(std::shared_ptr<const Dataset> dataset,
                                       const std::string& where,
                                       std::span<const std::string> given) {
  std::vector<std::string> names = called(dataset->classes(), given, where);
  std::vector<int> labels;
  for (std::size_t i = 0; i < names.size(); ++i) labels.push_back(static_cast<int>(i));
  const std::set<std::string> there(names.begin(), names.end());
  for (const std::string& name : given) {
    if (there.count(name) == 0) names.push_back(name);
  }
  return std::make_shared<Relabelled>(std::move(dataset), std::move(names), std::move(labels));
}

/// Which class is where among others.
class Places {
 public:
  Places(std::span<const std::string> of, std::span<const std::string> sought)
      : by_value_(are_numbers(of) && are_numbers(sought)) {
    for (const std::string& name : of) places_.emplace(key(name), static_cast<int>(places_.size()));
  }
  [[nodiscard]] int operator()(const std::string& name) const {
    const auto found = places_.find(key(name));
    return found == places_.end() ? -1 : found->second;
  }

 private:
  [[nodiscard]] std::string key(const std::string& name) const {
    return by_value_ ? *number_in(name) : name;
  }
  bool by_value_;
  std::map<std::string, int> places_;
};

/// A class that is not known. One without samples counts only where all are meant: that there is a
/// folder says that its class is, that a label is below the largest says nothing.
std::optional<std::string> unknown_class(const Dataset& dataset, const Places& known,
                                         bool are_all_meant) {
  const std::vector<std::uint64_t> counts = count_classes(dataset);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::string& name = dataset.classes()[i];
    if (known(name) < 0 && (counts[i] > 0 || are_all_meant)) return name;
  }
  return {};
}

[[noreturn]] void refuse(const Dataset& dataset, const std::string& where,
                         const KnownClasses& known, const std::string& unknown) {
  const std::vector<std::string>& own = dataset.classes();
  if (are_numbers(own) != are_numbers(known.names)) {
    const bool has_numbers = are_numbers(own);
    throw Error(concat(
        where, ": its classes are ", has_numbers ? "the numbers " : "", listed(own), ", those of ",
        known.owner, " are ", has_numbers ? "" : "the numbers ", listed(known.names),
        "; say in train or evaluate what the numbers 0, 1, ... are called: --class-names A,B,..."));
  }
  std::string more;
  const Places there(own, known.names);
  const auto lacking = std::find_if(known.names.begin(), known.names.end(),
                                    [&](const std::string& name) { return there(name) < 0; });
  const auto alike =
      std::find_if(known.names.begin(), known.names.end(),
                   [&](const std::string& name) { return !difference(unknown, name).empty(); });
  if (alike != known.names.end()) {
    more = concat("; '", unknown, "' and '", *alike, "' there differ ", difference(unknown, *alike),
                  " alone");
  } else if (lacking != known.names.end()) {
    more = concat(", and lacks the class '", *lacking, "' of ", known.owner);
  }
  throw Error(concat(where, ": has a class '", unknown, "' that ", known.owner, " lacks", more,
                     "; names must be the same"));
}

std::shared_ptr<const Dataset> matched(std::shared_ptr<const Dataset> dataset,
                                       const std::string& where, const KnownClasses& known,
                                       bool are_all_meant) {
  const std::vector<std::string>& own = dataset->classes();
  if (own == known.names) return dataset;
  const Places places(known.names, own);
  if (const auto unknown = unknown_class(*dataset, places, are_all_meant)) {
    refuse(*dataset, where, known, *unknown);
  }
  std::vector<int> labels;
  std::set<int> met;
  for (const std::string& name : own) {
    labels.push_back(places(name));
    met.insert(labels.back());
  }
  for (std::size_t i = 0; known.are_all_wanted && i < known.names.size(); ++i) {
    if (met.count(static_cast<int>(i)) != 0) continue;
    throw Error(concat(where, ": lacks the class '", known.names[i], "' of ", known.owner,
                       "; both must have the same classes"));
  }
  return std::make_shared<Relabelled>(std::move(dataset), known.names, std::move(labels));
}

}  // namespace

bool are_numbers(std::span<const std::string> names) {
  std::set<std::string> values;
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    const std::optional<std::string> value = number_in(name);
    return value && values.insert(*value).second;
  });
}

std::shared_ptr<const Dataset> name_classes(std::shared_ptr<const Dataset> dataset,
                                            const std::string& where,
                                            std::span<const std::string> given) {
  check_given(given);
  if (given.empty()) return dataset;
  if (dataset->classes().empty()) {
    throw UsageError(concat("--class-names gives names to classes, and ", where, " has none"));
  }
  if (!are_numbers(dataset->classes())) {
    throw UsageError(concat("--class-names gives names to classes that are numbers; ", where,
                            " already has names: ", listed(dataset->classes())));
  }
  return renamed(std::move(dataset), where, given);
}

MatchedClasses match_classes(std::shared_ptr<const Dataset> dataset, const std::string& where,
                             KnownClasses known, std::span<const std::string> given) {
  check_given(given);
  const bool has_numbers = are_numbers(dataset->classes());
  if (!given.empty()) {
    const bool knows_numbers = are_numbers(known.names);
    if (!has_numbers && !knows_numbers) {
      throw UsageError(concat("--class-names gives names to classes that are numbers; those of ",
                              where, " and of ", known.owner, " have names"));
    }
    if (has_numbers) dataset = renamed(std::move(dataset), where, given);
    const Places places(known.names, dataset->classes());
    const bool fits = !unknown_class(*dataset, places, !has_numbers);
    if (knows_numbers && !fits) known.names = called(known.names, given, known.owner);
  }
  return {matched(std::move(dataset), where, known, !has_numbers), known.names};
}

}  // namespace millrace
