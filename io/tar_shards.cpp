#include <millrace/io/tar_shards.h>

#include <millrace/core/shown_text.h>
#include <millrace/image/image.h>
#include <millrace/io/data_layout.h>
#include <millrace/io/decode.h>
#include <millrace/io/detail/tar_classes.h>
#include <millrace/io/detail/tar_reader.h>
#include <millrace/io/detail/tar_samples.h>
#include <millrace/io/detail/tar_unpack.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace millrace {
namespace {

namespace fs = std::filesystem;

/// Further shards are opened for each sample, since a process may have 1,024 files open.
constexpr std::size_t kMostOpen = 128;

/// Beside the shards or, where these are those of a part, beside its folder.
fs::path names_file(const fs::path& shard) {
  const fs::path folder = fs::absolute(shard).lexically_normal().parent_path();
  std::error_code ignored;
  const bool is_part = part_named(folder.filename().string()).has_value();
  const bool is_beside = !is_part || fs::exists(folder / detail::kClassNamesFile, ignored);
  return (is_beside ? folder : folder.parent_path()) / detail::kClassNamesFile;
}

}  // namespace

// Fills a TarShards, shard by shard.
class TarShards::Builder {
 public:
  Builder(TarShards& into, const Watch& watch, const Options& options)
      : into_(into), watch_(watch), options_(options) {}

  void add(const fs::path& path, bool is_last) {
    Shard shard{path, {}, 0};
    Range range;
    std::shared_ptr<const RandomAccessFile> file;
    std::vector<detail::TarMember> members;
    try {
      file = open(shard, range);
      read(*file, range, path.string(), members);
    } catch (const Stopped&) {
      throw;
    } catch (const detail::NoRoom&) {
      throw;
    } catch (const Error& error) {
      if (range.damage.empty()) range.damage = error.what();  // else it follows from that
    }
    if (file != nullptr) add_samples(std::move(shard), file, std::move(members));
    if (!range.damage.empty()) tell_damage(path.string(), range.damage, is_last);
  }

  /// What is to be said where there are no samples at all.
  [[nodiscard]] std::string refusal(bool is_alone) const {
    if (is_alone && !damage_.empty()) return damage_;
    const std::string what = into_.left_out_.summary();
    return concat(into_.place(), ": no samples; expected images such as 000123.jpg",
                  options_.needs_labels ? " with 000123.cls" : "", what.empty() ? "" : "; ", what);
  }

  void finish() {
    if (options_.needs_labels) {
      detail::TarClasses::Result result = classes_.result(has_labels_, into_.place_, names_);
      into_.classes_ = std::move(result.classes);
      into_.notes_ = std::move(result.notes);
      into_.set_labels(result.labels);
    }
    into_.names_.shrink_to_fit();
    into_.samples_.shrink_to_fit();
    if (unpacked_ == nullptr || unpacked_->size() == 0) return;
    into_.notes_.push_back(concat(shown(into_.place()), ": unpacked ", Bytes{unpacked_->size()},
                                  " into a temporary file in ", shown(unpacked_->path().native()),
                                  unpacked_->is_in_memory()
                                      ? ", which lies in memory (name a folder on a disk in TMPDIR)"
                                      : "",
                                  ", since compressed shards cannot be read in any order"));
  }

 private:
  struct Range {
    std::uint64_t begin = 0, end = 0;
    std::string damage{};  // why there is no more
  };

  /// The file that holds the archive as it is unpacked, and where in it.
  std::shared_ptr<const RandomAccessFile> open(Shard& shard, Range& range) {
    auto file = std::make_shared<const RandomAccessFile>(shard.path);
    const std::string name = shard.path.string();
    if (file->size() == 0) throw Error(concat(name, ": is empty; get it again"));
    const char* program = nullptr;
    const detail::Compression compression = detail::compression_of(*file, program);
    if (compression == detail::Compression::other) {
      throw Error(concat(name, ": is compressed in a way that is not read; unpack it with ",
                         program, ", or pack it with gzip"));
    }
    shard.size = file->size();
    range = {0, file->size()};
    if (compression == detail::Compression::none) return file;
    if (unpacked_ == nullptr) unpacked_ = detail::make_temporary(name);
    range.begin = unpacked_->size();
    const detail::Unpacked unpacked = detail::unpack_gzip(*file, *unpacked_, {{}, watch_.stop});
    range.end = unpacked.sound_end;
    range.damage = unpacked.damage;
    return unpacked_;
  }

  void read(const RandomAccessFile& file, const Range& range, const std::string& name,
            std::vector<detail::TarMember>& members) {
    detail::TarReader reader(file, range.begin, range.end, name);
    for (detail::TarMember member; reader.next(member);) {
      members.push_back(std::move(member));
      if (members.size() % 4096 == 0) watch_.at(into_.size());
    }
  }

  void add_samples(Shard shard, const std::shared_ptr<const RandomAccessFile>& file,
                   std::vector<detail::TarMember> members) {
    detail::TarSamples found = detail::samples_of(std::move(members), *file, options_.needs_labels,
                                                  shard.path.string(), into_.left_out_);
    has_labels_ = has_labels_ || found.has_labels;
    if (found.samples.empty()) return;
    const fs::path folder = shard.path.parent_path();
    if (into_.shards_.empty() || folder != into_.shards_.back().path.parent_path()) {
      names_.push_back({into_.samples_.size(), names_file(shard.path)});
    }
    if (into_.shards_.size() < kMostOpen || file == unpacked_) shard.file = file;
    into_.shards_.push_back(std::move(shard));
    into_.firsts_.push_back(into_.size());
    for (const detail::TarSample& sample : found.samples) append(sample);
    watch_.at(into_.size());
  }

  /// Throws, or leaves out what is missing. Doing without it helps where something else is left.
  void tell_damage(const std::string& name, std::string what, bool is_last) {
    if (!options_.skips_damage) {
      const bool may_go_on = what.ends_with("get it again") && (has_class_ || !is_last);
      throw Error(what + (may_go_on ? ", or leave out what is missing: --on-bad-image skip" : ""));
    }
    damage_ = what;
    if (what.starts_with(name + ": ")) what.erase(0, name.size() + 2);
    into_.left_out_.add(LeftOutReason::unreadable, name, what);
  }

  void append(const detail::TarSample& sample) {
    constexpr std::size_t kLimit = std::numeric_limits<std::uint32_t>::max();
    if (into_.names_.size() + sample.name.size() > kLimit || into_.samples_.size() == kLimit) {
      throw Error(concat(into_.place(), ": more than 4 GiB of names; split the data"));
    }
    into_.names_ += sample.name;
    into_.samples_.push_back(
        {sample.offset, sample.length, static_cast<std::uint32_t>(into_.names_.size()), 0});
    has_class_ = has_class_ || !options_.needs_labels || sample.label ||
                 sample.name.find('/') != std::string::npos;
    if (options_.needs_labels) classes_.add(sample);
  }

  TarShards& into_;
  const Watch& watch_;
  const Options& options_;
  detail::TarClasses classes_;
  std::vector<detail::NamesFile> names_;
  bool has_labels_ = false;
  bool has_class_ = false;  // some sample may have one, by its label or its folder
  std::string damage_;      // the last one
  std::shared_ptr<TemporaryFile> unpacked_;
};

TarShards::TarShards(fs::path place, std::vector<fs::path> shards, const Watch& watch,
                     const Options& options)
    : place_(std::move(place)), left_out_(options.names_left_out) {
  MILLRACE_CHECK(!shards.empty(), "at least one shard");
  Builder builder(*this, watch, options);
  left_out_.add(options.beside);
  for (const fs::path& shard : shards) builder.add(shard, &shard == &shards.back());
  builder.finish();
  if (samples_.empty()) throw Error(builder.refusal(shards.size() == 1));
}

TarShards::~TarShards() = default;

// Samples without a label go; the others close up.
void TarShards::set_labels(const std::vector<std::int32_t>& labels) {
  const std::vector<Sample> samples = std::exchange(samples_, {});
  const std::string names = std::exchange(names_, {});
  const std::vector<std::uint32_t> firsts = std::exchange(firsts_, {});
  const std::vector<Shard> shards = std::exchange(shards_, {});
  std::uint32_t begin = 0;
  std::size_t shard = 0, last_shard = shards.size();
  for (std::uint32_t i = 0; i < samples.size(); ++i) {
    while (shard + 1 < firsts.size() && firsts[shard + 1] <= i) ++shard;
    const std::string_view name(names.data() + begin, samples[i].name_end - begin);
    begin = samples[i].name_end;
    if (labels[i] < 0) {
      left_out_.add(LeftOutReason::no_label, concat(shards[shard].path.string(), ':', name));
      continue;
    }
    if (shard != last_shard) {
      firsts_.push_back(size());
      shards_.push_back(shards[shard]);
      last_shard = shard;
    }
    names_ += name;
    samples_.push_back({samples[i].offset, samples[i].length,
                        static_cast<std::uint32_t>(names_.size()), labels[i]});
  }
}

std::uint32_t TarShards::size() const noexcept {
  return static_cast<std::uint32_t>(samples_.size());
}

int TarShards::label(std::uint32_t index) const {
  return samples_.at(index).label;
}

const TarShards::Shard& TarShards::shard_of(std::uint32_t index) const {
  MILLRACE_CHECK(index < size(), "sample ", index, " of ", size());
  const auto next = std::upper_bound(firsts_.begin(), firsts_.end(), index);
  return shards_[static_cast<std::size_t>(next - firsts_.begin() - 1)];
}

std::string TarShards::name(std::uint32_t index) const {
  const std::uint32_t begin = index == 0 ? 0 : samples_.at(index - 1).name_end;
  return concat(shard_of(index).path.string(), ':',
                std::string_view(names_).substr(begin, samples_[index].name_end - begin));
}

Bytes TarShards::index_bytes() const noexcept {
  std::size_t bytes = sizeof(*this) + names_.capacity() + samples_.capacity() * sizeof(Sample) +
                      shards_.capacity() * sizeof(Shard) +
                      firsts_.capacity() * sizeof(std::uint32_t);
  for (const Shard& shard : shards_) bytes += shard.path.native().capacity();
  for (const std::string& name : classes_) bytes += sizeof(name) + name.capacity();
  return {bytes};
}

template <class Use>
auto TarShards::with_part(std::uint32_t index, Use use) const {
  const std::string called = name(index);
  const Shard& shard = shard_of(index);
  const Sample& sample = samples_[index];
  const auto file =
      shard.file != nullptr ? shard.file : std::make_shared<const RandomAccessFile>(shard.path);
  if (shard.file == nullptr && file->size() != shard.size) {
    throw Error(concat(called, ": the shard has changed since it was opened; start again"));
  }
  return use(FilePart{*file, sample.offset, sample.length, called});
}

void TarShards::load(std::uint32_t index, TensorView target, Filter filter,
                     Decoder& decoder) const {
  with_part(index,
            [&](const FilePart& file) { decoder.decode_file(file, image_of(target), filter); });
}

ImageInfo TarShards::info(std::uint32_t index, Decoder& decoder) const {
  return with_part(index, [&](const FilePart& file) { return decoder.info(file); });
}

std::optional<FileStart> TarShards::read_start(std::uint32_t index,
                                               std::span<std::byte> into) const {
  try {
    return with_part(index, [&](const FilePart& file) {
      const auto start = into.first(std::min<std::uint64_t>(into.size(), file.length));
      file.in.read_at(file.offset, start);
      return FileStart{start.size(), file.length};
    });
  } catch (const Error&) {
    return FileStart{0, samples_[index].length};
  }
}

std::vector<std::string> TarShards::notes() const {
  std::vector<std::string> all = notes_;
  const std::vector<std::string> missing = class_notes();
  all.insert(all.end(), missing.begin(), missing.end());
  if (left_out_.total() > 0)
    all.push_back(concat(shown(place_.native()), ": ", left_out_.summary()));
  return all;
}

}  // namespace millrace
