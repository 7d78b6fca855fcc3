#include <millrace/cpu/engine.h>

#include <millrace/core/error.h>
#include <millrace/cpu/executor.h>
#include <millrace/cpu/onednn.h>

#include <omp.h>

namespace millrace::cpu {
namespace {

class CpuEngine : public nn::Engine {
 public:
  explicit CpuEngine(const EngineOptions& options) : options_(options) {}

  [[nodiscard]] std::string description() const override {
    return concat("cpu: oneDNN ", onednn::version(), ", ", options_.threads,
                  options_.threads == 1 ? " thread, " : " threads, ", onednn::instruction_set());
  }
  [[nodiscard]] Buffer host_buffer(Bytes size) const override { return Buffer(size); }
  [[nodiscard]] Buffer device_buffer(Bytes size) const override { return Buffer(size); }
  [[nodiscard]] bool shares_host_memory() const override { return true; }
  [[nodiscard]] std::unique_ptr<nn::Executor> compile(
      const nn::Model& model, const nn::CompileOptions& options) const override {
    return make_executor(model, options, options_);
  }

 private:
  EngineOptions options_;
};

}  // namespace

std::unique_ptr<nn::Engine> make_engine(EngineOptions options) {
  if (options.threads < 0) {
    throw UsageError(concat("compute threads: ", options.threads,
                            " is negative; use 0 for as many as there are cores"));
  }
  if (options.threads == 0) options.threads = omp_get_num_procs();
  return std::make_unique<CpuEngine>(options);
}

}  // namespace millrace::cpu
