#include <millrace/io/weight_file.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/keras_layers.h>
#include <millrace/io/files.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace millrace {
namespace {

/// Throws Error for kinds of files that are known and not read.
void check_kind(const std::filesystem::path& path) {
  const RandomAccessFile file(path);
  std::array<char, 9> bytes{};
  if (file.size() < bytes.size()) return;
  file.read_at(0, std::as_writable_bytes(std::span(bytes)));
  const std::string_view start(bytes.data(), bytes.size());
  if (start.starts_with(std::string_view("PK\x03\x04", 4))) {
    throw Error(concat(path.string(),
                       ": a zip archive; of a .keras file unpack model.weights.h5, of "
                       "a .pth file save the state_dict as safetensors"));
  }
  // Nor is every \x80 a pickle: a header of safetensors may be 128 bytes long, and begins with '{'.
  if (start.starts_with('\x80') && start.back() != '{') {
    throw Error(concat(path.string(),
                       ": a Python pickle, which can run code; save its state_dict as "
                       "safetensors"));
  }
}

}  // namespace

WeightFile::WeightFile(const std::filesystem::path& path) : path_(path) {
  check_kind(path);
  is_hdf5(path) ? open_keras() : open_safetensors();
}

void WeightFile::open_safetensors() {
  const SafetensorsFile& file = file_.emplace<SafetensorsFile>(path_);
  metadata_ = file.metadata();
  for (const SafetensorsFile::Tensor& tensor : file.tensors()) {
    tensors_.push_back({tensor.name, tensor.shape});
    sources_.push_back(tensor.name);
  }
  if (tensors_.empty()) throw Error(concat(path_.string(), ": holds no weights"));
}

void WeightFile::open_keras() {
  const Hdf5File& file = file_.emplace<Hdf5File>(path_);
  for (const detail::KerasLayer& from : detail::keras_layers(file)) {
    Layer& layer = layers_.emplace_back();
    layer.name = from.name;
    for (const detail::KerasTensor& tensor : from.tensors) {
      layer.tensors.push_back(tensors_.size());
      tensors_.push_back({tensor.name, tensor.dataset->shape});
      sources_.push_back(tensor.dataset->path);
    }
  }
}

std::int64_t WeightFile::rows_at_a_time(std::int64_t rows, std::int64_t width) noexcept {
  constexpr std::int64_t kElements = 1 << 18;
  return std::clamp<std::int64_t>(kElements / std::max<std::int64_t>(width, 1), 1,
                                  std::max<std::int64_t>(rows, 1));
}

void WeightFile::read_rows(std::size_t tensor, std::int64_t first, std::int64_t count,
                           std::span<float> into) const {
  if (const auto* keras = std::get_if<Hdf5File>(&file_)) {
    return keras->read_rows(*keras->find_dataset(sources_[tensor]), first, count, into);
  }
  const auto& file = std::get<SafetensorsFile>(file_);
  const auto width = static_cast<std::int64_t>(into.size()) / std::max<std::int64_t>(count, 1);
  file.read(sources_[tensor], static_cast<std::uint64_t>(first * width), into);
}

}  // namespace millrace
