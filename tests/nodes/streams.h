#pragma once
// Streams of numbers, and what Streamed makes of them.

#include "catch.h"

#include <millrace/nodes/streamed.h>

#include <string>
#include <utility>
#include <vector>

namespace millrace::test {

inline Generator<std::uint32_t> count(std::uint32_t n, std::uint32_t first = 0) {
  for (std::uint32_t i = 0; i < n; ++i) co_yield first + i;
}

inline std::vector<std::uint32_t> collected(Generator<std::uint32_t> numbers) {
  std::vector<std::uint32_t> all;
  while (const auto number = numbers.next()) all.push_back(*number);
  return all;
}

/// Training from 1000 times the pass on, validation from 500 on.
inline auto numbers(std::uint32_t training, std::uint32_t validation = 0) {
  return [=](Phase phase, std::uint32_t pass) {
    return phase == Phase::training ? count(training, 1000 * pass) : count(validation, 500);
  };
}

inline HostBatch slot(std::int64_t capacity = 4, std::int64_t targets = 0) {
  return HostBatchFactory{
      .sample = {1}, .dtype = DType::f32, .capacity = capacity, .target_width = targets}();
}

struct Told {
  BatchTag tag;
  std::vector<std::uint32_t> items, passes, index;
  std::vector<std::uint64_t> positions;

  friend bool operator==(const Told& a, const Told& b) {
    return a.tag.phase == b.tag.phase && a.tag.epoch == b.tag.epoch && a.tag.step == b.tag.step &&
           a.tag.steps == b.tag.steps && a.tag.ends_phase == b.tag.ends_phase &&
           a.tag.ends_epoch == b.tag.ends_epoch && a.tag.ends_run == b.tag.ends_run &&
           a.tag.next == b.tag.next && a.items == b.items && a.passes == b.passes &&
           a.index == b.index && a.positions == b.positions;
  }
};

/// All batches of a stream, in slots of four.
template <class Make>
std::vector<Told> batches_of(Make make, StreamedOptions options) {
  Streamed stream(std::move(make), std::move(options));
  HostBatch batch = slot();
  std::vector<Told> told;
  std::vector<std::uint32_t> items;
  while (stream.next(batch, items)) {
    const auto first = [n = batch.size](const auto& values) {
      return std::decay_t<decltype(values)>(values.begin(), values.begin() + n);
    };
    REQUIRE(static_cast<std::int64_t>(items.size()) == batch.size);
    told.push_back(
        {batch.tag, items, first(batch.passes), first(batch.index), first(batch.positions)});
  }
  return told;
}

/// The sizes of batches, those of validation behind a v; | ends a phase, / an epoch, . the run.
inline std::string story(const std::vector<Told>& batches) {
  std::string text;
  for (const Told& batch : batches) {
    if (!text.empty()) text += ' ';
    if (batch.tag.phase == Phase::validation) text += 'v';
    text += std::to_string(batch.items.size());
    if (batch.tag.ends_phase) text += '|';
    if (batch.tag.ends_epoch) text += '/';
    if (batch.tag.ends_run) text += '.';
  }
  return text;
}

}  // namespace millrace::test
