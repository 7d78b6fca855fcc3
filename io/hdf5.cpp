#include <millrace/io/hdf5.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/hdf5_library.h>
#include <millrace/io/detail/helper_process.h>
#include <millrace/io/files.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

namespace millrace {
namespace {

using detail::Hdf5Contents;
using detail::Hdf5Library;
using detail::HelperProcess;

constexpr std::size_t kMostListing = 256 << 20;
constexpr std::array<unsigned char, 8> kSignature = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};

/// Numbers and texts one after the other, between the two processes.
class Writer {
 public:
  void number(std::uint64_t value) { append(std::as_bytes(std::span(&value, 1))); }
  void text(const std::string& value) {
    number(value.size());
    append(std::as_bytes(std::span(value)));
  }
  std::vector<std::byte> take() && { return std::move(bytes_); }

 private:
  void append(std::span<const std::byte> part) {
    bytes_.insert(bytes_.end(), part.begin(), part.end());
  }
  std::vector<std::byte> bytes_;
};

/// The other process read an untrusted file, so what it says is not trusted either.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::uint64_t number() {
    std::uint64_t value = 0;
    std::ranges::copy(take(sizeof(value)), std::as_writable_bytes(std::span(&value, 1)).begin());
    return value;
  }
  std::string text() {
    const auto part = take(number());
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }

 private:
  std::span<const std::byte> take(std::uint64_t count) {
    if (count > bytes_.size()) throw Error("damaged: its list of contents makes no sense");
    const auto part = bytes_.first(static_cast<std::size_t>(count));
    bytes_ = bytes_.subspan(part.size());
    return part;
  }
  std::span<const std::byte> bytes_;
};

std::vector<std::byte> packed(const Hdf5Contents& contents) {
  Writer writer;
  writer.number(contents.groups.size());
  for (const Hdf5File::Group& group : contents.groups) {
    writer.text(group.path);
    writer.number(group.attributes.size());
    for (const auto& [name, values] : group.attributes) {
      writer.text(name);
      writer.number(values.size());
      for (const std::string& value : values) writer.text(value);
    }
  }
  writer.number(contents.datasets.size());
  for (const Hdf5File::Dataset& dataset : contents.datasets) {
    writer.text(dataset.path);
    writer.text(dataset.type);
    writer.number(static_cast<std::uint64_t>(dataset.shape.rank()));
    for (const std::int64_t extent : dataset.shape.extents()) {
      writer.number(static_cast<std::uint64_t>(extent));
    }
  }
  return std::move(writer).take();
}

Shape read_shape(Reader& reader) {
  Shape shape, reversed;
  std::uint64_t elements = 1;
  for (std::uint64_t rank = reader.number(); rank > 0; --rank) {
    const std::uint64_t extent = reader.number();
    if (reversed.rank() == Shape::kMaxRank || extent == 0 || extent > (1U << 31) ||
        (elements *= extent) > (1U << 31)) {
      throw Error("damaged: a shape makes no sense");
    }
    reversed = reversed.with_front(static_cast<std::int64_t>(extent));
  }
  for (const std::int64_t extent : reversed.extents()) shape = shape.with_front(extent);
  return shape;
}

Hdf5Contents unpacked(std::span<const std::byte> bytes) {
  Reader reader(bytes);
  Hdf5Contents contents;
  for (std::uint64_t groups = reader.number(); groups > 0; --groups) {
    Hdf5File::Group& group = contents.groups.emplace_back();
    group.path = reader.text();
    for (std::uint64_t attributes = reader.number(); attributes > 0; --attributes) {
      Hdf5File::Strings& values = group.attributes[reader.text()];
      for (std::uint64_t texts = reader.number(); texts > 0; --texts) {
        values.push_back(reader.text());
      }
    }
  }
  for (std::uint64_t datasets = reader.number(); datasets > 0; --datasets) {
    Hdf5File::Dataset& dataset = contents.datasets.emplace_back();
    dataset.path = reader.text();
    dataset.type = reader.text();
    dataset.shape = read_shape(reader);
  }
  return contents;
}

/// Answers in the other process. An empty request asks for the list.
class Answers {
 public:
  explicit Answers(std::filesystem::path path) : path_(std::move(path)) {}

  std::vector<std::byte> operator()(std::span<const std::byte> request) {
    if (!library_) library_ = std::make_shared<Hdf5Library>(path_);
    if (request.empty()) return packed(library_->list());
    Reader reader(request);
    const std::string dataset = reader.text();
    const auto first = static_cast<std::int64_t>(reader.number());
    const auto count = static_cast<std::int64_t>(reader.number());
    std::vector<std::byte> numbers(static_cast<std::size_t>(reader.number()) * sizeof(float));
    library_->read_rows(dataset, first, count,
                        {reinterpret_cast<float*>(numbers.data()), numbers.size() / sizeof(float)});
    return numbers;
  }

 private:
  std::filesystem::path path_;
  std::shared_ptr<Hdf5Library> library_;
};

template <class Range>
auto find_by_path(const Range& range, std::string_view path) {
  const auto found =
      std::find_if(range.begin(), range.end(), [&](const auto& one) { return one.path == path; });
  return found == range.end() ? nullptr : &*found;
}

}  // namespace

Hdf5File::Hdf5File(std::filesystem::path path, std::chrono::milliseconds patience)
    : path_(std::move(path)) {
  if (!is_hdf5(path_)) throw Error(concat(path_.string(), ": not an HDF5 file"));
  try {
    reader_ = std::make_unique<HelperProcess>(Answers(path_), patience);
    Hdf5Contents contents = unpacked(reader_->ask({}, kMostListing));
    groups_ = std::move(contents.groups);
    datasets_ = std::move(contents.datasets);
  } catch (const Error& error) {
    throw Error(concat(path_.string(), ": ", error.what()));
  }
}

Hdf5File::~Hdf5File() = default;
Hdf5File::Hdf5File(Hdf5File&&) noexcept = default;
Hdf5File& Hdf5File::operator=(Hdf5File&&) noexcept = default;

const Hdf5File::Group* Hdf5File::find_group(std::string_view path) const noexcept {
  return find_by_path(groups_, path);
}

const Hdf5File::Dataset* Hdf5File::find_dataset(std::string_view path) const noexcept {
  return find_by_path(datasets_, path);
}

void Hdf5File::read_rows(const Dataset& dataset, std::int64_t first, std::int64_t count,
                         std::span<float> into) const {
  const Shape& shape = dataset.shape;
  const std::int64_t rows = shape.rank() == 0 ? 1 : shape[0];
  MILLRACE_CHECK(first >= 0 && count > 0 && first <= rows - count, dataset.path, " of ", shape,
                 " has no ", count, " rows from ", first);
  MILLRACE_CHECK(static_cast<std::int64_t>(into.size()) == shape.elements() / rows * count,
                 dataset.path, ": room for ", into.size(), " elements");
  if (!dataset.type.starts_with('F')) {
    throw Error(concat(path_.string(), ": data set '", dataset.path, "': has type ", dataset.type,
                       "; numbers with a fraction are read as weights"));
  }
  Writer request;
  request.text(dataset.path);
  request.number(static_cast<std::uint64_t>(first));
  request.number(static_cast<std::uint64_t>(count));
  request.number(into.size());
  try {
    reader_->ask(std::move(request).take(), std::as_writable_bytes(into));
  } catch (const Error& error) {
    throw Error(concat(path_.string(), ": ", error.what()));
  }
}

bool is_hdf5(const std::filesystem::path& path) {
  const RandomAccessFile file(path);
  std::array<unsigned char, kSignature.size()> bytes{};
  if (file.size() < bytes.size()) return false;
  file.read_at(0, std::as_writable_bytes(std::span(bytes)));
  return bytes == kSignature;
}

}  // namespace millrace
