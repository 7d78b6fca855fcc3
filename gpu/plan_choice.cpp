#include <millrace/gpu/plan_choice.h>

#include <millrace/core/error.h>

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
constexpr int kRepetitions = 5;
/// A plan that comes later in cuDNN's order must win by more than the noise of a measurement.
constexpr double kTie = 0.95;

void check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) throw Error(concat("CUDA: ", what, ": ", cudaGetErrorString(error)));
}

struct Free {
  void operator()(void* memory) const noexcept { cudaFree(memory); }
};
using Memory = std::unique_ptr<void, Free>;

/// Null where the device has not so much. The bytes make small positive numbers in every precision:
/// NaN and denormals may take another time.
Memory scratch(std::int64_t bytes) {
  void* memory = nullptr;
  const auto size = static_cast<std::size_t>(std::max<std::int64_t>(bytes, 16));
  if (cudaMalloc(&memory, size) != cudaSuccess) {
    cudaGetLastError();  // it is said; the next call must not find it
    return nullptr;
  }
  Memory owner(memory);
  check(cudaMemset(memory, 0x22, size), "filling scratch memory");
  return owner;
}

/// The tensors of a convolution, for measurements.
struct Tensors {
  Memory x, w, y, bias, workspace;

  Tensors(const Convolution& c, Bytes most) {
    const auto element = static_cast<std::int64_t>(size_of(nn::storage_of(c.precision)));
    x = scratch(c.batch * c.height * c.width * c.channels * element);
    w = scratch(c.filters * c.rows * c.columns * c.channels * element);
    y = scratch(c.batch * c.out_height * c.out_width * c.filters * element);
    bias = scratch(c.filters * element);
    workspace = scratch(static_cast<std::int64_t>(most.count));
  }
  [[nodiscard]] explicit operator bool() const { return x && w && y && bias && workspace; }
  [[nodiscard]] ConvolutionMemory memory() const {
    return {x.get(), w.get(), y.get(), bias.get(), workspace.get()};
  }
};

/// A stream and two events for it.
class Clock {
 public:
  Clock() {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "a stream");
    check(cudaEventCreate(&begin_), "an event");
    check(cudaEventCreate(&end_), "an event");
  }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  ~Clock() {
    if (begin_ != nullptr) cudaEventDestroy(begin_);
    if (end_ != nullptr) cudaEventDestroy(end_);
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
  }

  /// The shortest of a few runs, after one that does not count.
  template <class Run>
  double microseconds(const Run& run) {
    run(stream_);
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < kRepetitions; ++i) {
      float milliseconds = 0;
      check(cudaEventRecord(begin_, stream_), "timing a plan");
      run(stream_);
      check(cudaEventRecord(end_, stream_), "timing a plan");
      check(cudaEventSynchronize(end_), "timing a plan");
      check(cudaEventElapsedTime(&milliseconds, begin_, end_), "timing a plan");
      best = std::min(best, milliseconds * 1e3);
    }
    return best;
  }

 private:
  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

/// A plan that was not timed, and says so.
class Guess : public ConvolutionPlan {
 public:
  explicit Guess(std::unique_ptr<CudnnPlan> plan) : plan_(std::move(plan)) {}
  const Convolution& convolution() const override { return plan_->convolution(); }
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

/// The plans that run are compared. Throws the first one's error where none does.
Timed fastest(Cudnn& cudnn, const std::vector<std::unique_ptr<CudnnPlan>>& plans,
              const Tensors& tensors) {
  check(cudaDeviceSynchronize(), "waiting for the device");
  Clock clock;
  Timed best;
  std::string trouble;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    try {
      const double time = clock.microseconds(
          [&](cudaStream_t stream) { cudnn.run(stream, *plans[i], tensors.memory()); });
      if (time < best.microseconds * kTie) best = {i, time};
    } catch (const Error& error) {  // some plans build and then refuse to run; others may not
      cudaGetLastError();
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
  check(cudaSetDevice(device_), "choosing the device");
  cudnn_ = Cudnn::for_current_device(facts.capability);
}

std::unique_ptr<ConvolutionPlan> ConvolutionPlanner::plan(const Convolution& convolution,
                                                          Bytes workspace) {
  const std::lock_guard lock(mutex_);
  check(cudaSetDevice(device_), "choosing the device");
  if (const auto known = cache_.find(convolution, workspace)) {
    auto plans = cudnn_->plans(convolution, workspace, 1, known->plan);
    if (!plans.empty()) return std::move(plans.front());
  }
  auto plans = cudnn_->plans(convolution, workspace, kCandidates);
  if (plans.empty()) return nullptr;
  const Tensors tensors(convolution, largest_workspace(plans));
  if (!tensors) return std::make_unique<Guess>(std::move(plans.front()));
  const Timed best = fastest(*cudnn_, plans, tensors);
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
