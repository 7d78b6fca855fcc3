// The loss, from logits in the logical order.

#include <millrace/cpu/lower/lowering.h>

#include <span>

namespace millrace::cpu {

void lower_loss(Lowering& lowering, const nn::Op& op) {
  const Shape& shape = lowering.shape(op.x());
  const Layout plain = plain_layout(shape);
  std::vector<SlotId> uses{lowering.in_layout(op.x(), plain)};
  if (op.dx() >= 0) uses.push_back(lowering.make(op.dx(), plain));
  const auto elements = static_cast<std::size_t>(shape.elements());
  lowering.append(
      kLossStep, "loss", uses,
      [elements, k = shape[1], loss = lowering.graph().loss,
       smoothing = lowering.graph().label_smoothing](std::span<std::byte* const> memory, Run& run) {
        const std::span<const float> logits(reinterpret_cast<const float*>(memory[0]), elements);
        std::span<float> gradient;
        if (memory.size() > 1) gradient = {reinterpret_cast<float*>(memory[1]), elements};
        const nn::Batch& batch = *run.batch;
        run.result =
            nn::evaluate_loss<float>(loss, logits, batch.labels, batch.weights, batch.samples, k,
                                     gradient, smoothing, batch.weighs_outputs);
        if (run.share != 1) {  // of what is divided by the whole batch's samples
          for (float& g : gradient) g *= run.share;
        }
      });
}

}  // namespace millrace::cpu
