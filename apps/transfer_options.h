#pragma once
// Options of `millrace train` for transfer learning: weights to begin with, layers that keep them,
// and another head.

#include "apps/command_line.h"

#include <millrace/nn/model.h>
#include <millrace/training/pretrained.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace millrace::apps {

struct TransferOptions {
  std::string weights, freeze, head;
  std::string ignore_layers;      ///< of the file of weights: "normalization,p_re_lu"
  std::string flatten_order;      ///< of the file of weights; empty: what its kind has
  std::uint32_t unfreeze_at = 0;  ///< the first epoch, from 1, that trains all layers; 0: none
  double unfreeze_factor = 0.1;   ///< on the learning rate from there on
};

void declare(CommandLine& line, TransferOptions& options);
/// Throws UsageError for options that contradict each other.
void check(const TransferOptions& options);

/// What --ignore-layers and --flatten-order say. Throws UsageError for an order that does not
/// exist.
[[nodiscard]] PretrainedOptions pretrained_options(const std::string& ignore_layers,
                                                   const std::string& flatten_order);
/// Their help, which two commands print.
inline constexpr const char* kIgnoreLayersHelp =
    "layers or tensors of the file of weights that the model has nothing for, to be left out all "
    "the same, as in normalization,p_re_lu";
inline constexpr const char* kFlattenOrderHelp =
    "how a file of PyTorch has the inputs behind a flatten: channels_first (default, as PyTorch "
    "flattens images) or channels_last (as Millrace and Keras do)";

/// The file that a word names: a path, a run directory, or "vgg16" and "vgg16-top", which
/// scripts/fetch-weights puts into the user's cache. Throws Error, naming that command, if it is
/// not there.
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
