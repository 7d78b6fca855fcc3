#include <millrace/io/convert_tar.h>

#include <millrace/core/lower_case.h>
#include <millrace/core/plural.h>
#include <millrace/core/random.h>
#include <millrace/core/shown_text.h>
#include <millrace/io/decode.h>
#include <millrace/io/detail/format.h>
#include <millrace/io/detail/tar_labels.h>
#include <millrace/io/detail/tar_writer.h>
#include <millrace/io/files.h>
#include <millrace/io/find_data.h>
#include <millrace/io/image_walk.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRecord = ".millrace-tar";  // in a folder of ours that is not complete

std::string padded(std::uint64_t number, std::size_t digits) {
  const std::string text = std::to_string(number);
  return std::string(digits - std::min(digits, text.size()), '0') + text;
}

/// "jpg": as its name ends or, where that tells nothing, by its content.
std::string ending_of(const std::string& name, std::span<const std::byte> file) {
  if (is_image_name(fs::path(name).filename().native())) {
    return lower_case(fs::path(name).extension().native().substr(1));
  }
  const std::string ending = lower_case(detail::to_string(detail::sniff(file)));
  return ending == "jpeg" ? "jpg" : ending == "tiff" ? "tif" : ending;
}

/// Writes the shards of one part after the other.
class Packer {
 public:
  Packer(fs::path folder, const ConvertTarOptions& options)
      : folder_(std::move(folder)), options_(options) {}

  void pack(const Dataset& data, const std::string& part) {
    std::vector<std::uint32_t> order(data.size());
    std::iota(order.begin(), order.end(), 0U);
    if (options_.shuffle) shuffle(order, Random(options_.seed, 0, 0, Purpose::shuffle));
    std::vector<std::byte> file;
    std::uint64_t packed = 0;
    for (std::uint32_t i = 0; i < data.size(); ++i) {
      const std::string name = data.name(order[i]);
      read_file_into(name, file, 4_GiB);
      if (!is_readable(file, name)) continue;
      const std::string label = std::to_string(data.label(order[i]));
      make_room(part, detail::TarWriter::bytes_of(file.size()) +
                          detail::TarWriter::bytes_of(label.size()));
      const std::string key = padded(packed++, 9) + '.';
      shard_->add(key + ending_of(name, file), file);
      shard_->add(key + "cls", std::as_bytes(std::span(label)));
      ++in_shard_;
      if (++done_.images % 256 == 0) options_.watch.at(done_.images);
    }
    end_shard();
    shards_of_part_ = 0;
  }

  /// What was packed, with notes about the data besides.
  [[nodiscard]] TarConversion done(std::vector<std::string> notes) const {
    if (done_.images == 0) throw Error(concat(first_left_out_, "; no file is left to pack"));
    TarConversion done = done_;
    done.notes = std::move(notes);
    if (done.left_out > 0) {
      done.notes.push_back(
          concat("left out ", done.left_out, ' ', plural(done.left_out, "file"),
                 " that cannot be read as an image, the first: ", first_left_out_));
    }
    return done;
  }

 private:
  /// By its header: that the rest can be decoded is seen only by decoding it.
  bool is_readable(std::span<const std::byte> file, const std::string& name) {
    try {
      (void)image_info(file, shown(name));
      return true;
    } catch (const Error& error) {
      if (!options_.skips_unreadable) {
        throw Error(concat(error.what(), " (or leave such files out: --on-bad-image skip)"));
      }
      if (done_.left_out++ == 0) first_left_out_ = error.what();
      return false;
    }
  }

  /// Begins a shard where there is none, or the next sample is too much for this one.
  void make_room(const std::string& part, std::uint64_t bytes) {
    const bool is_full = options_.size.samples ? in_shard_ >= *options_.size.samples
                                               : detail::TarWriter::archive_bytes(bytes_ + bytes) >
                                                     options_.size.bytes.count;
    if (in_shard_ > 0 && is_full) end_shard();
    if (shard_ == nullptr) {
      const std::string name = concat(part, '-', padded(shards_of_part_, 6), ".tar");
      shard_ = std::make_unique<detail::TarWriter>(folder_ / name);
      ++shards_of_part_;
    }
    bytes_ += bytes;
  }

  void end_shard() {
    if (shard_ == nullptr) return;
    shard_->finish();
    shard_.reset();
    in_shard_ = bytes_ = 0;
    ++done_.shards;
  }

  fs::path folder_;
  const ConvertTarOptions& options_;
  std::unique_ptr<detail::TarWriter> shard_;
  std::uint64_t in_shard_ = 0, bytes_ = 0;  // in the shard
  std::uint64_t shards_of_part_ = 0;
  TarConversion done_;
  std::string first_left_out_;
};

/// A folder that is gone unless it is given its name.
class PartialFolder {
 public:
  explicit PartialFolder(const fs::path& out) : out_(out), path_(fs::path(out).concat(".partial")) {
    std::error_code error;
    const bool is_ours = fs::exists(path_ / kRecord, error);
    if (!is_ours && fs::exists(path_, error) && !fs::is_empty(path_, error)) {
      throw Error(concat(path_.string(), ": is in the way; remove it"));
    }
    fs::remove_all(path_, error);
    create_folders(path_);
    write_file(path_ / kRecord, {});
  }
  ~PartialFolder() {
    std::error_code ignored;
    if (!is_published_) fs::remove_all(path_, ignored);
  }
  PartialFolder(const PartialFolder&) = delete;
  PartialFolder& operator=(const PartialFolder&) = delete;

  [[nodiscard]] const fs::path& path() const noexcept { return path_; }
  /// All is on the disk before the name says that it is complete.
  void publish() {
    std::error_code error;
    fs::remove(path_ / kRecord, error);
    flush_file_system(path_);
    fs::rename(path_, out_, error);
    if (error) throw Error(concat(out_.string(), ": cannot be made: ", error.message()));
    is_published_ = true;
  }

 private:
  fs::path out_, path_;
  bool is_published_ = false;
};

struct Part {
  const char* name;
  std::shared_ptr<const Dataset> dataset;
};

std::vector<Part> open_parts(const fs::path& data, const Watch& watch,
                             std::vector<std::string>& notes) {
  const DataLayout layout = find_data(data);
  if (layout.kind != DataKind::class_folders) {
    throw Error(concat(data.string(), ": is no folder of class folders; expected such as ",
                       (data / "cats/1.jpg").string(),
                       " (an IDX data set becomes one by 'millrace convert idx')"));
  }
  std::vector<Part> parts = {
      {layout.validation ? "train" : "shard", open_dataset(layout.kind, layout.train, watch)}};
  const auto add = [&](const char* name, const DataPart& part) {
    parts.push_back({name, open_beside(layout, part, *parts.front().dataset, watch)});
  };
  if (layout.validation && !layout.validation_is_test) add("val", *layout.validation);
  if (layout.test) add("test", *layout.test);
  notes = layout.notes;
  for (const Part& part : parts) {
    const std::vector<std::string> more = part.dataset->notes();
    notes.insert(notes.end(), more.begin(), more.end());
  }
  return parts;
}

void write_names(const std::vector<std::string>& classes, const fs::path& file) {
  std::string text;
  for (const std::string& name : classes) {
    const bool is_line = name.find_first_of("\r\n") == std::string::npos &&
                         name.find_first_not_of(" \t\v\f") == 0 &&
                         name.find_last_not_of(" \t\v\f") == name.size() - 1;
    if (!is_line) {
      throw Error(concat("the class '", name, "' cannot be a line of classnames.txt, since it has ",
                         "a line end in it or a space at one of its ends; rename its folder"));
    }
    text += name + '\n';
  }
  write_file(file, std::as_bytes(std::span(text)));
}

}  // namespace

TarConversion convert_tar(const fs::path& data, const fs::path& target,
                          const ConvertTarOptions& options) {
  const fs::path out = target.has_filename() ? target : target.parent_path();  // "out/" is "out"
  std::error_code error;
  if (fs::exists(out, error) && !(fs::is_directory(out, error) && fs::is_empty(out, error))) {
    throw Error(
        concat(out.string(), ": holds something already; remove it or name another folder"));
  }
  std::vector<std::string> notes;
  const std::vector<Part> parts = open_parts(data, {{}, options.watch.stop}, notes);
  PartialFolder partial(out);
  write_names(parts.front().dataset->classes(), partial.path() / detail::kClassNamesFile);
  Packer packer(partial.path(), options);
  for (const Part& part : parts) packer.pack(*part.dataset, part.name);
  TarConversion done = packer.done(std::move(notes));
  options.watch.at(done.images);
  partial.publish();
  return done;
}

}  // namespace millrace
