// Batches for other libraries, without a copy: LibTorch, CuPy, JAX and TensorFlow take tensors by
// DLPack. What you learn: to_dlpack() turns a batch into such a tensor, which keeps its slot of the
// pool; when the tensor is deleted, the slot returns, and the pipeline continues to read. With
// LibTorch the loop would be
//
//   torch::Tensor images = torch::fromDLPack(to_dlpack(batch, batch->rows()));  // uint8 [N,H,W,C]
//   torch::Tensor labels = torch::fromDLPack(to_dlpack(batch, labels_of(*batch)));
//
// Here a consumer of a few lines replaces it.

#include "to_dlpack.h"

#include <millrace/io/files.h>
#include <millrace/io/png.h>
#include <millrace/nodes/image_folder.h>

#include <deque>
#include <filesystem>
#include <iostream>
#include <memory>
#include <numeric>

using namespace millrace;

/// Owns a tensor of another library, as the tensor class of a library does.
using Tensor = std::unique_ptr<DLManagedTensor, void (*)(DLManagedTensor*)>;
Tensor from_dlpack(DLManagedTensor* lent) {
  return {lent, [](DLManagedTensor* tensor) { tensor->deleter(tensor); }};
}

/// The sum of a tensor of bytes or of int32, from nothing but its DLPack fields.
std::int64_t sum(const DLTensor& tensor) {
  const std::int64_t count = std::accumulate(tensor.shape, tensor.shape + tensor.ndim,
                                             std::int64_t{1}, std::multiplies<>());
  const auto add = [&](const auto* values) {
    return std::accumulate(values, values + count, std::int64_t{0});
  };
  if (tensor.dtype.code == kDLUInt && tensor.dtype.bits == 8)
    return add(static_cast<const std::uint8_t*>(tensor.data));
  if (tensor.dtype.code == kDLInt && tensor.dtype.bits == 32)
    return add(static_cast<const std::int32_t*>(tensor.data));
  throw Error("a tensor of another type than expected");
}

/// 40 images of 6x6: those of class "dark" are 10, those of "light" 200.
std::filesystem::path draw_images() {
  const std::filesystem::path root = "images";
  for (const auto& [name, value] : {std::pair("dark", 10), std::pair("light", 200)}) {
    create_folders(root / name);
    const std::vector<std::uint8_t> pixels(36 * 3, static_cast<std::uint8_t>(value));
    const std::vector<std::byte> file = encode_png({pixels.data(), 6, 6, 3});
    for (int i = 0; i < 20; ++i) write_file(root / name / (std::to_string(i) + ".png"), file);
  }
  return root;
}

ConstTensorView labels_of(const HostBatch& batch) {
  return {std::span(batch.labels).first(static_cast<std::size_t>(batch.size)), Shape{batch.size}};
}

int main() {
  std::int64_t pixels = 0, light = 0;
  bool is_copied = false;
  std::deque<Tensor> kept;  // a library may hold on to tensors for a while
  // A slot for each tensor that is kept, one for the loop, and one to decode into meanwhile.
  const ImageFolderOptions options{.size = 6, .batch = 7, .slots = 4};
  for (const Lease<HostBatch>& batch : image_folder(draw_images(), options)) {
    const Tensor labels = from_dlpack(to_dlpack(batch, labels_of(*batch)));
    kept.push_back(from_dlpack(to_dlpack(batch, batch->rows())));
    is_copied |= kept.back()->dl_tensor.data != batch->pixels.data();
    light += sum(labels->dl_tensor);
    if (kept.size() > 2) kept.pop_front();  // the slot of an earlier batch becomes free
    pixels += sum(kept.back()->dl_tensor);
  }
  std::cout << light << " light images, sum of all pixels " << pixels
            << (is_copied ? ", copied\n" : ", nothing was copied\n");
  return light == 20 && pixels == 20 * 36 * 3 * (10 + 200) && !is_copied ? 0 : 1;
}
