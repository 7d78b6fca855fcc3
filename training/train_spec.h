#pragma once
// What to train, on what, and how: one struct with typed fields.
// Fields that are left out are chosen by the data and the machine (resolve.h).
//
//   TrainSpec spec{.data = {.path = "PHOTOS"}, .model = {.name = "cnn"}, .epochs = 5};
//
// Each field is an option of `millrace train` too; the rows of options/ give its name there, its
// range and its help.

#include <millrace/core/colour.h>
#include <millrace/image/augmentation.h>
#include <millrace/io/csv_options.h>
#include <millrace/io/decode.h>
#include <millrace/nn/gradient.h>
#include <millrace/nn/loss.h>
#include <millrace/nn/model.h>
#include <millrace/nn/monitor.h>
#include <millrace/nn/optimizer.h>
#include <millrace/nn/pruning.h>
#include <millrace/nn/schedule.h>
#include <millrace/nodes/class_mode.h>
#include <millrace/training/machine_spec.h>
#include <millrace/training/saved_model.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace millrace {

/// What to do with an image that cannot be read.
enum class BadImages { fail, skip };

/// Samples, and how they are read.
struct DataSpec {
  std::string path;          ///< a folder, tar shards, a CSV file, an IDX data set, "generated:..."
  std::string validation{};  ///< another data set; empty: path's val/ or test/, or a share of it
  double validation_share = 0.2;
  std::string part{};  ///< to validate on: "val", "test"; empty: as choose_part() says
  CsvOptions table{};
  BadImages on_bad_image = BadImages::fail;
  std::uint64_t bad_image_limit = 0;  ///< with skip: fail after this many; 0: no limit
  std::uint64_t max_image_pixels = kMaxImagePixels;
  std::uint32_t limit_batches = 0;  ///< of training and validation an epoch; 0: all
  bool drop_last = false;           ///< leave out an epoch's last batch if it is not full
  std::uint32_t replay = 0;         ///< feed this many batches over and over; 0: read all
  bool resident = false;            ///< samples stay in the memory of the GPU
};

/// The form of labels, and the weight of each class.
struct LabelSpec {
  std::optional<ClassMode> class_mode{};   ///< none: binary for two classes, else sparse
  std::string class_weight{};              ///< "balanced", "cats=2,dogs=1"
  std::vector<std::string> class_names{};  ///< of classes that are numbers
};

struct ImageSize {
  int height = 0, width = 0;
};

/// How images become the model's input.
struct ImageSpec {
  std::optional<ImageSize> size{};  ///< none: that of the images if all agree, else 150 x 150
  std::optional<int> channels{};    ///< 1 or 3; none: as the images are
  std::optional<Filter> filter{};   ///< of resizing; none: the model's own
  std::optional<double> scale{};
  std::vector<float> mean{}, deviation{};
  bool exif_orientation = true;
  std::optional<Colour> background{};
  std::string preprocessing{};  ///< of a family of weights: "caffe", "tf", "torch", "rescale"
  bool featurewise_center = false, featurewise_std = false;
  bool samplewise_center = false, samplewise_std = false;
  bool zca = false;
  double zca_epsilon = 1e-6;
  std::uint32_t fit_samples = 0;     ///< 0: all
  std::uint32_t show_augmented = 0;  ///< samples to show before training begins
};

/// Where the outputs of frozen layers are kept, which are the same in every epoch.
enum class FeatureCache {
  automatic,  ///< in memory, where results are then equal but for rounding and the budget holds it
  no,         ///< nowhere: they are computed in each step
  memory,     ///< where the budget does not hold them, in a file if the run has a directory
  file        ///< features.safetensors in the run's directory
};
enum class FeaturePrecision { fp32, fp16 };

/// The model, and its initial weights.
struct ModelSpec {
  std::string name{};  ///< of the zoo, a JSON or model file, or a run directory; empty: chosen
  std::optional<double> width{};  ///< factor of the channels; becomes a part of the name
  nn::Initializer initializer = nn::Initializer::glorot_uniform;
  std::string weights{};  ///< a file, a run directory, or "vgg16"
  std::vector<std::string> ignore_layers{};
  std::optional<FlattenOrder> flatten_order{};  ///< of the file of weights
  std::string head{};                           ///< as nn::with_head() takes it
  std::string freeze{};                         ///< as nn::freeze() takes it
  std::uint32_t unfreeze_at = 0;  ///< the first epoch, from 1, that trains all; 0: none
  double unfreeze_factor = 0.1;   ///< on the learning rate from there on
  FeatureCache cache_features = FeatureCache::automatic;
  FeaturePrecision cache_precision = FeaturePrecision::fp32;
};

/// What is measured, watched and decided after each epoch.
struct CallbackSpec {
  std::vector<std::string> metrics{};
  std::string monitor{};  ///< empty: val_loss, or loss without validation
  nn::Direction monitor_mode = nn::Direction::automatic;
  std::optional<std::uint32_t> patience{};  ///< of early stopping
  double min_delta = 0;
  std::optional<double> baseline{};
  std::uint32_t start_from_epoch = 0;
  bool restore_best = false;
  std::optional<std::uint32_t> plateau_patience{};  ///< of lowering the learning rate
  double plateau_factor = 0.1, plateau_min_delta = 1e-4;
  std::uint32_t plateau_cooldown = 0;
  double min_learning_rate = 0;
  bool stop_on_nan = true;
};

struct PruningSpec {
  std::optional<nn::PruneKind> kind{};  ///< none: nothing is pruned
  std::optional<double> initial_sparsity{}, final_sparsity{};
  std::optional<std::uint64_t> begin{}, end{}, frequency{};  ///< in steps
  std::optional<double> power{};
  std::vector<std::string> include{}, exclude{};
};

/// What a run writes into its directory.
struct RunSpec {
  std::filesystem::path directory{};  ///< empty: nothing is written
  bool overwrite = false;             ///< replace an existing run
  bool checkpoints = true;
  std::uint64_t checkpoint_every = 0;    ///< steps, besides the ends of epochs; 0: off
  std::uint32_t keep_checkpoints = 2;    ///< the best one not counted; 0: all
  std::filesystem::path csv_log{};       ///< the epochs also as Keras's CSVLogger; empty: none
  bool events = true;                    ///< TensorBoard's
  std::uint64_t tensorboard_update = 0;  ///< steps between events; 0: only epochs
};

/// From how many samples of tar shards the next one is chosen by default.
inline constexpr std::uint32_t kShuffleBuffer = 10'000;

struct TrainSpec {
  DataSpec data{};
  ModelSpec model{};
  std::uint32_t epochs = 10;
  std::int64_t batch = 32;
  std::uint32_t accumulate = 1;       ///< batches that a step learns from together
  std::uint32_t steps_per_epoch = 0;  ///< 0: once through the data
  std::optional<nn::Loss> loss{};     ///< none: that of the model's last layer
  nn::OptimizerOptions optimizer{.kind = nn::OptimizerKind::adam};
  nn::ScheduleOptions schedule{};              ///< of the learning rate
  std::optional<std::uint64_t> decay_steps{};  ///< of the schedule; none: all steps of the run
  nn::GradientOptions gradient{};
  double label_smoothing = 0;
  std::optional<double> ema{};  ///< momentum of an average of the weights; none: no average
  std::uint64_t seed = 1;
  bool shuffle = true;
  std::uint32_t shuffle_buffer = kShuffleBuffer;  ///< of tar shards: ReaderOptions::shuffle_buffer
  LabelSpec labels{};
  ImageSpec images{};
  AugmentOptions augmentation{};
  CallbackSpec callbacks{};
  PruningSpec pruning{};
  MachineSpec machine{};
  RunSpec run{};
};

}  // namespace millrace
