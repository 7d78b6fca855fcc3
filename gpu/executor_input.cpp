#include <millrace/gpu/gpu_executor.h>

#include <millrace/core/error.h>

#include <cstddef>

namespace millrace::gpu::detail {

void GpuExecutor::check_labels(InputSlot::LabelRange labels) const {
  const std::int64_t classes = nn::loss_info(loss_).classes(outputs_);
  if (labels.smallest >= 0 && labels.largest < classes) return;
  throw Error(concat("labels: the batch has label ",
                     labels.smallest < 0 ? labels.smallest : labels.largest, "; expected 0 to ",
                     classes - 1));
}

void GpuExecutor::check_slot(const InputSlot& slot, const nn::Batch& batch,
                             bool needs_labels) const {
  MILLRACE_CHECK(slot.context() == context_.get(), "the batch lies in a slot of another engine");
  const nn::DeviceInputLayout& layout = slot.layout();
  if (layout.sample != model_.input) {
    throw Error(concat("gpu: the slot holds samples of ", layout.sample, "; the model '",
                       model_.name, "' expects ", model_.input));
  }
  MILLRACE_CHECK(batch.samples >= 1 && batch.samples <= slot.samples(), "a batch of ",
                 batch.samples, " samples in a slot that has ", slot.samples());
  if (!needs_labels) return;
  if (layout.weighs_outputs) nn::check_weighs_outputs(loss_);
  const std::int64_t width = target_width(layout);
  const bool may_be_index = nn::loss_info(loss_).takes_class_numbers(outputs_);
  if (width == 0 ? !may_be_index : width != outputs_) {
    throw Error(concat("gpu: the slot has ", width, " targets a sample for ", outputs_,
                       " outputs of the model '", model_.name, "'"));
  }
  if (width == 0) check_labels(slot.labels());
}

InputSlot& GpuExecutor::upload(const nn::Batch& batch, bool needs_labels) {
  nn::check_batch(batch, model_, options_.batch, needs_labels);
  const ConstTensorView& labels = batch.labels;
  const bool has_targets = labels.data != nullptr && labels.dtype == DType::f32;
  const bool has_indices = labels.data != nullptr && labels.dtype == DType::i32;
  if (needs_labels && !has_targets && !has_indices) {
    throw Error(concat("labels: ", to_string(labels.dtype), " ", labels.shape,
                       "; expected i32 [N] or f32 [N][", outputs_, "]"));
  }
  const std::int64_t width = has_targets ? labels.shape.elements() / labels.shape[0] : 0;
  const bool weighs_outputs = needs_labels && batch.weighs_outputs && !batch.weights.empty();
  if (!own_slot_ || own_slot_->layout().target_width != width ||
      own_slot_->layout().weighs_outputs != weighs_outputs) {
    settle();
    own_slot_.emplace(context_, nn::DeviceInputLayout{.sample = model_.input,
                                                      .pixels = DType::f32,
                                                      .capacity = options_.batch,
                                                      .target_width = width,
                                                      .weighs_outputs = weighs_outputs});
  }
  nn::HostSamples samples{.pixels = batch.input.data,
                          .weights = needs_labels ? batch.weights : std::span<const float>(),
                          .positions = batch.positions,
                          .pass = batch.pass,
                          .samples = batch.samples};
  if (has_targets) samples.targets = labels.as<float>();
  if (has_indices) samples.labels = labels.as<std::int32_t>();
  own_slot_->upload(samples).wait();
  const auto channels = static_cast<std::size_t>(model_.input[-1]);
  const nn::Normalization identity{std::vector<float>(channels, 1.0F),
                                   std::vector<float>(channels, 0.0F)};
  own_slot_->cast(identity).wait();
  return *own_slot_;
}

GpuExecutor::StepInput GpuExecutor::on_device(const nn::Batch& batch, bool needs_labels) {
  check_allocated();
  InputSlot* slot = nullptr;
  if (batch.device == nullptr) {
    slot = &upload(batch, needs_labels);
  } else {
    slot = dynamic_cast<InputSlot*>(batch.device);
    MILLRACE_CHECK(slot != nullptr, "the batch lies in a slot of another engine");
  }
  check_slot(*slot, batch, needs_labels);
  return {*slot, 0, batch.samples, batch.pass};
}

void GpuExecutor::check_rows(const StepInput& input, std::int64_t rows) const {
  const std::int64_t last = input.first + rows;
  if (last > input.slot.layout().capacity) {
    throw Error(concat("gpu: a step of ", rows, " rows from row ", input.first,
                       " on needs a slot of ", last, ", not ", input.slot.layout().capacity));
  }
}

}  // namespace millrace::gpu::detail
