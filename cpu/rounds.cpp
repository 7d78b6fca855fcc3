// Steps that follow each other, computed over a few samples at a time. What a convolution makes for
// the pooling behind it, and the pooling's backward pass for the convolution's, is then read while
// a core's cache holds it, and takes memory for these samples alone.

#include <millrace/cpu/program.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace millrace::cpu {
namespace {

// Below the first nothing is gained: caches further out hold it. The second is about what the
// samples of a round may take; a core's own cache is half or a quarter of it.
constexpr std::size_t kLarge = std::size_t{16} << 20;
constexpr std::size_t kOfRound = std::size_t{4} << 20;

bool is_sum(int argument) {
  return argument == DNNL_ARG_DIFF_WEIGHTS || argument == DNNL_ARG_DIFF_BIAS;
}
bool is_fixed(int argument) {
  return argument == DNNL_ARG_WEIGHTS || argument == DNNL_ARG_BIAS;
}

class Rounds {
 public:
  explicit Rounds(Lowered& lowered) : lowered_(lowered), lives_(lowered.slots.size()) {
    for (std::size_t i = 0; i < lowered.steps.size(); ++i) {
      for (const Use& use : lowered.steps[i].uses) {
        Life& life = life_of(use);
        life.first = std::min(life.first, i);
        life.last = i;
      }
    }
    if (lowered.output != kNoSlot) {
      lives_[lowered.slots[lowered.output].root].last = lowered.steps.size();
    }
  }

  void run() {
    std::vector<Step> steps;
    for (std::size_t i = 0; i < lowered_.steps.size();) {
      const std::size_t end = end_of_chain(i);
      std::optional<Step> together;
      // oneDNN has not every kernel for every number of samples.
      for (std::int64_t rows = end - i > 1 ? rows_of_round(i, end) : lowered_.batch;
           rows < lowered_.batch && !together; ++rows) {
        if (lowered_.batch % rows == 0) together = cut(i, end, rows);
      }
      if (together) {
        steps.push_back(std::move(*together));
        i = end;
      } else {
        steps.push_back(std::move(lowered_.steps[i++]));
      }
    }
    lowered_.steps = std::move(steps);
    for (Step& step : lowered_.steps) step.for_rows = {};  // it reaches into the lowering
  }

 private:
  struct Life {  // of a root: the steps that use it
    std::size_t first = static_cast<std::size_t>(-1), last = 0;
  };
  [[nodiscard]] Life& life_of(const Use& use) { return lives_[lowered_.slots[use.slot].root]; }
  [[nodiscard]] const Life& life_of(const Use& use) const {
    return lives_[lowered_.slots[use.slot].root];
  }
  [[nodiscard]] const Slot& root_of(const Use& use) const {
    return lowered_.slots[lowered_.slots[use.slot].root];
  }

  [[nodiscard]] bool is_large(const Use& use) const {
    return root_of(use).place == Place::activations && root_of(use).layout.get_size() >= kLarge;
  }
  /// Large, and of no use outside steps [begin, end).
  [[nodiscard]] bool is_between(const Use& use, std::size_t begin, std::size_t end) const {
    return is_large(use) && life_of(use).first >= begin && life_of(use).last < end;
  }

  /// The steps from `begin` on of which each reads something large of an earlier one.
  [[nodiscard]] std::size_t end_of_chain(std::size_t begin) const {
    const std::vector<Step>& steps = lowered_.steps;
    std::size_t end = begin + 1;
    if (!steps[begin].for_rows) return end;
    const auto follows = [&](const Step& step) {
      return step.for_rows && !step.begins_section && step.wanted == steps[begin].wanted &&
             std::ranges::any_of(step.uses, [&](const Use& use) {
               return is_large(use) && life_of(use).first >= begin && life_of(use).first < end;
             });
    };
    while (end < steps.size() && follows(steps[end])) ++end;
    // What is used later too cannot be kept for a few samples alone.
    while (end - begin > 1 && !links_all(begin, end)) --end;
    return end;
  }
  [[nodiscard]] bool links_all(std::size_t begin, std::size_t end) const {
    for (std::size_t i = begin + 1; i < end; ++i) {
      if (std::ranges::none_of(lowered_.steps[i].uses, [&](const Use& use) {
            return is_between(use, begin, end) && life_of(use).first < i;
          })) {
        return false;
      }
    }
    return true;
  }

  /// How many samples a round has: a divisor of the batch.
  [[nodiscard]] std::int64_t rows_of_round(std::size_t begin, std::size_t end) const {
    std::size_t largest = 0;
    for (std::size_t i = begin; i < end; ++i) {
      for (const Use& use : lowered_.steps[i].uses) {
        if (is_between(use, begin, end))
          largest = std::max(largest, root_of(use).layout.get_size());
      }
    }
    const std::int64_t batch = lowered_.batch;
    const auto sample = largest / static_cast<std::size_t>(batch);
    std::int64_t rows =
        std::clamp<std::int64_t>(static_cast<std::int64_t>(kOfRound / sample), 1, batch);
    while (batch % rows != 0) --rows;
    return rows;
  }

  /// Nothing where oneDNN has no such kernels for fewer samples.
  std::optional<Step> cut(std::size_t begin, std::size_t end, std::int64_t rows) {
    Step all{.wanted = lowered_.steps[begin].wanted,
             .is_main_work = true,
             .begins_section = lowered_.steps[begin].begins_section,
             .primitive = {},
             .rounds = lowered_.batch / rows};
    std::vector<Slot> slots = lowered_.slots;  // as they will be
    for (std::size_t i = begin; i < end; ++i) {
      const Step& step = lowered_.steps[i];
      std::optional<Step> inner = step.for_rows(rows);
      if (!inner) return std::nullopt;
      inner->name = step.name;
      for (std::size_t u = 0; u < step.uses.size(); ++u) {
        Use& use = inner->uses[u];
        use.slot = step.uses[u].slot;
        const std::size_t whole = root_of(use).layout.get_size();
        if (is_sum(use.argument)) {
          use.partial = slots.size();
          slots.push_back({.layout = use.layout, .root = slots.size()});
          all.uses.push_back({0, use.partial});
        } else if (is_between(use, begin, end)) {
          if (use.layout.get_size() * static_cast<std::size_t>(all.rounds) != whole) return {};
          for (Slot& slot : slots) {
            if (slot.root == slots[use.slot].root) slot.layout = use.layout;
          }
        } else if (!is_fixed(use.argument)) {
          use.stride = use.layout.get_size();
          if (use.stride * static_cast<std::size_t>(all.rounds) != whole) return {};
        }
        all.uses.push_back({0, use.slot});
      }
      all.name += concat(all.name.empty() ? "" : ", ", step.name);
      all.implementation += concat(all.implementation.empty() ? "" : ", ", inner->implementation);
      all.is_main_work = all.is_main_work && step.is_main_work;
      if (inner->scratch.get_size() > all.scratch.get_size()) all.scratch = inner->scratch;
      all.inner.push_back(*std::move(inner));
    }
    all.implementation += concat(" by ", rows);
    lowered_.slots = std::move(slots);
    lives_.resize(lowered_.slots.size());
    return all;
  }

  Lowered& lowered_;
  std::vector<Life> lives_;  // by root
};

}  // namespace

void compute_in_rounds(Lowered& lowered) {
  Rounds(lowered).run();
}

}  // namespace millrace::cpu
