#include <millrace/nodes/fit_statistics.h>

#include <millrace/nn/preprocessing.h>
#include <millrace/nodes/add_decoding.h>
#include <millrace/nodes/moments.h>
#include <millrace/nodes/whitening.h>
#include <millrace/pipeline/pipeline.h>

#include <cmath>
#include <memory>
#include <utility>

namespace millrace {
namespace {

constexpr std::int64_t kBatch = 32;

SampleSet spread_over(const SampleSet& set, std::uint32_t count) {
  if (count == 0 || count >= set.size()) return set;
  SampleSet chosen{set.dataset, {}};
  for (std::uint64_t i = 0; i < count; ++i) {
    chosen.samples.push_back(set.samples[static_cast<std::size_t>(i * set.size() / count)]);
  }
  return chosen;
}

void check(const SampleSet& training, const Shape& sample, nn::Preprocessing preprocessing,
           const FitOptions& options) {
  if (!options.center && !options.deviation && !options.zca) {
    throw UsageError("fit: nothing to fit; ask for center, deviation or zca");
  }
  if (options.zca && options.deviation) {
    throw UsageError("fit: whitening makes all deviations equal; leave out deviation or zca");
  }
  if (options.zca && training.dataset->dtype() != DType::u8) {
    throw UsageError("fit: whitening is for images, and the data are rows of numbers");
  }
  if (!(options.zca_epsilon >= 0)) {
    throw UsageError(concat("fit: zca epsilon must be 0 or more, not ", options.zca_epsilon));
  }
  preprocessing.whiten = options.zca;
  preprocessing.whitening.reset();
  nn::check_preprocessing(preprocessing, sample);
}

/// list - decode - batch - add up.
Moments add_up(const SampleSet& set, const Shape& sample, const nn::Preprocessing& preprocessing,
               const FitOptions& options) {
  Pipeline p({.name = "fit statistics",
              .budget = options.budget,
              .threads = options.threads,
              .stall = options.stall});
  DirectoryReader reader(set, {}, {.batch = kBatch, .shuffle = false, .ticket_samples = 4});
  p.charge("index", 1, set.dataset->index_bytes() + reader.bytes());
  p.charge("sums", 1, Moments::bytes(sample, options.zca));
  const auto features = static_cast<std::uint64_t>(sample.elements());
  if (options.zca) p.charge("whitening", 2, Bytes{features * features * sizeof(double)});
  auto host = p.pool<HostBatch>(
      "host batches", 3,
      HostBatchFactory{.sample = sample, .dtype = set.dataset->dtype(), .capacity = kBatch});
  // As they are read, before any step of the preprocessing.
  auto batches = add_decoding(p, host, std::move(reader),
                              {.sample = sample,
                               .preprocessing = nn::with_reading_of(preprocessing, {}),
                               .decoder = options.decoder,
                               .on_bad_image = options.on_bad_image});
  std::unique_ptr<Moments> moments;
  p.sink(batches, {.name = "sums"}, [&](const Lease<HostBatch>& batch) {
    moments->add(batch->rows());
    if (options.watch.progress) options.watch.progress(moments->samples());
  });
  p.check();
  moments =
      std::make_unique<Moments>(sample, options.zca, preprocessing.order == nn::ChannelOrder::bgr);
  if (p.run(options.watch.stop).stopped)
    throw Stopped("stopped while statistics were being fitted");
  return std::move(*moments);
}

}  // namespace

nn::Preprocessing fit_statistics(const SampleSet& training, const Shape& sample,
                                 nn::Preprocessing preprocessing, const FitOptions& options) {
  check(training, sample, preprocessing, options);
  preprocessing.deviation.clear();
  preprocessing.whiten = false;
  preprocessing.whitening.reset();
  const SampleSet chosen = spread_over(training, options.samples);
  if (chosen.size() == 0) throw Error("there is no sample to fit statistics to");
  std::vector<double> pairs;
  std::uint64_t samples = 0;
  const auto scale = static_cast<double>(preprocessing.scale);
  {
    Moments moments = add_up(chosen, sample, preprocessing, options);
    samples = moments.samples();
    if (samples == 0) throw Error("no sample that statistics could be fitted to could be read");
    preprocessing.mean.clear();
    for (const double mean : moments.mean()) {
      preprocessing.mean.push_back(static_cast<float>(mean * scale));
    }
    if (options.deviation) {
      for (const double deviation : moments.deviation()) {
        preprocessing.deviation.push_back(
            static_cast<float>(deviation * std::abs(scale) + nn::kDeviationEpsilon));
      }
    }
    if (options.zca) pairs = moments.take_centred_pairs();
  }
  if (options.zca) {
    for (double& pair : pairs) pair *= scale * scale;
    preprocessing.whiten = true;
    preprocessing.whitening = std::make_shared<const std::vector<float>>(
        zca_matrix(std::move(pairs), samples, options.zca_epsilon));
  }
  nn::check_preprocessing(preprocessing, sample);
  return preprocessing;
}

}  // namespace millrace
