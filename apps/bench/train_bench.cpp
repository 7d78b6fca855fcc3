#include "apps/bench/train_bench.h"

#include "apps/bench/step_costs.h"
#include "apps/common/gpu.h"

#include <millrace/core/error.h>
#include <millrace/io/watch.h>
#include <millrace/pipeline/threads.h>
#include <millrace/training/compose_training.h>
#include <millrace/training/prepare_training.h>
#include <millrace/training/run_memory.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace millrace::apps {
namespace {

struct Counts {
  std::int64_t samples = 0, steps = 0;
};

TrainSpec spec_of(const BenchOptions& o, const BenchDevice& device, std::int64_t batch,
                  const Dataset& dataset) {
  TrainSpec t;
  t.model.name = o.model;
  t.model.cache_features = FeatureCache::no;  // a step is that of the whole model
  t.images.size = o.size;
  const Shape natural = dataset.natural_shape();
  if (o.subject.empty() && natural.rank() == 3) {
    t.images.size = ImageSize{static_cast<int>(natural[0]), static_cast<int>(natural[1])};
    t.images.channels = static_cast<int>(natural[2]);
  }
  t.epochs = o.epochs;
  t.data.limit_batches = o.limit_batches;
  t.data.replay = o.replay;
  t.data.resident = o.resident;
  t.batch = batch;
  t.optimizer = o.optimizer;
  t.seed = o.seed;
  t.augmentation = o.augmentation;
  t.machine.device = device.name == "gpu" ? Device::gpu : Device::cpu;
  t.machine.threads = o.machine.threads;
  t.machine.compute_threads = o.machine.compute_threads;
  t.machine.memory_budget = o.machine.memory_budget;
  return t;
}

/// A pipeline that counts on in its counts, run again and again.
class Repeated {
 public:
  Repeated(Pipeline& pipeline, const Counts& counts) : pipeline_(pipeline), counts_(counts) {}

  /// Keeps what is not a warm-up. Throws Stopped. Returns the seconds that it took.
  double run(bool is_warm_up, const std::stop_token& stop) {
    before_ = counts_;
    Report report = pipeline_.run(stop);
    if (report.stopped) throw Stopped("stopped on request");
    const double seconds = report.wall_s;
    if (!is_warm_up) reports_.push_back(std::move(report));
    return seconds;
  }
  [[nodiscard]] std::int64_t steps() const { return counts_.steps - before_.steps; }

  [[nodiscard]] Runs result() && {
    std::sort(reports_.begin(), reports_.end(),
              [](const Report& a, const Report& b) { return a.wall_s < b.wall_s; });
    std::vector<double> seconds;
    for (const Report& report : reports_) seconds.push_back(report.wall_s);
    return {spread_of(std::move(seconds)), counts_.samples - before_.samples, steps(),
            reports_[reports_.size() / 2]};
  }

 private:
  Pipeline& pipeline_;
  const Counts& counts_;
  Counts before_;
  std::vector<Report> reports_;
};

/// The loading half with nothing behind it: what the training half could at most get.
Pipeline compose_loading(const Training& t, Counts& counts) {
  Pipeline p({.name = "loading alone",
              .budget = t.spec.machine.memory_budget.value(),
              .threads = t.spec.machine.threads});
  p.sink(t.feed->add(p, FeedStart::of(*t.state)), {.name = "drop"},
         [&counts](const Lease<HostBatch>& batch) {
           counts.samples += batch->size;
           counts.steps += batch->tag.count;
         });
  return p;
}

void measure_in_turns(const Training& t, const BenchOptions& o, TrainMeasured& m,
                      BenchWatch& watch) {
  constexpr double kAlone = 0.5;  // seconds of a turn for each kind of steps alone
  const int cores = available_threads();
  Counts loaded, trained;
  Pipeline loading = compose_loading(t, loaded);
  Pipeline training = compose_training(t, {}, {.on_step = [&trained](const StepRecord& r) {
                                         trained.samples += r.result.samples;
                                         trained.steps += r.steps;
                                       }});
  training.check();
  m.planned = training.plan().charged;
  allocate(t);
  std::optional<StepBench> alone;
  if (t.engine->shares_host_memory()) alone.emplace(t);
  Repeated loads(loading, loaded), trains(training, trained);
  std::vector<double> loop_ms, loading_ms, bare_ms, update_ms, multiples;
  for (int i = 0; i < o.warmup + o.repeats; ++i) {
    const bool is_warm_up = i < o.warmup;
    watch.at("epochs", i, o.warmup + o.repeats);
    const double start = process_cpu_seconds();
    loads.run(is_warm_up, watch.stop());
    const double cpu = process_cpu_seconds() - start;
    const double wall = trains.run(is_warm_up, watch.stop());
    if (!alone || is_warm_up) continue;
    const auto steps = static_cast<double>(trains.steps());
    const auto enough = static_cast<std::int64_t>(std::ceil(kAlone * steps / wall));
    const StepCosts costs = alone->measure(std::min(trains.steps(), enough), watch.stop());
    loading_ms.push_back(1e3 * cpu / steps);
    loop_ms.push_back(costs.loop_ms);
    bare_ms.push_back(costs.bare_ms);
    update_ms.push_back(costs.update_ms);
    multiples.push_back(1e3 * wall / steps * cores /
                        (loading_ms.back() + costs.bare_ms + costs.update_ms));
  }
  m.loading = std::move(loads).result();
  m.training = std::move(trains).result();
  if (alone) {
    m.costs = {spread_of(std::move(loop_ms)),   spread_of(std::move(loading_ms)),
               spread_of(std::move(bare_ms)),   spread_of(std::move(update_ms)),
               spread_of(std::move(multiples)), t.spec.machine.compute_threads};
  }
}

}  // namespace

TrainMeasured measure_training(const TrainingData& data, const BenchDevice& device,
                               const BenchOptions& o, std::int64_t batch, BenchWatch& watch) {
  watch.begin(concat("training at batch ", batch, " on ", device.name));
  const Training t = prepare_training(spec_of(o, device, batch, *data.training.dataset), data,
                                      device.engine, {}, {.planned_memory = planned_gpu_memory});
  check_device_memory(t);
  (void)t.feed->load({{}, watch.stop()});
  TrainMeasured m;
  m.batch = batch;
  measure_in_turns(t, o, m, watch);

  if (const std::string fed = t.feed->remark(); !fed.empty()) {
    m.training.report.remarks.push_back(fed);
  }
  const Report& report = m.training.report;
  m.steps = m.training.steps;
  const auto steps = static_cast<double>(m.steps);
  const auto busy_ms = [&](const char* stage) {
    const StageReport& s = report.stage(stage);
    return 1e3 * (s.device_s > 0 ? s.device_s : s.busy_s) / steps;
  };
  m.loading_ms = 1e3 * m.loading.seconds.median / steps;
  m.copying_ms = busy_ms("copy") + busy_ms("cast");
  const double device_ms = 1e3 * t.state->device_s / static_cast<double>(o.warmup + o.repeats);
  m.computing_ms = device_ms > 0 ? device_ms / steps : busy_ms("train");
  m.together_ms = 1e3 * m.training.seconds.median / steps;
  return m;
}

}  // namespace millrace::apps
