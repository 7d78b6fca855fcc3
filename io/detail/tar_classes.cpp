#include <millrace/io/detail/tar_classes.h>

#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>
#include <millrace/io/data_layout.h>

#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

namespace millrace::detail {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExpected =
    "expected 000123.cls or 000123.json with its class beside 000123.jpg, or a folder for each "
    "class: cats/1.jpg, dogs/2.jpg";

/// How many folders all of them begin with, less what tells the classes: each has one more.
std::size_t shared_folders(const std::map<std::vector<std::string>, std::int32_t>& folders) {
  const std::vector<std::string>* first = nullptr;
  std::size_t shared = 0;
  for (const auto& [path, number] : folders) {
    if (path.empty()) continue;
    if (first == nullptr) {
      first = &path;
      shared = path.size() - 1;
    }
    shared = std::min(shared, path.size() - 1);
    const auto [own, firsts] = std::mismatch(
        path.begin(), path.begin() + static_cast<std::ptrdiff_t>(shared), first->begin());
    shared = static_cast<std::size_t>(own - path.begin());
  }
  return shared;
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// The classes of labels that are numbers: of the names in files, or of the numbers themselves.
class NumberNames {
 public:
  explicit NumberNames(const fs::path& place) : place_(place) {}

  /// Turns labels whose names are in a file, if it is there, into places among all classes.
  void apply(const fs::path& file, std::span<std::int32_t> labels) {
    const std::int32_t most = labels.empty() ? -1 : *std::max_element(labels.begin(), labels.end());
    if (most < 0) return;  // none has a label
    const bool is_named = is_there(file);
    (is_named ? named_ : bare_) = file;
    if (!named_.empty() && !bare_.empty()) {
      throw Error(concat(bare_.string(), ": is not there, though ", named_.string(),
                         " names the classes of other shards of ", place_.string(),
                         "; give both folders one, or none"));
    }
    most_ = std::max(most_, most);
    if (!is_named) return;
    const std::vector<std::int32_t>& places = places_in(file);
    if (places.size() <= static_cast<std::size_t>(most)) {
      throw Error(concat(file.string(), ": ", places.size(), ' ', plural(places.size(), "name"),
                         " for the classes from 0 on, and none for the class ", most, " of ",
                         place_.string()));
    }
    for (std::int32_t& label : labels) {
      if (label >= 0) label = places[static_cast<std::size_t>(label)];
    }
  }

  [[nodiscard]] std::vector<std::string> classes() {
    for (std::int32_t i = 0; named_.empty() && i <= most_; ++i) {
      classes_.push_back(std::to_string(i));
    }
    return std::move(classes_);
  }

 private:
  /// Of each name in the file, its place among the classes, which get those that are new.
  const std::vector<std::int32_t>& places_in(const fs::path& file) {
    const auto [known, is_new] = files_.try_emplace(file);
    if (!is_new) return known->second;
    for (std::string& name : class_names_in(file)) {
      const auto next = static_cast<std::int32_t>(classes_.size());
      const auto [found, is_class] = places_.emplace(name, next);
      if (is_class) classes_.push_back(std::move(name));
      known->second.push_back(found->second);
    }
    return known->second;
  }

  const fs::path& place_;
  fs::path named_, bare_;  // the last file that is there, and that is not
  std::int32_t most_ = -1;
  std::map<fs::path, std::vector<std::int32_t>> files_;
  std::map<std::string, std::int32_t> places_;
  std::vector<std::string> classes_;
};

/// "train" and "val" are what people call parts, as in class folders.
void check_are_classes(const std::set<std::string>& names, const fs::path& place) {
  const auto is_part = [](const std::string& name) { return part_named(name).has_value(); };
  const auto training = std::find_if(names.begin(), names.end(), [](const std::string& name) {
    return part_named(name) == PartKind::training;
  });
  if (names.size() < 2 || training == names.end() ||
      !std::all_of(names.begin(), names.end(), is_part)) {
    return;
  }
  const std::string& other = training == names.begin() ? *names.rbegin() : *names.begin();
  throw Error(concat(place.string(), ": its folders are the parts ", *training, "/ and ", other,
                     "/ of a data set, not classes; pack each part into a shard of its own, ",
                     *training, ".tar and ", other, ".tar in one folder, and name that"));
}

}  // namespace

void TarClasses::add(const TarSample& sample) {
  std::int32_t label = kNothing, folder = 0;
  if (sample.label) {
    const auto next = static_cast<std::int32_t>(names_.size());
    label = sample.label->is_number
                ? sample.label->number
                : kNames - names_.emplace(sample.label->name, next).first->second;
  } else {
    const auto next = static_cast<std::int32_t>(folders_.size());
    folder = folders_.emplace(folders_of(sample.name), next).first->second;
  }
  labels_.push_back(label);
  folders_of_.push_back(folder);
}

TarClasses::Result TarClasses::result(bool has_labels, const fs::path& place,
                                      std::span<const NamesFile> names) const {
  Result result = has_labels ? by_labels(place, names) : by_folders(place);
  if (has_labels && names_.empty()) return result;
  const fs::path* last = nullptr;
  for (const NamesFile& file : names) {
    if ((last != nullptr && *last == file.path) || !is_there(file.path)) continue;
    last = &file.path;
    result.notes.push_back(concat(shown(file.path.native()), ": not used, since the classes are ",
                                  has_labels ? "named by the labels" : "folders"));
  }
  return result;
}

TarClasses::Result TarClasses::by_labels(const fs::path& place,
                                         std::span<const NamesFile> names) const {
  const std::int32_t most =
      labels_.empty() ? -1 : *std::max_element(labels_.begin(), labels_.end());
  if (most >= 0 && !names_.empty()) {
    throw Error(concat(place.string(), ": some classes are numbers, such as ", most,
                       ", and some are names, such as '", names_.begin()->first,
                       "'; pack them with one kind"));
  }
  return most < 0 ? by_names() : by_numbers(place, names);
}

/// In the order of their bytes.
TarClasses::Result TarClasses::by_names() const {
  Result result{labels_, {}, {}};
  std::vector<std::int32_t> places(names_.size());
  for (const auto& [name, number] : names_) {
    places[static_cast<std::size_t>(number)] = static_cast<std::int32_t>(result.classes.size());
    result.classes.push_back(name);
  }
  for (std::int32_t& label : result.labels) {
    if (label != kNothing) label = places[static_cast<std::size_t>(kNames - label)];
  }
  return result;
}

TarClasses::Result TarClasses::by_numbers(const fs::path& place,
                                          std::span<const NamesFile> names) const {
  Result result{labels_, {}, {}};
  NumberNames named(place);
  const std::span<std::int32_t> all(result.labels);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::size_t end = i + 1 < names.size() ? names[i + 1].first : all.size();
    named.apply(names[i].path, all.subspan(names[i].first, end - names[i].first));
  }
  result.classes = named.classes();
  return result;
}

TarClasses::Result TarClasses::by_folders(const fs::path& place) const {
  const std::size_t shared = shared_folders(folders_);
  std::vector<std::int32_t> places(folders_.size(), -1);
  std::set<std::string> names;
  for (const auto& [path, number] : folders_) {
    if (!path.empty()) names.insert(path[shared]);
  }
  if (names.empty() && !labels_.empty()) {
    throw Error(concat(place.string(), ": images without labels; ", kExpected));
  }
  check_are_classes(names, place);
  Result result;
  for (const std::string& name : names) {
    result.classes.push_back(as_utf8(name));
    if (result.classes.back() == name) continue;
    result.notes.push_back(concat(shown(place.native()), ": the name of the folder ", shown(name),
                                  " is not UTF-8; the class is called '",
                                  shown(result.classes.back()), "', backslashes and all"));
  }
  for (const auto& [path, number] : folders_) {
    if (path.empty()) continue;
    places[static_cast<std::size_t>(number)] =
        static_cast<std::int32_t>(std::distance(names.begin(), names.find(path[shared])));
  }
  for (const std::int32_t folder : folders_of_) {
    result.labels.push_back(places[static_cast<std::size_t>(folder)]);
  }
  return result;
}

}  // namespace millrace::detail
