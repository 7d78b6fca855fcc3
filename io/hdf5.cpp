#include <millrace/io/hdf5.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/hdf5_library.h>
#include <millrace/io/detail/hdf5_messages.h>
#include <millrace/io/detail/helper_process.h>
#include <millrace/io/files.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

namespace millrace {
namespace {

using detail::Hdf5Library;
using detail::HelperProcess;
using detail::MessageReader;
using detail::MessageWriter;

constexpr std::size_t kMostListing = 256 << 20;
constexpr std::array<unsigned char, 8> kSignature = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};

/// Answers in the other process. An empty request asks for the list.
class Answers {
 public:
  explicit Answers(std::filesystem::path path) : path_(std::move(path)) {}

  std::vector<std::byte> operator()(std::span<const std::byte> request) {
    if (!library_) library_ = std::make_shared<Hdf5Library>(path_);
    if (request.empty()) return detail::packed(library_->list());
    MessageReader reader(request);
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

Hdf5File::Hdf5File(std::filesystem::path path, std::chrono::milliseconds patience,
                   const std::filesystem::path& name)
    : path_(name.empty() ? path : name) {
  if (!is_hdf5(path)) throw Error(concat(path_.string(), ": not an HDF5 file"));
  try {
    reader_ = std::make_unique<HelperProcess>(Answers(std::move(path)), patience);
    Hdf5Contents contents = detail::unpacked(reader_->ask({}, kMostListing));
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
  MessageWriter request;
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
