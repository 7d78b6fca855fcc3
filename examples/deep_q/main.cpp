// Deep Q-learning: a network learns to balance a pole on a cart. What you learn: a stream that
// depends on what is learnt. The source plays with the current weights and chooses its batches from
// all moves so far; a stage after the training step gives it copies of the weights. With one slot
// it plays when a step is done, and every run is the same; with more it plays during the step.
//
//   deep_q [SEED [SLOTS]]    without a seed it learns twice, and compares the weights

#include "player.h"

#include <millrace/cpu/engine.h>
#include <millrace/nodes/add_upload.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/charge_model.h>
#include <millrace/nodes/each_row.h>
#include <millrace/nodes/streamed.h>
#include <millrace/training/train_step.h>

#include <charconv>
#include <iostream>
#include <limits>
#include <string_view>

constexpr std::uint32_t kMostSteps = 120000;
constexpr std::uint64_t kNew = 10;  // steps from one copy of the weights to the next

/// From moves to batches that the engine reads.
Stream<Lease<DeviceBatch>> add_batches(Pipeline& p, Player& player, const DeviceBatchFactory& batch,
                                       int slots) {
  auto host = p.pool<HostBatch>("host", slots,
                                HostBatchFactory{.sample = batch.sample,
                                                 .dtype = batch.dtype,
                                                 .capacity = batch.capacity,
                                                 .target_width = batch.target_width});
  // With steps_per_epoch no batch is made before the step before it is done.
  auto moves = p.source({.name = "play", .on = On::blocking}, host,
                        Streamed([&](Phase phase, std::uint32_t) { return player.moves(phase); },
                                 {.steps_per_epoch = kMostSteps, .finished = player.has_learnt}));
  // Nothing is known of the action that was not taken: NaN, which `weighs_outputs` leaves out.
  auto rows = p.then(moves, "rows", EachRow([](const Move& move, Row row) {
                       std::ranges::copy(move.before, row.values().begin());
                       std::ranges::fill(row.target(), std::numeric_limits<float>::quiet_NaN());
                       row.target()[move.action] = move.value;
                     }));
  return add_upload(p, p.then(p.gather(rows), "batch", Batcher{}), {.batches = batch});
}

/// The weights; empty if it did not learn to balance the pole.
std::vector<float> learn(std::uint64_t seed, int slots) {
  const nn::Model model =
      nn::ModelBuilder("values", {4}).dense(64).relu().dense(64).relu().dense(2).build();
  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine({.threads = 1});
  Pipeline p{{.name = "deep q", .budget = 64_MiB, .threads = 2}};
  const auto learner = make_executor(
      p, *engine, model,
      {.batch = kBatch, .loss = nn::Loss::huber, .optimizer = {.kind = nn::OptimizerKind::adam}},
      seed);
  // Two more executors with the same first weights: a source must not use the one that trains.
  Player player(make_executor(p, *engine, model, {.batch = 1, .training = false}, seed),
                make_executor(p, *engine, model, {.batch = kBatch, .training = false}, seed),
                Random(seed, 0, 0, Purpose::user));
  p.charge("memory of moves", kMemory, Bytes{sizeof(Move)});

  auto inputs = add_batches(p, player,
                            {.engine = engine,
                             .sample = model.input,
                             .dtype = DType::f32,
                             .capacity = kBatch,
                             .target_width = 2,
                             .weighs_outputs = true},
                            slots);
  const auto rate = [](double base, std::uint64_t step) {
    return base * std::max(0.1, 1 - static_cast<double>(step) / 20000);
  };
  auto steps = p.then(inputs, {.name = "train", .on = On::engine}, TrainStep(learner, rate));
  // Directly after the step, in its thread: the weights may be read only there.
  std::uint64_t last = 0;
  p.sink(steps, {.name = "give weights", .on = On::engine}, [&](const StepRecord& step) {
    last = step.global_step;
    if (last % kNew == 0) player.give(learner->read(nn::Arena::parameters));
  });
  p.run();

  std::cout << "seed " << seed << ", slots " << slots << ": " << player.episodes << " episodes, "
            << last << " steps, mean of the last " << kEpisodes << ": " << player.mean << '\n';
  return *player.has_learnt ? learner->read(nn::Arena::parameters) : std::vector<float>();
}

int number(std::string_view word) {
  int value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error == std::errc() && end == word.data() + word.size() && value >= 0) return value;
  throw UsageError(concat("SEED and SLOTS are whole numbers, not '", word, "'"));
}

int main(int count, char** words) {
  try {
    if (count > 1) {
      const auto seed = static_cast<std::uint64_t>(number(words[1]));
      return learn(seed, count > 2 ? number(words[2]) : 1).empty() ? 1 : 0;
    }
    const std::vector<float> once = learn(1, 1), again = learn(1, 1);
    std::cout << (once == again ? "the same weights twice\n" : "other weights the second time\n");
    return !once.empty() && once == again ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "deep_q: " << error.what() << '\n';
    return 1;
  }
}
