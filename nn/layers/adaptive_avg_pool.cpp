#include <millrace/nn/layers/adaptive_avg_pool.h>

#include <millrace/nn/reference/sliding.h>

namespace millrace::nn {

using reference::BasicCall;

void AdaptiveAvgPool::list(FieldList& fields) {
  fields.required("rows", &rows);
  fields.required("columns", &columns);
}

LayerShape AdaptiveAvgPool::infer(const LayerInput& input) const {
  input.require_image();
  const std::int64_t channels = input.shape()[2];
  input.product({input.positive("rows", rows), input.positive("columns", columns), channels});
  return {.output = {rows, columns, channels}};
}

template <class Real>
void AdaptiveAvgPool::forward(const BasicCall<Real>& call) const {
  average(call, parts(call.input()[0], call.input()[1]));
}

template <class Real>
void AdaptiveAvgPool::backward(const BasicCall<Real>& call) const {
  average_backward(call, parts(call.input()[0], call.input()[1]));
}

MILLRACE_LOOPS_OF(AdaptiveAvgPool)

}  // namespace millrace::nn
