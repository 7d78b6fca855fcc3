#pragma once
// A folder of class folders as a range of batches, for programs with their own loop:
//
//   for (const Lease<HostBatch>& batch : image_folder("photos", {.size = 150, .batch = 32})) {
//     step(batch->rows(), batch->labels);
//   }

#include <millrace/image/filter.h>
#include <millrace/nodes/augment.h>
#include <millrace/nodes/class_mode.h>
#include <millrace/nodes/host_batch.h>
#include <millrace/pipeline/range.h>

#include <cstdint>
#include <filesystem>
#include <stop_token>

namespace millrace {

struct ImageFolderOptions {
  int size = 224;    ///< height and width of the samples
  int channels = 3;  ///< 3: RGB, 1: grey
  std::int64_t batch = 32;
  std::uint32_t epochs = 1;
  bool shuffle = true;
  std::uint64_t seed = 0;
  Filter filter = Filter::bilinear;
  AugmentOptions augment{};
  ClassMode class_mode = ClassMode::sparse;
  OnError on_bad_image = fail();
  int threads = 0;  ///< 0: the cores one may use
  int slots = 3;    ///< batches under way
  Bytes budget{};   ///< 0: no limit
};

/// Batches of uint8 pixels [size][H][W][C] with labels by the order of the class folders, and what
/// the class mode says. A batch and its memory live until the next step of the loop. Throws Error
/// for a folder without class folders, UsageError for mode binary where there are not two; a
/// image that cannot be read is thrown by the loop as StageError, or skipped. A stop request, such
/// as an Interrupt's (interrupt.h), ends the loop.
[[nodiscard]] Range<Lease<HostBatch>> image_folder(const std::filesystem::path& path,
                                                   const ImageFolderOptions& options = {},
                                                   std::stop_token stop = {});

}  // namespace millrace
