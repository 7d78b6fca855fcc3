#include <millrace/io/detail/named_parts.h>

#include <millrace/core/error.h>
#include <millrace/io/image_walk.h>

#include <algorithm>
#include <array>
#include <system_error>

namespace millrace::detail {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  for_each_entry(folder, [&](const fs::directory_entry& entry, const std::string& name) {
    if (!name.starts_with('.')) entries.push_back(entry.path());
  });
  std::sort(entries.begin(), entries.end());
  return entries;
}

std::string last_name(const fs::path& path) {
  return path.filename().string();
}

namespace {

[[noreturn]] void fail_twice(const fs::path& a, const fs::path& b) {
  throw Error(concat(b.parent_path().string(), ": ", last_name(a), " and ", last_name(b),
                     " are one part twice; rename one, or name what is meant instead of the "
                     "folder, as in ",
                     a.string()));
}

}  // namespace

void fail_beside(const fs::path& other, const fs::path& train) {
  throw Error(concat(other.string(), ": would be left out, since ", last_name(train),
                     " beside it is a part of a data set; move it away, rename ", last_name(train),
                     " if that is a class, or name the part alone: ", train.string()));
}

std::optional<DataLayout> layout_of(DataKind kind,
                                    const std::vector<std::pair<PartKind, DataPart>>& named) {
  std::array<const DataPart*, 3> parts{};
  for (const auto& [what, part] : named) {
    const DataPart*& place = parts.at(static_cast<std::size_t>(what));
    if (place != nullptr) fail_twice(place->samples, part.samples);
    place = &part;
  }
  const auto [training, validation, test] = parts;
  if (training == nullptr) return {};
  DataLayout layout{kind, *training};
  if (test != nullptr) layout.test = *test;
  if (validation != nullptr) layout.validation = *validation;
  layout.validation_is_test = validation == nullptr && test != nullptr;
  if (layout.validation_is_test) layout.validation = *test;
  return layout;
}

}  // namespace millrace::detail
