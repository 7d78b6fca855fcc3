// Several labels: an image may show a bar, a block, both or nothing, and for a third of the images
// one of the two labels is unknown. What you learn: a `Dataset` with targets in place of classes,
// unknown labels, and a model of several sigmoids in your own graph, measured label by label.

#include <millrace/core/random.h>
#include <millrace/cpu/engine.h>
#include <millrace/nodes/add_upload.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/charge_model.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/nodes/directory_reader.h>
#include <millrace/training/logger.h>
#include <millrace/training/train_step.h>

#include <iostream>
#include <limits>

using namespace millrace;

constexpr std::int64_t kBatch = 32, kSide = 12;

class Shapes : public Dataset {
 public:
  /// `is_all_known`: no label is unknown, as in the images that are not trained on.
  Shapes(std::uint64_t seed, bool is_all_known) : seed_(seed), is_all_known_(is_all_known) {}

  [[nodiscard]] std::uint32_t size() const noexcept override { return 1024; }
  /// With targets there are no classes, and labels are not read.
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override { return none_; }
  [[nodiscard]] int label(std::uint32_t) const override { return -1; }
  [[nodiscard]] const std::vector<std::string>& targets() const noexcept override {
    return targets_;
  }
  void target(std::uint32_t index, std::span<float> values) const override {
    values[0] = has_bar(index) ? 1.0F : 0.0F;
    values[1] = has_block(index) ? 1.0F : 0.0F;
    if (is_all_known_ || index % 3 > 0) return;
    values[index % 2] = std::numeric_limits<float>::quiet_NaN();  // unknown
  }
  [[nodiscard]] std::string name(std::uint32_t index) const override {
    return "shapes " + std::to_string(index);
  }
  [[nodiscard]] Bytes index_bytes() const noexcept override { return {}; }
  [[nodiscard]] Shape natural_shape() const override { return {kSide, kSide, 1}; }
  [[nodiscard]] DType dtype() const noexcept override { return DType::u8; }
  void load(std::uint32_t index, TensorView target, Filter, Decoder&) const override {
    Random random(seed_, 0, index, Purpose::synthetic);
    const std::span<std::uint8_t> pixels = target.as<std::uint8_t>();
    for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(random.below(120));
    const auto fill = [&](std::uint64_t height, std::uint64_t width) {
      const std::uint64_t top = random.below(kSide - height + 1),
                          left = random.below(kSide - width + 1);
      for (std::uint64_t i = 0; i < height * width; ++i) {
        pixels[(top + i / width) * kSide + left + i % width] = 220;
      }
    };
    if (has_bar(index)) fill(1, 7);
    if (has_block(index)) fill(3, 3);
  }

 private:
  [[nodiscard]] bool has_bar(std::uint32_t index) const { return index / 2 % 2 == 0; }
  [[nodiscard]] bool has_block(std::uint32_t index) const { return index / 4 % 2 == 0; }

  std::uint64_t seed_;
  bool is_all_known_;
  std::vector<std::string> none_, targets_{"bar", "block"};
};

int main() {
  const auto seen = std::make_shared<const Shapes>(1, false),
             unseen = std::make_shared<const Shapes>(2, true);
  nn::Model model = nn::ModelBuilder("shapes", {kSide, kSide, 1})
                        .conv(16, 3)
                        .relu()
                        .max_pool(2)
                        .flatten()
                        .dense(32)
                        .relu()
                        .dense(2)
                        .sigmoid()
                        .build();
  model.targets = seen->targets();  // the names of its outputs, which are saved with it

  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine({.threads = 1});
  Pipeline p{{.name = "train", .budget = 64_MiB, .threads = 2}};
  const auto executor = make_executor(
      p, *engine, model,
      {.batch = kBatch, .optimizer = {.kind = nn::OptimizerKind::adam, .learning_rate = 0.003}}, 1);
  auto host = p.pool<HostBatch>(
      "host", 3, HostBatchFactory{.sample = model.input, .capacity = kBatch, .target_width = 2});
  auto tickets = p.source({.name = "list"}, host,
                          DirectoryReader(SampleSet::all(seen), SampleSet::all(unseen),
                                          {.batch = kBatch, .epochs = 15}));
  auto pixels = p.then(tickets, {.name = "draw", .concurrency = 2},
                       DecodeInto(seen, unseen, Filter::nearest));
  // Unknown labels have no weight: with `weighs_outputs` each output has its own.
  auto inputs = add_upload(p, p.then(p.gather(pixels), {.name = "batch"}, Batcher{}),
                           {.batches = {.engine = engine,
                                        .sample = model.input,
                                        .capacity = kBatch,
                                        .target_width = 2,
                                        .weighs_outputs = true},
                            .preprocessing = model.preprocessing});
  TrainStep step(executor);
  step.metrics({"binary_accuracy bar", "binary_accuracy block", "auc"}, unseen->size(), kBatch);
  auto steps = p.then(inputs, {.name = "train", .on = On::engine}, std::move(step));
  EpochRecord last;
  p.sink(steps, {.name = "log", .on = On::blocking},
         Logger({.on_epoch = [&](const EpochRecord& epoch) { last = epoch; }}));
  p.run();
  for (const auto& [name, value] : last.extra) std::cout << name << ' ' << value << '\n';
  return last.value("val_auc").value_or(0) > 0.97 ? 0 : 1;
}
