#pragma once
// The source: plays with its own copy of the network, keeps the moves, and chooses those to learn.

#include "cart.h"

#include <millrace/nn/engine.h>
#include <millrace/nodes/host_batch.h>
#include <millrace/pipeline/generator.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <numeric>
#include <utility>
#include <vector>

using namespace millrace;

constexpr std::size_t kBatch = 32, kMemory = 50000, kFirst = 500;  // moves; before the first batch
constexpr std::size_t kLongest = 200, kEpisodes = 100;  // moves of an episode; what the mean is of
constexpr double kEnough = 195, kExplores = 2000, kDiscount = 0.99;
constexpr std::size_t kTarget = 20;  // the target network gets every 20th copy of the weights

/// A move, its result and, once it is chosen for a batch, the value that its action should have: -1
/// if the pole falls, else what the best next action is worth.
struct Move {
  State before{}, after{};
  std::size_t action = 0;
  bool has_failed = false;
  float value = 0;
};

/// Used by the source's thread alone, except for give(). Its results are read after the run.
class Player {
 public:
  Player(std::shared_ptr<nn::Executor> policy, std::shared_ptr<nn::Executor> target, Random random)
      : policy_(std::move(policy)), target_(std::move(target)), random_(random), cart_(random_) {}

  /// Moves to learn from, without end: one more is played before each batch.
  Generator<Move> moves(Phase phase) {
    while (phase == Phase::training) {  // there is no validation
      take();
      play();
      if (memory_.size() < kFirst) continue;
      for (const Move& move : draw()) co_yield move;
    }
  }
  /// New weights, from any thread.
  void give(std::vector<float> weights) {
    const std::scoped_lock lock(mutex_);
    given_ = std::move(weights);
  }

  std::size_t episodes = 0;
  double mean = 0;  ///< moves of the last episodes
  std::shared_ptr<std::atomic<bool>> has_learnt = std::make_shared<std::atomic<bool>>(false);

 private:
  void take() {
    const std::scoped_lock lock(mutex_);
    const std::vector<float> weights = std::exchange(given_, {});
    if (weights.empty()) return;
    policy_->write(nn::Arena::parameters, weights);
    if (++taken_ % kTarget == 0) target_->write(nn::Arena::parameters, weights);
  }
  void play() {
    Move move{.before = cart_.state()};
    const std::vector<float> values = values_of({move.before}, *policy_);
    const bool explores = random_.coin(1 - static_cast<double>(played_) / kExplores);
    move.action = explores ? random_.below(2) : values[1] > values[0] ? 1 : 0;
    cart_.push(move.action);
    move.after = cart_.state();
    move.has_failed = cart_.has_failed();
    if (memory_.size() < kMemory) memory_.push_back(move);
    memory_[played_++ % kMemory] = move;
    if (++length_ == kLongest || move.has_failed) end_episode();
  }
  void end_episode() {
    ++episodes;
    lengths_.push_back(std::exchange(length_, 0));
    if (lengths_.size() > kEpisodes) lengths_.pop_front();
    mean = std::accumulate(lengths_.begin(), lengths_.end(), 0.0) / kEpisodes;
    if (mean >= kEnough) *has_learnt = true;
    cart_ = Cart(random_);
  }
  std::vector<Move> draw() {
    std::vector<Move> drawn(kBatch);
    std::vector<State> after;
    for (Move& move : drawn) {
      move = memory_[random_.below(memory_.size())];
      after.push_back(move.after);
    }
    const std::vector<float> values = values_of(after, *target_);
    for (std::size_t i = 0; i < kBatch; ++i) {
      const double best = std::max(values[2 * i], values[2 * i + 1]);
      drawn[i].value = drawn[i].has_failed ? -1 : static_cast<float>(kDiscount * best);
    }
    return drawn;
  }
  /// The values of both actions in each state.
  static std::vector<float> values_of(const std::vector<State>& states, nn::Executor& network) {
    std::vector<float> values(2 * states.size());
    const auto count = static_cast<std::int64_t>(states.size());
    const std::span<const float> numbers(states.front().data(), 4 * states.size());
    network.predict({.input = {numbers, {count, 4}}, .samples = count}, values);
    return values;
  }

  std::shared_ptr<nn::Executor> policy_, target_;
  Random random_;
  Cart cart_;
  std::vector<Move> memory_;
  std::deque<std::size_t> lengths_;
  std::size_t played_ = 0, length_ = 0, taken_ = 0;
  std::mutex mutex_;
  std::vector<float> given_;  // guarded by mutex_; empty once they are taken
};
