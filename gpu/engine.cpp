#include <millrace/gpu/engine.h>

#include <millrace/core/error.h>
#include <millrace/gpu/gpu_executor.h>

#include <utility>

namespace millrace::gpu {
namespace {

class GpuEngine : public nn::Engine {
 public:
  GpuEngine(std::shared_ptr<Device> device, const EngineOptions& options)
      : context_(std::make_shared<Context>(std::move(device), options)) {}

  [[nodiscard]] std::string description() const override {
    const DeviceFacts& facts = context_->device->facts();
    return concat("gpu: ", facts.name, ", capability ", facts.capability / 10, ".",
                  facts.capability % 10, ", CUDA ", facts.cuda, ", cuDNN ", facts.cudnn, ", ",
                  nn::to_string(precision()));
  }
  [[nodiscard]] Buffer host_buffer(Bytes size) const override {
    return context_->device->allocate_pinned(size);
  }
  [[nodiscard]] Buffer device_buffer(Bytes size) const override {
    return context_->device->allocate(size, "a buffer for steps");
  }
  [[nodiscard]] bool shares_host_memory() const override { return false; }
  [[nodiscard]] std::unique_ptr<nn::DeviceInput> device_input(
      const nn::DeviceInputLayout& layout) const override {
    return std::make_unique<InputSlot>(context_, layout);
  }
  [[nodiscard]] Bytes device_input_bytes(const nn::DeviceInputLayout& layout) const override {
    return Bytes{places_of(layout, precision()).bytes};
  }
  [[nodiscard]] std::shared_ptr<nn::ResidentPixels> resident_pixels(
      const Shape& sample, DType pixels, std::int64_t samples) const override {
    return std::make_shared<ResidentMemory>(context_, sample, pixels, samples);
  }
  [[nodiscard]] std::optional<nn::DeviceMemory> device_memory() const override {
    return context_->device->memory();
  }
  [[nodiscard]] nn::Precision precision() const override { return context_->options.precision; }
  [[nodiscard]] std::unique_ptr<nn::Executor> compile(
      const nn::Model& model, const nn::CompileOptions& options) const override {
    return std::make_unique<detail::GpuExecutor>(model, options, context_);
  }

 private:
  std::shared_ptr<Context> context_;
};

}  // namespace

std::shared_ptr<nn::Engine> make_engine(std::shared_ptr<Device> device,
                                        const EngineOptions& options) {
  MILLRACE_CHECK(device != nullptr, "an engine needs a device");
  if (options.precision == nn::Precision::fp16) nn::validate(options.loss_scale);
  constexpr double kMostPatience = 1e6;  // some days
  if (!(options.patience > 0 && options.patience <= kMostPatience)) {
    throw UsageError(concat("patience: ", options.patience, " s is not in 0 to ", kMostPatience));
  }
  const DeviceFacts& facts = device->facts();
  if (options.precision == nn::Precision::bf16 && facts.capability < 80) {
    throw UsageError(concat("precision: bf16 needs a GPU of capability 8.0; ", facts.name, " has ",
                            facts.capability / 10, ".", facts.capability % 10, "; use fp16"));
  }
  return std::make_shared<GpuEngine>(std::move(device), options);
}

}  // namespace millrace::gpu
