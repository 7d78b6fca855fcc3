#include "apps/bench/compute_bench.h"

#include "apps/bench/synthetic.h"

#include <millrace/core/error.h>
#include <millrace/core/random.h>
#include <millrace/cpu/engine.h>
#include <millrace/nn/initialize.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nodes/cast.h>
#include <millrace/nodes/copy_to_device.h>
#include <millrace/pipeline/pool.h>
#include <millrace/training/find_model.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <tuple>
#include <utility>

namespace millrace::apps {
namespace {

using Clock = std::chrono::steady_clock;

/// Random samples with labels, as a loading pipeline would have filled them.
void fill(HostBatch& batch, std::int64_t classes, std::uint64_t seed) {
  if (batch.dtype == DType::u8) {
    fill_random(batch.pixels.as<std::uint8_t>(), seed, 0);
  } else {
    Random random(seed, 0, 0, Purpose::synthetic);
    for (float& value : batch.pixels.as<float>()) value = static_cast<float>(random.uniform());
  }
  batch.size = batch.capacity();
  for (std::size_t i = 0; i < batch.labels.size(); ++i) {
    batch.labels[i] = static_cast<std::int32_t>(static_cast<std::int64_t>(i) % classes);
    batch.weights[i] = 1.0F;
    batch.valid[i] = 1;
    batch.positions[i] = i;
  }
  for (std::size_t i = 0; i < batch.targets.size(); ++i)
    batch.targets[i] = i % 3 == 0 ? 1.0F : 0.0F;
}

/// Of models whose outputs are compared with as many numbers; 0: labels are numbers of classes.
std::int64_t target_width(const nn::Model& model) {
  const std::int64_t outputs = output_width(model);
  const nn::LossInfo& loss = nn::loss_info(nn::default_loss(model));
  return model.targets.empty() && loss.takes_class_numbers(outputs) ? 0 : outputs;
}

/// The memory and the nodes of one measurement.
class ComputeBench {
 public:
  ComputeBench(const nn::Model& model, const BenchDevice& device, const BenchOptions& options,
               std::int64_t batch, BenchWatch& watch)
      : model_(model),
        options_(options),
        watch_(watch),
        batch_(batch),
        shares_host_memory_(device.engine->shares_host_memory()),
        executor_(compile(*device.engine)),
        budget_(options.machine.memory_budget.value()),
        host_(make_host_pool(*device.engine)),
        device_("device batch", 1,
                DeviceBatchFactory{.engine = device.engine,
                                   .sample = model.input,
                                   .dtype = host_dtype(),
                                   .capacity = batch,
                                   .target_width = target_width(model),
                                   .weighs_outputs = !model.targets.empty()},
                budget_),
        copy_(device.engine),
        cast_(model.preprocessing, model.input) {
    measured_.batch = batch;
    measured_.training_memory = executor_->memory();
    measured_.evaluation_memory =
        device.engine->compile(model, {.batch = batch, .training = false})->memory();
  }

  ComputeMeasured run() {
    watch_.check();
    executor_->allocate();
    std::vector<float> weights(
        static_cast<std::size_t>(nn::arena_elements(nn::parameters(model_))));
    nn::initialize(model_, options_.seed, weights);
    executor_->write(nn::Arena::parameters, weights);
    watch_.check();
    const Lease<HostBatch> host = host_.try_acquire();
    const Lease<DeviceBatch> on_device = device_.try_acquire();
    const std::int64_t outputs = output_width(model_);
    fill(*host, outputs == 1 ? 2 : outputs, options_.seed);

    int copies = 0;
    measured_.copy_ms = time(
        "copies",
        [&] {
          cast_(copy_({host, on_device}));
        },
        copies);
    const nn::Batch batch = on_device->view();
    const auto train = [&] { executor_->train(batch, ++step_, kLearningRate); };
    measured_.train_ms = time("training steps", train, measured_.train_steps);
    measured_.evaluate_ms = time(
        "evaluation steps", [&] { executor_->evaluate(batch); }, measured_.evaluate_steps);
    if (options_.masks) {
      const auto masked = [&](bool masks) {
        return [&, masks] {
          executor_->mask_updates(masks);
          train();
        };
      };
      std::tie(measured_.masked_ms, measured_.unmasked_ms) =
          time_in_turns("steps with masks and without", masked(true), masked(false));
    }
    if (options_.operations) {
      time_operations(train);
      if (shares_host_memory_) {
        std::tie(measured_.train_ms, measured_.bare_ms) = time_in_turns(
            "steps and bare steps", train, [&] { cpu::run_bare_step(*executor_, batch); });
      }
    }
    return std::move(measured_);
  }

 private:
  static constexpr double kLearningRate = 1e-3;

  [[nodiscard]] DType host_dtype() const {
    const DType stored = model_.input.rank() == 3 ? DType::u8 : DType::f32;
    return nn::host_dtype(model_.preprocessing, stored);
  }
  std::unique_ptr<nn::Executor> compile(const nn::Engine& engine) const {
    nn::CompileOptions compile{.batch = batch_, .masks = options_.masks};
    compile.optimizer.kind = options_.optimizer.kind;
    compile.optimizer.momentum = options_.optimizer.momentum;
    compile.seed = options_.seed;
    return engine.compile(model_, compile);
  }
  Pool<HostBatch> make_host_pool(const nn::Engine& engine) {
    for (const nn::MemoryLine& line : executor_->memory()) {
      if (engine.shares_host_memory()) budget_.charge("model: " + line.name, 1, line.bytes);
    }
    return {"host batch", 1,
            HostBatchFactory{model_.input, host_dtype(), batch_,
                             [&engine](Bytes size) { return engine.host_buffer(size); },
                             target_width(model_)},
            budget_};
  }

  /// Milliseconds a call: repeats of `steps` calls each, after a warm-up. Throws Stopped.
  template <class Step>
  Spread time(const char* part, Step&& call, int& steps) {
    const auto step = [&] {
      watch_.check();
      call();
    };
    watch_.at(part, 0, options_.repeats);
    constexpr double kRepeat = 0.2;  // seconds, where --steps says nothing
    constexpr int kMostSteps = 1000;
    for (int i = 0; i < options_.warmup; ++i) step();
    const auto calibration = Clock::now();
    step();
    const double once = std::chrono::duration<double>(Clock::now() - calibration).count();
    steps = options_.steps > 0             ? options_.steps
            : once * kMostSteps <= kRepeat ? kMostSteps
                                           : static_cast<int>(std::ceil(kRepeat / once));
    std::vector<double> times;
    for (int repeat = 0; repeat < options_.repeats; ++repeat) {
      watch_.at(part, repeat, options_.repeats);
      const auto begin = Clock::now();
      for (int i = 0; i < steps; ++i) step();
      const std::chrono::duration<double, std::milli> taken = Clock::now() - begin;
      times.push_back(taken.count() / steps);
    }
    return spread_of(std::move(times));
  }

  template <class Step>
  void time_operations(Step step) {
    executor_->reset_timings(true);
    watch_.at("operations", 0, 1);
    for (int i = 0; i < measured_.train_steps; ++i) {
      watch_.check();
      step();
    }
    for (const nn::OpTiming& timing : executor_->timings()) {
      if (timing.calls > 0) measured_.operations.push_back(timing);
    }
    executor_->reset_timings(false);
    std::sort(measured_.operations.begin(), measured_.operations.end(),
              [](const nn::OpTiming& a, const nn::OpTiming& b) { return a.seconds > b.seconds; });
  }

  /// Milliseconds a call of two kinds of step, in turns, so that whatever else the machine does
  /// meets both. Throws Stopped.
  template <class First, class Second>
  std::pair<Spread, Spread> time_in_turns(const char* part, First first, Second second) {
    std::vector<double> of_first, of_second;
    const auto timed = [this](std::vector<double>& times, auto&& body) {
      const auto begin = Clock::now();
      for (int i = 0; i < measured_.train_steps; ++i) {
        watch_.check();
        body();
      }
      const std::chrono::duration<double, std::milli> taken = Clock::now() - begin;
      times.push_back(taken.count() / measured_.train_steps);
    };
    for (int repeat = 0; repeat < options_.repeats; ++repeat) {
      watch_.at(part, repeat, options_.repeats);
      timed(of_first, first);
      timed(of_second, second);
    }
    return {spread_of(std::move(of_first)), spread_of(std::move(of_second))};
  }

  const nn::Model& model_;
  const BenchOptions& options_;
  BenchWatch& watch_;
  std::int64_t batch_;
  bool shares_host_memory_;
  std::unique_ptr<nn::Executor> executor_;
  Budget budget_;
  Pool<HostBatch> host_;
  Pool<DeviceBatch> device_;
  CopyToDevice copy_;
  Cast cast_;
  ComputeMeasured measured_;
  std::int64_t step_ = 0;
};

}  // namespace

ComputeMeasured measure_compute(const nn::Model& model, const BenchDevice& device,
                                const BenchOptions& options, std::int64_t batch,
                                BenchWatch& watch) {
  std::int64_t flops = 0;
  for (const nn::LayerSummary& layer : nn::summarize(model)) flops += layer.flops;
  constexpr double kLong = 1e10;  // operations: about a second of one core
  watch.begin(concat(model.name, " at batch ", batch, " on ", device.name),
              static_cast<double>(flops) * static_cast<double>(batch) > kLong);
  return ComputeBench(model, device, options, batch, watch).run();
}

}  // namespace millrace::apps
