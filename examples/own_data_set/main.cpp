// Your own data set and node in a training graph. What you learn: what a `Dataset` says about its
// samples, a node that changes training images in place with random numbers that depend on no
// thread, and the stages from the reader to the training step.
//
// The images are bright in the left half or in the right one.

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

using namespace millrace;

constexpr std::int64_t kBatch = 32;

/// Samples that are made when they are loaded; yours may read a file, a database or memory here.
class Halves : public Dataset {
 public:
  [[nodiscard]] std::uint32_t size() const noexcept override { return 512; }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t index) const override {
    return static_cast<int>(index % 2);
  }
  [[nodiscard]] std::string name(std::uint32_t index) const override {
    return "half " + std::to_string(index);
  }
  [[nodiscard]] Bytes index_bytes() const noexcept override { return {}; }
  [[nodiscard]] Shape natural_shape() const override { return {8, 8, 1}; }
  [[nodiscard]] DType dtype() const noexcept override { return DType::u8; }
  /// Called by many threads at once. Throw an Error that names the sample if it cannot be read.
  void load(std::uint32_t index, TensorView target, Filter, Decoder&) const override {
    Random random(7, 0, index, Purpose::synthetic);
    const std::span<std::uint8_t> pixels = target.as<std::uint8_t>();
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      const bool is_bright = (i % 8 < 4) == (index % 2 == 0);
      pixels[i] = static_cast<std::uint8_t>((is_bright ? 160 : 0) + random.below(90));
    }
  }

 private:
  std::vector<std::string> classes_{"left", "right"};
};

/// Darkens a random row of each training image. Its random numbers are a function of seed, pass and
/// position, so that a run gives the same weights whichever thread is first.
struct DarkenRow {
  std::uint64_t seed = 0;
  static constexpr bool writes_in_place = true;  // so nobody else may have the ticket
  Ticket operator()(const Ticket& ticket) const {
    HostBatch& batch = *ticket.batch;
    if (batch.tag.phase != Phase::training) return ticket;
    for (std::uint32_t i = ticket.first; i < ticket.first + ticket.count; ++i) {
      Random random(seed, batch.passes[i], batch.positions[i], Purpose::user);
      const auto row = 8 * static_cast<std::size_t>(random.below(8));
      for (std::uint8_t& pixel : batch.row(i).as<std::uint8_t>().subspan(row, 8)) pixel /= 2;
    }
    return ticket;
  }
};

int main() {
  const auto data = std::make_shared<const Halves>();
  const nn::Model model =
      nn::ModelBuilder("halves", {8, 8, 1}).flatten().dense(16).relu().dense(1).sigmoid().build();
  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine({.threads = 1});

  Pipeline p{{.name = "train", .budget = 64_MiB, .threads = 2}};
  const auto executor = make_executor(
      p, *engine, model,
      {.batch = kBatch, .optimizer = {.kind = nn::OptimizerKind::adam, .learning_rate = 0.003}}, 1);
  auto host = p.pool<HostBatch>("host", 3, HostBatchFactory{.sample = {8, 8, 1}, .capacity = 32});
  // It trains on all samples; the accuracy is measured on the same ones, not darkened.
  auto tickets = p.source(
      {.name = "list"}, host,
      DirectoryReader(SampleSet::all(data), SampleSet::all(data), {.batch = kBatch, .epochs = 10}));
  auto pixels =
      p.then(tickets, {.name = "load", .concurrency = 2}, DecodeInto(data, data, Filter::nearest));
  auto darkened = p.then(pixels, {.name = "darken", .concurrency = 2}, DarkenRow{42});
  auto batches = p.then(p.gather(darkened), {.name = "batch"}, Batcher{});
  auto inputs =
      add_upload(p, batches,
                 {.batches = {.engine = engine, .sample = model.input, .capacity = kBatch},
                  .preprocessing = model.preprocessing});
  auto steps = p.then(inputs, {.name = "train", .on = On::engine}, TrainStep(executor));
  double accuracy = 0;
  p.sink(steps, {.name = "log", .on = On::blocking},
         Logger({.on_epoch = [&](const EpochRecord& r) { accuracy = r.validation->accuracy(); }}));
  std::cout << p.plan() << p.run() << "accuracy " << accuracy << '\n';
  return accuracy > 0.99 ? 0 : 1;
}
