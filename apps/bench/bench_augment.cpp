// millrace bench augment: what random changes of images cost one core.

#include "apps/bench/bench.h"

#include <millrace/core/error.h>
#include <millrace/core/number_text.h>
#include <millrace/core/random.h>
#include <millrace/nodes/augment.h>
#include <millrace/training/find_model.h>

#include <time.h>
#include <algorithm>
#include <iostream>
#include <utility>

namespace millrace::apps {
namespace {

constexpr std::int64_t kImages = 16;  // of a batch: more than the first caches hold
constexpr double kSeconds = 0.2;      // of a repeat, about

/// Processor time of this thread: what others do on a shared machine is not counted.
double thread_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// The generator example of the recipe cnn-augmented.
AugmentOptions usual_changes() {
  AugmentOptions o;
  o.rotation_range = 40;
  o.width_shift_range = o.height_shift_range = 0.2;
  o.shear_range = 0.2;
  o.zoom_range = {0.8, 1.2};
  o.horizontal_flip = true;
  return o;
}

Ticket noise(Pool<HostBatch>& pool, std::uint64_t seed) {
  Ticket ticket{pool.try_acquire(), 0, static_cast<std::uint32_t>(kImages)};
  HostBatch& batch = *ticket.batch;
  batch.size = kImages;
  std::fill(batch.valid.begin(), batch.valid.end(), std::uint8_t{1});
  for (std::int64_t i = 0; i < kImages; ++i) {
    Random random(seed, 0, static_cast<std::uint64_t>(i), Purpose::synthetic);
    for (std::uint8_t& sample : batch.row(i).as<std::uint8_t>()) {
      sample = static_cast<std::uint8_t>(random.bits() >> 24);
    }
  }
  return ticket;
}

/// Changes the images of a batch again and again, each time with other random numbers.
class Rounds {
 public:
  Rounds(Augment augment, Ticket ticket) : augment_(std::move(augment)), ticket_(ticket) {}

  double seconds_of(std::int64_t rounds) {
    const double start = thread_seconds();
    for (std::int64_t i = 0; i < rounds; ++i) {
      for (std::uint64_t& position : ticket_.batch->positions) position = next_++;
      augment_(ticket_);
    }
    return thread_seconds() - start;
  }

 private:
  Augment augment_;
  Ticket ticket_;
  std::uint64_t next_ = 0;
};

/// Seconds an image.
Spread measure(const AugmentOptions& options, const Shape& sample, const BenchOptions& o,
               BenchWatch& watch) {
  Budget budget;
  Pool<HostBatch> pool("images", 1, HostBatchFactory{.sample = sample, .capacity = kImages},
                       budget);
  Rounds rounds(Augment(options, o.seed, sample), noise(pool, o.seed));
  std::int64_t n = 1;
  while (rounds.seconds_of(n) < kSeconds / 2) {  // warms up, too
    watch.check();
    n *= 2;
  }
  std::vector<double> seconds;
  for (int i = 0; i < o.repeats; ++i) {
    watch.at("changes", i, o.repeats);
    seconds.push_back(rounds.seconds_of(n) / static_cast<double>(n * kImages));
  }
  return spread_of(std::move(seconds));
}

Spread scaled(const Spread& spread, double factor) {
  return {spread.median * factor, spread.min * factor, spread.max * factor};
}

void print(const BenchOptions& o, const Shape& sample, const Spread& seconds) {
  const double pixels = static_cast<double>(sample[0] * sample[1]);
  const Spread us = scaled(seconds, 1e6), ns = scaled(seconds, 1e9 / pixels);
  if (o.prints_text()) {
    std::cout << sample << ", uint8: " << text_of(us, 1) << " us an image, " << text_of(ns, 2)
              << " ns a pixel, " << with_commas(static_cast<std::uint64_t>(1 / seconds.median))
              << " images/s a core\n";
  }
  if (o.json.empty()) return;
  write_json(o, {{"command", "bench augment"},
                 {"input", to_string(sample)},
                 {"us_a_picture", json_of(us)},
                 {"ns_a_pixel", json_of(ns)},
                 {"machine", machine_facts(o)}});
}

}  // namespace

int bench_augment(const std::vector<std::string>& arguments) {
  BenchOptions o;
  o.input = "150x150x3";
  CommandLine line("bench augment", "bench augment [OPTIONS]",
                   "Times random changes of uint8 images on one core, in processor time. Without "
                   "options of augmentation, those of the recipe cnn-augmented are used.");
  line.topic("measurement", "Measurement");
  line("input", o.input, "HxWxC", "images of noise");
  line("repeats", o.repeats, "N", "measurements; median, min and max are shown", at_least(1));
  line("seed", o.seed, "N", "of the noise and the changes");
  line("json", o.json, "FILE", "write all numbers and the machine's facts; - for standard output");
  list_augmentation(line, o.augmentation);
  if (!line.parse(arguments)) return 0;
  check_and_choose("bench augment", o);
  const Shape sample = parse_sample_shape(o.input, "bench augment: --input");
  if (sample.rank() != 3) throw UsageError("bench augment: --input must be HxWxC, such as 28x28x1");
  AugmentOptions options = o.augmentation;
  if (options.is_identity()) {  // the usual changes, in the way that was asked for
    AugmentOptions usual = usual_changes();
    usual.fill_mode = o.augmentation.fill_mode;
    usual.cval = o.augmentation.cval;
    usual.interpolation_order = o.augmentation.interpolation_order;
    usual.keras_compat = o.augmentation.keras_compat;
    options = usual;
  }

  return stoppable([&](BenchWatch& watch) {
    constexpr int kMany = 50;  // 10 seconds
    watch.begin(concat("images of ", sample), o.repeats >= kMany);
    const Spread seconds = measure(options, sample, o, watch);
    watch.clear();
    print(o, sample, seconds);
  });
}

}  // namespace millrace::apps
