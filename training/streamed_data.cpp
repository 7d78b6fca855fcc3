#include <millrace/training/streamed_data.h>

#include <millrace/core/error.h>
#include <millrace/core/plural.h>
#include <millrace/training/image_preprocessing.h>
#include <millrace/training/outputs.h>

#include <algorithm>
#include <memory>
#include <set>

namespace millrace {
namespace {

/// What a session asks of a data set before it runs: one sample of each class; or, with targets,
/// two that show what kind they are of. There is nothing to load: samples come from the stream.
class Outline final : public Dataset {
 public:
  explicit Outline(const StreamFacts& facts)
      : classes_(facts.classes),
        targets_(facts.targets),
        greatest_(facts.targets_are_labels ? 1.0F : 2.0F),
        sample_(facts.sample) {}

  [[nodiscard]] std::uint32_t size() const noexcept override {
    if (!targets_.empty()) return 2;
    return static_cast<std::uint32_t>(std::max<std::size_t>(classes_.size(), 1));
  }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t index) const override { return static_cast<int>(index); }
  [[nodiscard]] const std::vector<std::string>& targets() const noexcept override {
    return targets_;
  }
  void target(std::uint32_t index, std::span<float> values) const override {
    std::fill(values.begin(), values.end(), index == 0 ? 0.0F : greatest_);
  }
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
  std::vector<std::string> classes_, targets_;
  float greatest_;
  Shape sample_;
};

template <class... Words>
[[noreturn]] void refuse(const Words&... words) {
  throw UsageError(concat(words...));
}

void check_names(const char* what, const std::vector<std::string>& names) {
  std::set<std::string> known;
  for (const std::string& name : names) {
    if (name.empty()) refuse(what, ": a name is empty");
    if (!known.insert(name).second) refuse(what, ": '", name, "' is there twice");
  }
}

void check(const StreamFacts& facts, const LabelSpec& labels) {
  const Shape& sample = facts.sample;
  const bool is_image = sample.rank() == 3 && (sample[2] == 1 || sample[2] == 3);
  if ((!is_image && sample.rank() != 1) || sample.elements() < 1) {
    refuse("StreamFacts::sample: expected {height, width, 1 or 3} or {features}, not ", sample);
  }
  check_names("StreamFacts::classes", facts.classes);
  check_names("StreamFacts::targets", facts.targets);
  if (!facts.targets.empty() && !facts.classes.empty()) {
    refuse("StreamFacts: samples have classes or targets, not both; leave one of them out");
  }
  if (facts.targets_are_labels && facts.targets.empty()) {
    refuse("StreamFacts::targets_are_labels: there are no targets; name them in targets");
  }
  const bool need_classes = facts.targets.empty() && labels.class_mode != ClassMode::input;
  if (facts.classes.size() < 2 && need_classes) {
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
  data.training = SampleSet::all(std::make_shared<const Outline>(facts));
  const std::size_t classes = facts.classes.size(), targets = facts.targets.size();
  data.description =
      concat("a stream of ", facts.sample, " samples ",
             targets > 0 ? concat("with ", targets, ' ', plural(targets, "target"), ": ",
                                  list_of_names(facts.targets))
                         : concat("in ", classes, ' ', plural(classes, "class", "classes")));
  data.validation_description = "none";
  if (const std::uint32_t most = facts.validation_samples; most > 0) {
    data.validation = SampleSet::all(std::make_shared<const Outline>(facts));
    data.validation_description = concat("a stream of at most ", most, ' ', plural(most, "sample"));
  }
  data.stream = std::make_shared<const StreamedData>(std::move(stream));
  return data;
}

}  // namespace millrace
