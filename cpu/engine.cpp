#include <millrace/cpu/engine.h>

#include <millrace/core/error.h>
#include <millrace/core/machine_limits.h>
#include <millrace/cpu/executor.h>
#include <millrace/cpu/onednn.h>

#include <utility>

namespace millrace::cpu {
namespace {

class CpuEngine : public nn::Engine {
 public:
  explicit CpuEngine(EngineOptions options) : options_(std::move(options)) {
    if (options_.algorithms != Algorithms::fastest) return;
    timings_ = std::make_shared<Timings>(options_.timings, options_.threads);
  }

  [[nodiscard]] std::string description() const override {
    return concat("cpu: oneDNN ", onednn::version(), ", ", options_.threads,
                  options_.threads == 1 ? " thread, " : " threads, ", onednn::instruction_set());
  }
  [[nodiscard]] Buffer host_buffer(Bytes size) const override { return Buffer(size); }
  [[nodiscard]] Buffer device_buffer(Bytes size) const override { return Buffer(size); }
  [[nodiscard]] bool shares_host_memory() const override { return true; }
  [[nodiscard]] std::unique_ptr<nn::Executor> compile(
      const nn::Model& model, const nn::CompileOptions& options) const override {
    nn::validate(options);
    return std::make_unique<CpuExecutor>(model, options, options_, timings_);
  }
  [[nodiscard]] std::string choices() const override {
    return timings_ == nullptr ? std::string() : timings_->used();
  }

 private:
  EngineOptions options_;
  std::shared_ptr<Timings> timings_;  // null: nothing is timed
};

}  // namespace

std::unique_ptr<nn::Engine> make_engine(EngineOptions options) {
  if (options.threads < 0) {
    throw UsageError(concat("compute threads: ", options.threads,
                            " is negative; use 0 for as many as there are cores"));
  }
  if (options.threads == 0) options.threads = available_threads();
  return std::make_unique<CpuEngine>(std::move(options));
}

}  // namespace millrace::cpu
