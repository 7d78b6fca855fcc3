#include <millrace/io/detail/tar_classes.h>

#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>

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
                                      const fs::path& names_file) const {
  return has_labels ? by_labels(place, names_file) : by_folders(place);
}

TarClasses::Result TarClasses::by_labels(const fs::path& place, const fs::path& names_file) const {
  Result result{labels_, {}, {}};
  const std::int32_t most =
      labels_.empty() ? -1 : *std::max_element(labels_.begin(), labels_.end());
  if (most >= 0 && !names_.empty()) {
    throw Error(concat(place.string(), ": some classes are numbers, such as ", most,
                       ", and some are names, such as '", names_.begin()->first,
                       "'; pack them with one kind"));
  }
  if (most < 0) {  // names, if anything: in the order of their bytes
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
  std::error_code ignored;
  if (fs::exists(names_file, ignored)) {
    result.classes = class_names_in(names_file);
    if (result.classes.size() <= static_cast<std::size_t>(most)) {
      throw Error(concat(names_file.string(), ": ", result.classes.size(), ' ',
                         plural(result.classes.size(), "name"),
                         " for the classes from 0 on, and none for the class ", most, " of ",
                         place.string()));
    }
    return result;
  }
  for (std::int32_t i = 0; i <= most; ++i) result.classes.push_back(std::to_string(i));
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
