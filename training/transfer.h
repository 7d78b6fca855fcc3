#pragma once
// Transfer learning: initial weights, frozen layers, and another head.

#include <millrace/nn/model.h>
#include <millrace/training/pretrained.h>
#include <millrace/training/train_spec.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace millrace {

/// The file that a word names: a path, a run directory, or "vgg16" and the other names of
/// known_weights.h, which scripts/fetch-weights puts into the user's cache. Throws Error, naming
/// that command, if it is not there, or there is another file in its place.
[[nodiscard]] std::filesystem::path weights_file(const std::string& word);

/// The model with the head and the frozen layers that the options ask for. Throws UsageError.
[[nodiscard]] nn::Model with_transfer(nn::Model model, const ModelSpec& options,
                                      std::int64_t outputs, nn::Initializer initializer);

/// What --weights brings for such a model; null without it. Throws Error: as Pretrained does, or
/// a frozen layer would keep values that nothing has trained.
[[nodiscard]] std::shared_ptr<const Pretrained> open_weights(const ModelSpec& options,
                                                             const nn::Model& model);

/// How images are read and what becomes of their pixels, of a model by its name or file: as that
/// says itself, else as the weights (or null) tell, else as is usual: turned upright, pixels
/// divided by 255, columns of tables unchanged. Throws Error if the file cannot be read.
void take_preprocessing(const std::string& name, const Pretrained* weights, nn::Model& model);

/// For the user: lines about the weights, their preprocessing, and what is frozen; empty
/// without them.
[[nodiscard]] std::string describe_transfer(const Pretrained* weights, const nn::Model& model);

}  // namespace millrace
