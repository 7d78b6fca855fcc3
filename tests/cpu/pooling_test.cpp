// Maximum pooling by our own kernels, and steps that are computed a few samples at a time.

#include <millrace/core/random.h>
#include <millrace/cpu/kernels/pooling.h>

#include <algorithm>
#include <string>
#include <vector>

#include "catch.h"
#include "cpu/compare.h"

using namespace millrace;
using nn::Arena;
using nn::ModelBuilder;
using test::OwnedBatch;

namespace {

struct Pooled {
  std::vector<float> y, dx;
  friend bool operator==(const Pooled&, const Pooled&) = default;
};

std::size_t pixels(const cpu::Windows& w) {
  return static_cast<std::size_t>(w.images * w.rows * w.columns * w.channels);
}
std::size_t pooled_pixels(const cpu::Windows& w) {
  return static_cast<std::size_t>(w.images * (w.rows / w.size) * (w.columns / w.size) * w.channels);
}

/// Pixel by pixel, as the definition says; the first of equal ones is the largest.
Pooled by_definition(const cpu::Windows& w, const std::vector<float>& x,
                     const std::vector<float>& dy, bool relu) {
  Pooled result{.y = {}, .dx = std::vector<float>(x.size())};
  const auto at = [&](std::int64_t image, std::int64_t row, std::int64_t column, std::int64_t c) {
    return static_cast<std::size_t>(((image * w.rows + row) * w.columns + column) * w.channels + c);
  };
  for (std::int64_t n = 0; n < w.images; ++n) {
    for (std::int64_t i = 0; i < w.rows / w.size; ++i) {
      for (std::int64_t j = 0; j < w.columns / w.size; ++j) {
        for (std::int64_t c = 0; c < w.channels; ++c) {
          std::size_t most = at(n, i * w.size, j * w.size, c);
          for (std::int64_t k = 0; k < w.size * w.size; ++k) {
            const std::size_t p = at(n, i * w.size + k / w.size, j * w.size + k % w.size, c);
            if (x[p] > x[most]) most = p;
          }
          const float derivative = dy[result.y.size()];
          result.dx[most] = relu && x[most] <= 0 ? 0 : derivative;
          result.y.push_back(x[most]);
        }
      }
    }
  }
  return result;
}

Pooled by_kernels(const cpu::Windows& w, const std::vector<float>& x, const std::vector<float>& dy,
                  bool relu) {
  // What the kernels must overwrite.
  Pooled result{.y = std::vector<float>(dy.size(), 7), .dx = std::vector<float>(x.size(), 7)};
  std::vector<std::uint8_t> index(dy.size(), 255);
  cpu::max_pool(w, x.data(), result.y.data(), index.data());
  cpu::max_pool_backward(w, dy.data(), relu ? result.y.data() : nullptr, index.data(),
                         result.dx.data());
  return result;
}

}  // namespace

TEST_CASE("Maximum pooling is what its definition says, to the bit") {
  for (const std::int64_t size : {1, 2, 3, 15}) {
    for (const std::int64_t channels : {1, 5, 16, 40}) {  // below, at and beside a vector
      const cpu::Windows w{
          .images = 3, .rows = 17, .columns = 16 + size, .channels = channels, .size = size};
      INFO(size << "x" << size << ", " << channels << " channels");
      Random random(1, 0, static_cast<std::uint64_t>(size * 100 + channels), Purpose::user);
      std::vector<float> x(pixels(w)), dy(pooled_pixels(w));
      // Few different values: many windows have several that are largest.
      for (float& v : x) v = std::round(static_cast<float>(random.normal()) * 2);
      for (float& v : dy) v = static_cast<float>(random.normal());
      CHECK(by_kernels(w, x, dy, false) == by_definition(w, x, dy, false));
      CHECK(by_kernels(w, x, dy, true) == by_definition(w, x, dy, true));
    }
  }
}

TEST_CASE("Steps in rounds of a few samples give what whole batches give, in less memory") {
  // For processors before AVX2 oneDNN has no such kernel of gradients. 22 MiB lie between
  // convolution and pooling of a slice, more than the 16 from which on rounds pay.
  ModelBuilder builder("m", {150, 150, 3});
  const nn::Model model = builder.conv(32).relu().max_pool().flatten().dense(3).softmax().build();
  const nn::CompileOptions options{.batch = 16, .optimizer = {.learning_rate = 0.01}};
  const auto rounds = test::executor(*cpu::make_engine({.threads = 2}), model, options);
  const auto whole = test::executor(
      *cpu::make_engine({.threads = 2, .sharing = cpu::Sharing::together}), model, options);
  const auto steps = rounds->timings();
  for (const char* name : {"conv1 forward + relu, max_pool1 forward",
                           "max_pool1 backward data, conv1 backward parameters"}) {
    CHECK(std::ranges::any_of(steps, [&](const nn::OpTiming& step) { return step.name == name; }));
  }
  const auto activations = [](const nn::Executor& executor) {
    const auto lines = executor.memory();
    const auto line = std::ranges::find(lines, "activations", &nn::MemoryLine::name);
    return static_cast<double>(line->bytes.count);
  };
  CHECK(activations(*rounds) < 0.67 * activations(*whole));
  for (const std::int64_t samples : {16, 11}) {
    const OwnedBatch data(model, nn::Loss::softmax_cross_entropy, samples, 3);
    CHECK(rounds->gradients(data.batch()).loss_sum ==
          Approx(whole->gradients(data.batch()).loss_sum).epsilon(1e-5));
    test::check_arena(*rounds, *whole, Arena::gradients);
    test::check_close("prediction", test::predict(*rounds, data.batch()),
                      test::predict(*whole, data.batch()));
  }
}
