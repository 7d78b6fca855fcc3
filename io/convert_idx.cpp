#include <millrace/io/convert_idx.h>

#include <millrace/image/image.h>
#include <millrace/io/class_folder.h>
#include <millrace/io/files.h>
#include <millrace/io/find_data.h>
#include <millrace/io/idx.h>
#include <millrace/io/png.h>

#include <zlib.h>
#include <algorithm>
#include <charconv>
#include <span>
#include <system_error>

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRecord = ".millrace-idx";  // hidden: no class folder
constexpr const char* kNext = ".next";
constexpr std::uint64_t kCheckpoint = 256;  // images between two notes of how far it has come

struct Part {
  const char* name;
  DataPart files;
};

std::vector<Part> parts_of(const fs::path& data) {
  const DataLayout layout = find_data(data);
  if (layout.kind != DataKind::idx) {
    throw Error(
        concat(data.string(), ": no IDX files; expected such as train-images-idx3-ubyte.gz"));
  }
  std::vector<Part> parts = {{"train", layout.train}};
  if (layout.validation && !layout.validation_is_test) parts.push_back({"val", *layout.validation});
  if (layout.test) parts.push_back({"test", *layout.test});
  return parts;
}

std::string text_of(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return {};
  const std::vector<std::byte> bytes = read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// What `out` is made from, as a text that is kept in it. Equal texts, equal files.
std::string record_of(const std::vector<Part>& parts, const std::vector<std::string>& classes) {
  std::string text = "IDX files as PNG, written by millrace\n";
  for (const Part& part : parts) {
    for (const fs::path& path : {part.files.samples, part.files.labels}) {
      const std::vector<std::byte> bytes = read_file(path);
      const uLong sum = ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
      text += concat(part.name, ' ', path.filename().string(), ' ', bytes.size(), " bytes, CRC-32 ",
                     sum, '\n');
    }
  }
  for (const std::string& name : classes) text += concat("class ", name, '\n');
  return text;
}

std::vector<std::string> folder_names(std::vector<std::string> classes) {
  for (std::string& name : classes) {
    std::replace(name.begin(), name.end(), '/', '-');
    if (name.empty() || name.starts_with('.')) {
      throw UsageError(concat("'", name, "' cannot be the name of a class folder"));
    }
  }
  auto sorted = classes;
  std::sort(sorted.begin(), sorted.end());
  const auto twin = std::adjacent_find(sorted.begin(), sorted.end());
  if (twin != sorted.end()) throw UsageError(concat("two classes are called '", *twin, "'"));
  return classes;
}

std::string padded(std::uint64_t number, std::size_t digits) {
  const std::string text = std::to_string(number);
  return std::string(digits - std::min(digits, text.size()), '0') + text;
}

// Label names that sort like the labels, so that class folders keep them: "00".."11" for twelve.
std::vector<std::string> names_for(const IdxDataset& set, const std::vector<std::string>& given) {
  if (!given.empty()) return given;
  const std::size_t digits = std::to_string(set.classes().size() - 1).size();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < set.classes().size(); ++i) names.push_back(padded(i, digits));
  return names;
}

// Writes the parts into one folder, noting now and then how far it has come.
class Writer {
 public:
  Writer(fs::path folder, const Watch& watch) : folder_(std::move(folder)), watch_(watch) {
    const std::string text = text_of(folder_ / kNext);
    std::from_chars(text.data(), text.data() + text.size(), start_);
  }

  void write(const char* part, const IdxDataset& set, const std::vector<std::string>& names) {
    for (const std::string& name : names) create_folders(folder_ / part / name);
    note_empty(folder_ / part, set, names);
    const std::size_t digits = std::max<std::size_t>(5, std::to_string(set.size() - 1).size());
    const Shape shape = set.natural_shape();
    const auto extent = [&](int dimension) { return static_cast<int>(shape[dimension]); };
    for (std::uint32_t i = 0; i < set.size(); ++i, ++next_) {
      if (next_ < start_) continue;
      const auto& name = names.at(static_cast<std::size_t>(set.label(i)));
      write_file(folder_ / part / name / (padded(i, digits) + ".png"),
                 encode_png({set.pixels(i).data(), extent(0), extent(1), extent(2)}));
      if ((next_ + 1) % kCheckpoint == 0) checkpoint();
    }
  }

  [[nodiscard]] std::uint64_t images() const noexcept { return next_; }
  [[nodiscard]] std::uint64_t written() const noexcept { return next_ - std::min(start_, next_); }

 private:
  /// So that they are classes also where the folders are read.
  static void note_empty(const fs::path& folder, const IdxDataset& set,
                         const std::vector<std::string>& names) {
    const std::vector<std::uint64_t> counts = count_classes(set);
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (i >= counts.size() || counts[i] == 0) text += names[i] + '\n';
    }
    if (text.empty()) return;
    write_file(folder / ClassFolder::kEmptyClasses, std::as_bytes(std::span(text)));
  }
  void checkpoint() {
    // Renamed, so that it is never half a number; not flushed, because a lost note costs little.
    const fs::path fresh = folder_ / ".next.tmp";
    const std::string count = std::to_string(next_ + 1);
    write_file(fresh, std::as_bytes(std::span(count)));
    fs::rename(fresh, folder_ / kNext);
    watch_.at(next_ + 1);
  }

  fs::path folder_;
  const Watch& watch_;
  std::uint64_t start_ = 0;
  std::uint64_t next_ = 0;
};

// An empty or fresh folder that bears the record, or one that an equal conversion left unfinished.
void prepare(const fs::path& partial, const std::string& record) {
  std::error_code error;
  if (text_of(partial / kRecord) != record) {
    const bool is_ours = fs::exists(partial / kRecord, error);
    if (!is_ours && fs::exists(partial, error) && !fs::is_empty(partial, error)) {
      throw Error(concat(partial.string(), ": is in the way; remove it"));
    }
    fs::remove_all(partial, error);
    create_folders(partial);
    AtomicFile file(partial / kRecord);
    file.write(record);
    file.commit();
  }
}

// Everything is on the disk before the name says that it is complete.
void publish(const fs::path& partial, const fs::path& out) {
  std::error_code error;
  fs::remove(partial / kNext, error);
  flush_file_system(partial);
  fs::rename(partial, out, error);
  if (error) throw Error(concat(out.string(), ": cannot be made: ", error.message()));
}

std::uint64_t count_images(const fs::path& folder) {
  std::uint64_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    count += entry.path().extension() == ".png" ? 1U : 0U;
  }
  return count;
}

}  // namespace

Conversion convert_idx(const fs::path& data, const fs::path& target,
                       const ConvertOptions& options) {
  const fs::path out = target.has_filename() ? target : target.parent_path();  // "out/" is "out"
  const std::vector<Part> parts = parts_of(data);
  const std::vector<std::string> given = folder_names(options.classes);
  const std::string record = record_of(parts, given);
  if (text_of(out / kRecord) == record) return {count_images(out), 0, true};
  std::error_code error;
  if (fs::exists(out, error) && !(fs::is_directory(out, error) && fs::is_empty(out, error))) {
    throw Error(
        concat(out.string(), ": holds something else already; remove it or name another folder"));
  }

  const fs::path partial = fs::path(out).concat(".partial");
  prepare(partial, record);
  Writer writer(partial, options.watch);
  std::vector<std::string> names = given;
  for (const Part& part : parts) {
    const IdxDataset set(part.files.samples, part.files.labels, names);
    if (names.empty()) names = names_for(set, given);
    writer.write(part.name, set, names);
  }
  options.watch.at(writer.images());
  publish(partial, out);
  return {writer.images(), writer.written(), false};
}

}  // namespace millrace
