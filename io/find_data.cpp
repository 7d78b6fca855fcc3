#include <millrace/io/find_data.h>

#include <millrace/io/class_folder.h>
#include <millrace/io/csv.h>
#include <millrace/io/generated.h>
#include <millrace/io/idx.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>
#include <utility>

namespace millrace {
namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// "mnist-images-idx3-ubyte.gz" becomes "mnist-labels-idx1-ubyte", with or without .gz, whichever is
// there; some copies have a dot in the name where the original has a dash.
std::optional<DataPart> idx_pair(const fs::path& images) {
  std::string name = images.filename().string();
  const std::size_t at = name.find("images");
  if (at == std::string::npos || name.find("idx3-ubyte", at) == std::string::npos) return {};
  name.replace(at, 6, "labels");
  name.replace(name.find("idx3", at), 4, "idx1");
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  for (const char* ending : {"", ".gz"}) {
    const fs::path labels = images.parent_path() / (name + ending);
    if (is_file(labels)) return DataPart{images, labels};
  }
  throw Error(concat(images.string(), ": its labels are missing; expected ", name, " beside it"));
}

// All pairs of IDX files in a folder, by name.
std::vector<DataPart> idx_pairs(const fs::path& folder) {
  std::vector<fs::path> images;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    const bool is_images = name.find("images") != std::string::npos &&
                           (name.ends_with("idx3-ubyte") || name.ends_with("idx3-ubyte.gz"));
    if (is_images && !name.starts_with('.') && is_file(entries->path())) {
      images.push_back(entries->path());
    }
  }
  if (error) throw Error(concat(folder.string(), ": cannot be listed: ", error.message()));
  std::sort(images.begin(), images.end());
  std::vector<DataPart> pairs;
  for (const fs::path& path : images) {
    // The same file plain and compressed counts once.
    const bool is_twin = !pairs.empty() && pairs.back().samples.string() + ".gz" == path.string();
    if (is_twin) continue;
    if (std::optional<DataPart> pair = idx_pair(path)) pairs.push_back(std::move(*pair));
  }
  return pairs;
}

std::optional<DataLayout> idx_layout(const fs::path& folder) {
  std::vector<DataPart> pairs = idx_pairs(folder);
  if (pairs.empty()) return {};
  const auto named = [&](std::string_view start) {
    return std::find_if(pairs.begin(), pairs.end(), [&](const DataPart& part) {
      return part.samples.filename().string().starts_with(start);
    });
  };
  DataLayout layout{DataKind::idx, {}, {}, false};
  const auto train = named("train");
  if (train == pairs.end() && pairs.size() > 1) {
    throw Error(concat(folder.string(),
                       ": several pairs of IDX files and none is called train-images-",
                       "idx3-ubyte; name one of them instead of the folder"));
  }
  layout.train = train == pairs.end() ? pairs.front() : *train;
  for (const char* name : {"val", "t10k", "test"}) {
    const auto other = named(name);
    if (other == pairs.end() || train == pairs.end() || layout.validation) continue;
    layout.validation = *other;
    layout.validation_is_test = std::string_view(name) != "val";
  }
  return layout;
}

// A folder with train and, perhaps, one of the names that a validation part goes by. `ending` and
// `is_there` tell folders from tables.
template <class Test>
std::optional<DataLayout> named_parts(const fs::path& data, DataKind kind, const char* ending,
                                      Test is_there) {
  const auto part = [&](const char* name) { return data / concat(name, ending); };
  if (!is_there(part("train"))) return {};
  const bool are_folders = kind == DataKind::class_folders;
  DataLayout layout{kind, {part("train"), {}, are_folders}, {}, false};
  for (const char* name : {"val", "valid", "validation", "test"}) {
    if (layout.validation || !is_there(part(name))) continue;
    layout.validation = DataPart{part(name), {}, are_folders};
    layout.validation_is_test = std::string_view(name) == "test";
  }
  return layout;
}

// Refuses train/ beside val/ or test/ with pictures right in them: nobody has such classes.
void check_parts_have_classes(const fs::path& data) {
  for (const char* name : {"val", "valid", "validation", "test"}) {
    if (!is_folder(data / "train") || !is_folder(data / name)) continue;
    throw Error(
        concat(data.string(), ": train/ and ", name,
               "/ hold no class folders; expected a folder for each class: DATA/train/cats/1.jpg, "
               "DATA/train/dogs/2.jpg, DATA/",
               name, "/cats/3.jpg"));
  }
}

// train/ is a part of the data set and not a class if there are folders in it.
bool has_folders(const fs::path& folder) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const bool is_hidden = entries->path().filename().string().starts_with('.');
    if (!is_hidden && is_folder(entries->path())) return true;
  }
  return false;
}

void check_classes(const Dataset& train, const Dataset& validation, const DataLayout& layout) {
  const std::vector<std::string>& a = train.classes();
  const std::vector<std::string>& b = validation.classes();
  if (a == b) return;
  const auto lacks = [](const std::vector<std::string>& names, const std::vector<std::string>& in) {
    return std::find_if(names.begin(), names.end(), [&](const std::string& name) {
      return std::find(in.begin(), in.end(), name) == in.end();
    });
  };
  const auto missing = lacks(a, b);
  const bool is_missing = missing != a.end();
  const auto extra = lacks(b, a);
  const std::string what =
      is_missing
          ? concat("has no class '", *missing, "' as ", layout.train.samples.string(), " has")
          : concat("has a class '", *extra, "' that ", layout.train.samples.string(), " lacks");
  throw Error(concat(layout.validation->samples.string(), ": ", what,
                     "; both must have the same class folders"));
}

}  // namespace

DataLayout find_data(const fs::path& data) {
  if (is_generated(data.native())) {
    (void)parse_generated(data.native());
    return {DataKind::generated, {data, {}}, {}, false};
  }
  std::error_code error;
  const fs::file_status status = fs::status(data, error);
  if (!fs::exists(status)) {
    throw Error(concat(data.string(), ": ", error ? error.message() : "no such file or folder"));
  }
  if (fs::is_directory(status)) {
    const auto is_part = [](const fs::path& path) { return is_folder(path) && has_folders(path); };
    if (auto layout = named_parts(data, DataKind::class_folders, "", is_part)) return *layout;
    if (auto layout = idx_layout(data)) return *layout;
    if (auto layout = named_parts(data, DataKind::csv, ".csv", is_file)) return *layout;
    check_parts_have_classes(data);
    return {DataKind::class_folders, {data, {}}, {}, false};
  }
  if (data.extension() == ".csv") return {DataKind::csv, {data, {}}, {}, false};
  if (std::optional<DataPart> pair = idx_pair(data)) return {DataKind::idx, *pair, {}, false};
  throw Error(concat(data.string(),
                     ": not a data set; expected a folder with a folder for each class, "
                     "IDX files or a .csv file"));
}

std::shared_ptr<const Dataset> open_dataset(DataKind kind, const DataPart& part, const Watch& watch,
                                            std::vector<std::string> classes,
                                            std::size_t names_left_out) {
  switch (kind) {
    case DataKind::class_folders:
      return std::make_shared<ClassFolder>(
          part.samples, watch,
          ClassFolder::Options{std::move(classes), names_left_out, part.is_one_of_several});
    case DataKind::idx:
      return std::make_shared<IdxDataset>(part.samples, part.labels, std::move(classes));
    case DataKind::csv: return std::make_shared<CsvDataset>(part.samples, std::move(classes));
    case DataKind::generated:
      return std::make_shared<GeneratedDataset>(parse_generated(part.samples.native()));
  }
  return nullptr;
}

Datasets open_datasets(const DataLayout& layout, const Watch& watch, std::size_t names_left_out) {
  Datasets sets;
  sets.train = open_dataset(layout.kind, layout.train, watch, {}, names_left_out);
  if (!layout.validation) return sets;
  // A small validation part need not show every label: the names are those of the training part.
  DataPart validation = *layout.validation;
  validation.is_one_of_several = false;  // what lies beside both was counted
  sets.validation =
      open_dataset(layout.kind, validation, watch, sets.train->classes(), names_left_out);
  check_classes(*sets.train, *sets.validation, layout);
  if (sets.train->natural_shape() != sets.validation->natural_shape()) {
    throw Error(concat(layout.validation->samples.string(), ": samples of ",
                       sets.validation->natural_shape(), ", but ", sets.train->natural_shape(),
                       " in ", layout.train.samples.string()));
  }
  return sets;
}

}  // namespace millrace
