#include <millrace/training/streamed_data.h>

#include <millrace/core/error.h>
#include <millrace/core/plural.h>
#include <millrace/training/image_preprocessing.h>

#include <memory>

namespace millrace {
namespace {

/// What a session asks of a data set before it runs. There is nothing to load: the samples come
/// from the stream.
class Outline final : public Dataset {
 public:
  Outline(const StreamFacts& facts, std::uint32_t size)
      : classes_(facts.classes), sample_(facts.sample), size_(size) {}

  [[nodiscard]] std::uint32_t size() const noexcept override { return size_; }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t) const override { return 0; }
  [[nodiscard]] std::string name(std::uint32_t) const override { return "a sample of a stream"; }
  [[nodiscard]] Bytes index_bytes() const noexcept override { return {}; }
  [[nodiscard]] Shape natural_shape() const override { return sample_; }
  [[nodiscard]] DType dtype() const noexcept override {
    return sample_.rank() == 3 ? DType::u8 : DType::f32;
  }
  void load(std::uint32_t, TensorView, Filter, Decoder&) const override {
    throw Error("a sample of a stream is nowhere to be loaded from");
  }

 private:
  std::vector<std::string> classes_;
  Shape sample_;
  std::uint32_t size_;
};

template <class... Words>
[[noreturn]] void refuse(const Words&... words) {
  throw UsageError(concat(words...));
}

void check(const StreamFacts& facts, const LabelSpec& labels) {
  const Shape& sample = facts.sample;
  const bool is_image = sample.rank() == 3 && (sample[2] == 1 || sample[2] == 3);
  if ((!is_image && sample.rank() != 1) || sample.elements() < 1) {
    refuse("StreamFacts::sample: expected {height, width, 1 or 3} or {features}, not ", sample);
  }
  if (facts.classes.size() < 2 && labels.class_mode != ClassMode::input) {
    refuse("StreamFacts::classes: expected the names of two classes or more, not ",
           facts.classes.size());
  }
}

/// What must be known beforehand of an epoch that ends where its stream ends.
void check_steps(const TrainSpec& o) {
  if (o.steps_per_epoch > 0) return;
  using nn::ScheduleKind;
  const ScheduleKind kind = o.schedule.kind;
  const bool has_period = kind != ScheduleKind::constant && kind != ScheduleKind::piecewise;
  const bool is_polynomial = o.pruning.kind == nn::PruneKind::polynomial;
  const char* const open = has_period && !o.decay_steps      ? "--decay-steps"
                           : is_polynomial && !o.pruning.end ? "--prune-end"
                                                             : nullptr;
  if (open == nullptr) return;
  refuse("an epoch ends where its stream ends, so the steps of the run are unknown; give ", open,
         " or --steps-per-epoch");
}

void check(const TrainSpec& o) {
  if (!o.data.path.empty() || !o.data.validation.empty()) {
    refuse("a session trains on a stream or on DATA, not on both; leave DATA and --validation out");
  }
  const char* const fitted = fitted_option(o.images);
  const char* const before = fitted != nullptr             ? fitted
                             : o.images.show_augmented > 0 ? "show-augmented"
                             : o.data.replay > 0           ? "replay"
                             : o.data.resident             ? "resident"
                                                           : nullptr;
  if (before != nullptr) {
    refuse("--", before,
           " looks at samples before the run, which a stream has none of; leave it out");
  }
  if (!o.labels.class_weight.empty()) {
    refuse("--class-weight is of samples that are known; weigh those of a stream by Row::weight()");
  }
  if (!o.labels.class_names.empty()) {
    refuse("--class-names: a stream names its classes itself, by StreamFacts::classes");
  }
  check_steps(o);
}

/// Images are of the stream's size, whatever that is.
void take_shape(const Shape& sample, ImageSpec& o) {
  if (sample.rank() != 3) return;
  const ImageSize size{static_cast<int>(sample[0]), static_cast<int>(sample[1])};
  const auto channels = static_cast<int>(sample[2]);
  const bool is_other =
      (o.size && (o.size->height != size.height || o.size->width != size.width)) ||
      (o.channels && *o.channels != channels);
  if (is_other) {
    refuse("--size and --channels: the samples of the stream are ", sample,
           ", by StreamFacts::sample; leave them out");
  }
  o.size = size;
  o.channels = channels;
}

}  // namespace

TrainingData data_of(StreamedData stream, TrainSpec& spec) {
  const StreamFacts& facts = stream.facts;
  check(facts, spec.labels);
  check(spec);
  take_shape(facts.sample, spec.images);
  TrainingData data;
  data.training = SampleSet::all(std::make_shared<const Outline>(facts, 1));
  data.validation =
      SampleSet::all(std::make_shared<const Outline>(facts, facts.validation_samples));
  data.description = concat("a stream of ", facts.sample, " samples in ", facts.classes.size(), ' ',
                            plural(facts.classes.size(), "class", "classes"));
  data.validation_description = facts.validation_samples == 0
                                    ? std::string("none")
                                    : concat("a stream of at most ", facts.validation_samples, ' ',
                                             plural(facts.validation_samples, "sample"));
  data.stream = std::make_shared<const StreamedData>(std::move(stream));
  return data;
}

}  // namespace millrace
