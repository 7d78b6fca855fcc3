#include <millrace/gpu/cuda/plan_choice.h>

#include <millrace/core/error.h>
#include <millrace/gpu/cuda/cuda_objects.h>

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace millrace::gpu {
namespace {

constexpr std::size_t kCandidates = 8;
/// A plan that comes later in cuDNN's order must win by more than the noise of a measurement.
constexpr double kTie = 0.95;

/// The tensors of a convolution, for measurements. The bytes make small positive numbers in every
/// precision: NaN and denormals may take another time.
struct Tensors {
  Buffer x, w, y, bias, workspace;

  Tensors(const Convolution& c, Bytes most) {
    const auto tensor = [&](std::int64_t elements) {
      const std::size_t size = size_of(nn::storage_of(c.precision));
      return detail::scratch(static_cast<std::size_t>(elements) * size, 0x22);
    };
    x = tensor(c.batch * c.height * c.width * c.channels);
    w = tensor(c.filters * c.rows * c.columns * c.channels);
    y = tensor(c.batch * c.out_height * c.out_width * c.filters);
    bias = tensor(c.filters);
    workspace = detail::scratch(std::max<std::uint64_t>(most.count, 16), 0x22);  // never null
  }
  [[nodiscard]] ConvolutionMemory memory() const {
    return {x.data(), w.data(), y.data(), bias.data(), workspace.data()};
  }
};

/// A plan that was not timed, and says so.
class Guess : public ConvolutionPlan {
 public:
  explicit Guess(std::unique_ptr<CudnnPlan> plan) : plan_(std::move(plan)) {}
  const Convolution& operation() const override { return plan_->operation(); }
  Bytes workspace() const override { return plan_->workspace(); }
  std::string implementation() const override {
    return plan_->implementation() + " (not timed: too little memory was free)";
  }
  const CudnnPlan& plan() const { return *plan_; }

 private:
  std::unique_ptr<CudnnPlan> plan_;
};

/// Which plan was fastest, and how fast.
struct Timed {
  std::size_t index = 0;
  double microseconds = std::numeric_limits<double>::infinity();
};

/// The plans that run are compared, each over a few runs after one that does not count. Throws the
/// first one's error where none does.
Timed fastest(Cudnn& cudnn, const std::vector<std::unique_ptr<CudnnPlan>>& plans,
              const Tensors& tensors) {
  constexpr int kRepetitions = 5;
  detail::check_cuda(cudaDeviceSynchronize(), "timing of a plan");
  const detail::StreamHandle stream = detail::make_stream("timing");
  Timed best;
  std::string trouble;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    try {
      const double time =
          1e6 * detail::least_seconds(
                    stream.get(), [&] { cudnn.run(stream.get(), *plans[i], tensors.memory()); },
                    kRepetitions, 1);
      if (time < best.microseconds * kTie) best = {i, time};
    } catch (const Error& error) {  // some plans build and then refuse to run; others may not
      (void)cudaGetLastError();
      if (trouble.empty()) trouble = error.what();
    }
  }
  if (std::isinf(best.microseconds)) throw Error(trouble);
  return best;
}

Bytes largest_workspace(const std::vector<std::unique_ptr<CudnnPlan>>& plans) {
  Bytes most;
  for (const auto& plan : plans) most = std::max(most, plan->workspace());
  return most;
}

}  // namespace

ConvolutionPlanner::ConvolutionPlanner(int device, const DeviceFacts& facts,
                                       std::filesystem::path cache)
    : device_(device), cache_(std::move(cache), facts.name, cudnn_version()) {
  detail::use_device(device_);
  cudnn_ = Cudnn::for_current_device(facts.capability);
}

std::unique_ptr<ConvolutionPlan> ConvolutionPlanner::plan(const Convolution& convolution,
                                                          Bytes workspace) {
  const std::lock_guard lock(mutex_);
  detail::use_device(device_);
  if (const auto known = cache_.find(convolution, workspace)) {
    auto plans = cudnn_->plans(convolution, workspace, 1, known->plan);
    if (!plans.empty()) return std::move(plans.front());
  }
  auto plans = cudnn_->plans(convolution, workspace, kCandidates);
  if (plans.empty()) return nullptr;
  const auto tensors = detail::if_it_fits<Tensors>(convolution, largest_workspace(plans));
  if (!tensors) return std::make_unique<Guess>(std::move(plans.front()));
  const Timed best = fastest(*cudnn_, plans, *tensors);
  auto& plan = plans[best.index];
  cache_.keep(convolution, workspace, {plan->implementation(), best.microseconds});
  return std::move(plan);
}

void ConvolutionPlanner::run(void* stream, const ConvolutionPlan& plan,
                             const ConvolutionMemory& memory) {
  const auto* guess = dynamic_cast<const Guess*>(&plan);
  cudnn_->run(stream, guess != nullptr ? guess->plan() : dynamic_cast<const CudnnPlan&>(plan),
              memory);
}

}  // namespace millrace::gpu
