#pragma once
// Options of `millrace train` for transfer learning: weights to begin with, layers that keep them,
// and another head.

#include "apps/command_line.h"

#include <millrace/nn/model.h>
#include <millrace/nodes/pretrained.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace millrace::apps {

struct TransferOptions {
  std::string weights, freeze, head;
  std::uint32_t unfreeze_at = 0;  ///< the first epoch, from 1, that trains all layers; 0: none
  double unfreeze_factor = 0.1;   ///< on the learning rate from there on
};

void declare(CommandLine& line, TransferOptions& options);
/// Throws UsageError for options that contradict each other.
void check(const TransferOptions& options);

/// The file that a word names: a path, or "vgg16" and "vgg16-top", which scripts/fetch-weights puts
/// into the user's cache. Throws Error, naming that command, if it is not there.
[[nodiscard]] std::filesystem::path weights_file(const std::string& word);

/// The model with the head and the frozen layers that the options ask for. Throws UsageError.
[[nodiscard]] nn::Model with_transfer(nn::Model model, const TransferOptions& options,
                                      std::int64_t outputs, nn::Initializer initializer);

/// What --weights brings for such a model; null without it. Throws Error: as Pretrained does, or
/// a frozen layer would keep values that nothing has trained.
[[nodiscard]] std::shared_ptr<const Pretrained> open_weights(const TransferOptions& options,
                                                             const nn::Model& model);

/// For people: lines about the weights, what they were trained with, and what is frozen; empty
/// without them.
[[nodiscard]] std::string describe_transfer(const Pretrained* weights, const nn::Model& model);

}  // namespace millrace::apps
