// Counts what is allocated, by replacing the global operator new of this program.

#include <millrace/core/buffer.h>
#include <millrace/nn/average.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <utility>
#include <vector>

#include "catch.h"
#include "cpu/compare.h"
#include "engines/foreign_kind.h"

namespace {

// Counted from any thread, read between steps; relaxed suffices for counts.
std::atomic<std::int64_t> allocations{0}, frees{0}, largest{0}, arena_bytes{0};

void* take(std::size_t size, std::size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  const auto bytes = static_cast<std::int64_t>(size);
  if (bytes > largest.load(std::memory_order_relaxed)) {
    largest.store(bytes, std::memory_order_relaxed);
  }
  if (alignment == 64) arena_bytes.fetch_add(bytes, std::memory_order_relaxed);
  const std::size_t padded = (size + alignment - 1) / alignment * alignment;
  void* const memory = std::aligned_alloc(alignment, padded == 0 ? alignment : padded);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void give(void* memory) noexcept {
  if (memory != nullptr) frees.fetch_add(1, std::memory_order_relaxed);
  std::free(memory);
}

void reset_counts() {
  for (auto* count : {&allocations, &frees, &largest, &arena_bytes}) count->store(0);
}

}  // namespace

void* operator new(std::size_t size) {
  return take(size, alignof(std::max_align_t));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return take(size, static_cast<std::size_t>(alignment));
}
// The library's own form calls the first; AddressSanitizer's would not, and give() would free what
// it made.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept try {
  return take(size, alignof(std::max_align_t));
} catch (const std::bad_alloc&) {
  return nullptr;
}
void operator delete(void* memory) noexcept {
  give(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  give(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  give(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  give(memory);
}

using namespace millrace;
using nn::ModelBuilder;

namespace {

constexpr auto kSoftmax = nn::Loss::softmax_cross_entropy;

nn::Model model_with_everything() {
  ModelBuilder builder("m", {40, 36, 3});
  builder.conv(32).batch_norm().relu().max_pool().dropout(0.2F).conv(24).relu().avg_pool();
  return builder.flatten().dense(500).relu().dropout(0.5F).dense(10).softmax().build();
}

/// Nothing in it needs the whole batch.
nn::Model model_in_parts() {
  ModelBuilder builder("m", {40, 36, 3});
  builder.conv(32).relu().max_pool().dropout(0.2F).conv(32).relu().avg_pool();
  return builder.flatten().dense(500).relu().dropout(0.5F).dense(10).softmax().build();
}

/// Values that meet and part, and kinds of loops of our own; one of them is a user's.
nn::Model model_with_branches() {
  ModelBuilder builder("m", {20, 18, 3});
  const auto nothing = [](ModelBuilder&) {};
  const auto same = [](ModelBuilder& b) { b.conv(16, 3, nn::Padding::same); };
  builder.zero_padding(1, 0, 2, 1).conv(16).relu();
  builder.residual([&](ModelBuilder& b) {
    b.depthwise_conv(3, nn::Padding::same).scale(0.5F).batch_norm().stochastic_depth(0.3F);
  });
  builder.relu().branches({same, nothing, same}).concat().layer_norm();
  builder.branches({nothing, [](ModelBuilder& b) { b.global_avg_pool().dense(48).sigmoid(); }});
  builder.multiply().add(test::SlopedRelu{.strength = 2}).max_pool().upsample();
  builder.branches({same, same, same}).add().gelu().adaptive_avg_pool(3, 2);
  return builder.flatten().dense(10).softmax().build();
}

nn::CompileOptions options() {
  return {.batch = 16, .other_batches = {6}, .optimizer = {.kind = nn::OptimizerKind::adam}};
}

}  // namespace

TEST_CASE("Compiling allocates nothing large, and allocate() takes what memory() says") {
  for (const cpu::Algorithms algorithms :
       {cpu::Algorithms::direct, cpu::Algorithms::winograd, cpu::Algorithms::fastest}) {
    for (const nn::Model& model : {model_with_everything(), model_in_parts()}) {
      const auto engine = cpu::make_engine({.threads = 2, .algorithms = algorithms});
      reset_counts();
      const auto executor = engine->compile(model, options());
      const Bytes expected = nn::total(executor->memory());
      if (algorithms == cpu::Algorithms::fastest) {  // the memory of a trial, gone by now
        CHECK(largest.load() < static_cast<std::int64_t>(expected.count));
      } else {
        CHECK(largest.load() < 256 * 1024);
        CHECK(arena_bytes.load() == 0);
      }
      CHECK(expected > 5_MiB);
      reset_counts();
      executor->allocate();
      CHECK(arena_bytes.load() == static_cast<std::int64_t>(expected.count));
    }
  }
}

namespace {

/// Calls of oneDNN's primitives in a step.
template <class Step>
std::int64_t primitive_calls(nn::Executor& executor, Step&& step) {
  executor.reset_timings(true);
  step();
  std::int64_t calls = 0;
  for (const nn::OpTiming& timing : executor.timings()) {
    if (!timing.implementation.starts_with("millrace:")) calls += timing.calls;
  }
  executor.reset_timings(false);
  return calls;
}

/// oneDNN makes a table of a primitive's arguments each time it runs, a few hundred bytes that it
/// frees again, in so many pieces at most; there is no way around it.
constexpr std::int64_t kPieces = 12;

}  // namespace

TEST_CASE("A step allocates nothing but the tables of arguments inside the library") {
  constexpr std::int64_t kThreads = 2;
  const bool in_slices = GENERATE(false, true);
  const nn::Model model =
      GENERATE(model_in_parts(), model_with_everything(), model_with_branches());
  const bool in_groups = GENERATE(false, true);
  const cpu::Sharing sharing = in_slices ? cpu::Sharing::slices : cpu::Sharing::together;
  nn::CompileOptions compile = options();
  if (in_groups) {
    compile.accumulate = 2;
    compile.average = 0.9;
  }
  const auto executor =
      test::executor(*cpu::make_engine({.threads = kThreads, .sharing = sharing}), model, compile);
  INFO(model.name << (in_slices ? ", in slices" : ", together") << (in_groups ? ", groups" : ""));
  for (const std::int64_t samples : {16, 6}) {
    const test::OwnedBatch data(model, kSoftmax, samples, 1);
    std::int64_t t = 0;
    const auto step = [&] {
      if (!in_groups) return (void)executor->train(data.batch(), ++t, 1e-3);
      executor->start_accumulate(data.batch(), true);
      executor->drop_group();
      executor->start_accumulate(data.batch(), true);
      executor->start_accumulate(data.batch(), false);
      executor->start_update(++t, 1e-3);
      (void)executor->finish();
      const nn::AverageScope averages(*executor);
      (void)executor->evaluate(data.batch());
    };
    step();
    step();
    const std::int64_t calls = primitive_calls(*executor, step);
    reset_counts();
    step();
    CHECK(largest.load() <= 512);
    CHECK(allocations.load() <= kPieces * calls * (in_slices ? kThreads : 1));
    CHECK(allocations.load() == frees.load());
    CHECK(arena_bytes.load() == 0);
  }
}

TEST_CASE("Loops of our own allocate nothing") {
  using Builder = ModelBuilder;
  struct Cost {
    std::int64_t allocations, calls;
  };
  const auto cost_of = [](const Builder::Branch& with) {
    Builder builder("m", {6, 4, 8});
    builder.scale(0.5F);  // so that what comes behind it has gradients to pass on
    with(builder);
    const nn::Model model = builder.flatten().dense(4).softmax().build();
    const auto executor =
        test::executor(*cpu::make_engine({.threads = 1}), model, {.batch = 6, .average = 0.9});
    const test::OwnedBatch data(model, kSoftmax, 6, 1);
    std::int64_t t = 0;
    const auto step = [&] { (void)executor->train(data.batch(), ++t, 1e-3); };
    step();
    const std::int64_t calls = primitive_calls(*executor, step);
    reset_counts();
    step();
    return Cost{allocations.load(), calls};
  };
  const auto scale = [](Builder& b) { b.scale(2); };
  const auto nothing = [](Builder&) {};
  const Cost plain = cost_of(nothing);
  const std::vector<std::pair<const char*, Builder::Branch>> kinds{
      {"add",
       [&](Builder& b) {
         b.residual(scale).relu().branches({scale, scale, scale}).add();
       }},
      {"concat",
       [&](Builder& b) {
         b.branches({scale, nothing, scale}).concat();
       }},
      {"multiply",
       [&](Builder& b) {
         b.branches({scale, nothing}).multiply();
       }},
      {"scale", scale},
      {"batch norm", [](Builder& b) { b.batch_norm().relu(); }},
      {"layer norm", [](Builder& b) { b.layer_norm(); }},
      {"max pooling", [](Builder& b) { b.max_pool(); }},
      {"adaptive pooling", [](Builder& b) { b.adaptive_avg_pool(4, 3); }},
      {"upsample", [](Builder& b) { b.upsample(); }},
      {"zero padding", [](Builder& b) { b.zero_padding(1, 0, 2, 1); }},
      {"dropout", [](Builder& b) { b.dropout(0.3F); }},
      {"stochastic depth", [](Builder& b) { b.stochastic_depth(0.3F); }},
      {"a user's own", [](Builder& b) { b.add(test::SlopedRelu{.strength = 2}); }},
      {"a user's own over rows", [](Builder& b) { b.add(test::Centred{}); }}};
  for (const auto& [name, with] : kinds) {
    const Cost cost = cost_of(with);
    INFO(name << ": " << cost.calls << " primitives beside " << plain.calls);
    CHECK(cost.allocations <= plain.allocations + kPieces * (cost.calls - plain.calls));
  }
}

TEST_CASE("Parameters, gradients and both moments are as large as each other but for padding") {
  const auto executor =
      cpu::make_engine({.threads = 1})->compile(model_with_everything(), options());
  const auto lines = executor->memory();
  REQUIRE(lines.size() == 5);
  CHECK(lines[0].name == "parameters");
  CHECK(lines[1].name == "gradients");
  CHECK(lines[2].name == "optimizer state");
  CHECK(lines[2].bytes == 2 * lines[1].bytes);
  CHECK(lines[0].bytes >= lines[1].bytes);  // running statistics have no gradient
}
