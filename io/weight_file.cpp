#include <millrace/io/weight_file.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/keras_archive.h>
#include <millrace/io/detail/keras_layers.h>
#include <millrace/io/detail/weight_kind.h>
#include <millrace/io/tensor_names.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

namespace millrace {

WeightFile::WeightFile(const std::filesystem::path& path) : path_(path) {
  using Form = detail::WeightForm;
  const RandomAccessFile file(path);
  const Form form = detail::form_of(file);
  if (form == Form::hdf5) {
    open_keras(Hdf5File(path));
  } else if (form == Form::safetensors) {
    open_safetensors();
  } else if (form == Form::pickle || !open_keras_archive(file)) {
    open_torch();
  }
}

void WeightFile::open_safetensors() {
  const SafetensorsFile& file = file_.emplace<SafetensorsFile>(path_);
  metadata_ = file.metadata();
  for (const SafetensorsFile::Tensor& tensor : file.tensors()) {
    tensors_.push_back({tensor.name, tensor.shape});
    sources_.push_back(tensor.name);
  }
  note_wrapper();
}

void WeightFile::open_torch() {
  for (const TorchFile::Tensor& tensor : file_.emplace<TorchFile>(path_).tensors()) {
    tensors_.push_back({tensor.name, tensor.shape});
  }
  note_wrapper();
}

void WeightFile::note_wrapper() {
  std::vector<std::string> names;  // of weights
  for (const Tensor& tensor : tensors_) {
    if (!is_count_of_steps(tensor.name)) names.push_back(tensor.name);
  }
  if (names.empty()) throw Error(concat(path_.string(), ": holds no weights"));
  wrapper_ = common_wrapper(names);
}

bool WeightFile::open_keras_archive(const RandomAccessFile& file) {
  detail::KerasArchive archive;
  try {
    archive = detail::open_keras_archive(file);
  } catch (const Error& error) {
    throw Error(concat(path_.string(), ": ", error.what()));
  }
  if (archive.weights == nullptr) return false;
  open_keras(Hdf5File(archive.weights->path(), std::chrono::minutes(1), path_));
  is_channels_first_ = archive.is_channels_first;
  return true;
}

void WeightFile::open_keras(Hdf5File opened) {
  const Hdf5File& file = file_.emplace<Hdf5File>(std::move(opened));
  const detail::KerasLayers found = detail::keras_layers(file);
  is_in_order_ = found.is_in_order;
  is_channels_first_ = found.is_channels_first;
  for (const detail::KerasLayer& from : found.layers) {
    Layer& layer = layers_.emplace_back();
    layer.name = from.name;
    layer.kind = from.kind;
    for (const detail::KerasTensor& tensor : from.tensors) {
      layer.tensors.push_back(tensors_.size());
      tensors_.push_back({tensor.name, tensor.dataset->shape});
      sources_.push_back(tensor.dataset->path);
    }
  }
}

bool is_count_of_steps(std::string_view tensor) noexcept {
  return tensor.ends_with("num_batches_tracked") || tensor == "n_averaged";
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
  const auto width = static_cast<std::int64_t>(into.size()) / std::max<std::int64_t>(count, 1);
  const auto begin = static_cast<std::uint64_t>(first * width);
  if (const auto* torch = std::get_if<TorchFile>(&file_)) return torch->read(tensor, begin, into);
  std::get<SafetensorsFile>(file_).read(sources_[tensor], begin, into);
}

}  // namespace millrace
