// Counts what is allocated, by replacing the global operator new of this program.

#include <millrace/core/buffer.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "catch.h"
#include "cpu/compare.h"

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

// oneDNN makes a table of a primitive's arguments each time it runs, a few hundred bytes that it
// frees again; there is no way around it. Own loops allocate nothing.
TEST_CASE("A step allocates nothing but the tables of arguments inside the library") {
  constexpr std::int64_t kThreads = 2;
  const bool in_slices = GENERATE(false, true);
  const nn::Model model = GENERATE(model_in_parts(), model_with_everything());
  const cpu::Sharing sharing = in_slices ? cpu::Sharing::slices : cpu::Sharing::together;
  const auto executor = test::executor(
      *cpu::make_engine({.threads = kThreads, .sharing = sharing}), model, options());
  for (const std::int64_t samples : {16, 6}) {
    const test::OwnedBatch data(model, kSoftmax, samples, 1);
    for (std::int64_t t = 1; t <= 2; ++t) executor->train(data.batch(), t, 1e-3);
    executor->reset_timings(true);
    executor->train(data.batch(), 3, 1e-3);
    std::int64_t primitives = 0;
    for (const nn::OpTiming& timing : executor->timings()) {
      const bool is_own = timing.implementation.starts_with("millrace:");
      if (timing.calls > 0 && !is_own) ++primitives;
    }
    executor->reset_timings(false);
    reset_counts();
    executor->train(data.batch(), 4, 1e-3);
    CHECK(largest.load() <= 512);
    CHECK(allocations.load() <= 12 * primitives * (in_slices ? kThreads : 1));
    CHECK(allocations.load() == frees.load());
    CHECK(arena_bytes.load() == 0);
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
