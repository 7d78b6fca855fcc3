#pragma once
// What oneDNN 3 spells otherwise than oneDNN 2 (onednn_2.h has the same functions): a primitive is
// described in one call, results have layouts of their own, windows have dilation. Included by
// onednn.cpp alone.

#include <millrace/cpu/onednn.h>

namespace millrace::cpu::onednn::spelling {

using dnnl::primitive_attr;
using dnnl::prop_kind;

inline Dims dims(const Layout& layout) {
  return layout.get_dims();
}

inline void append_relu(dnnl::post_ops& after) {
  after.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
}

template <class Operation, class... Arguments>
typename Operation::primitive_desc forward(const dnnl::engine& engine, const primitive_attr& attr,
                                           const Arguments&... arguments) {
  return {engine, arguments..., attr};
}

template <class Operation, class Hint, class... Arguments>
typename Operation::primitive_desc backward(const dnnl::engine& engine, const primitive_attr& attr,
                                            const Hint& hint, const Arguments&... arguments) {
  return {engine, arguments..., hint, attr};
}

inline auto pooling_forward(const dnnl::engine& engine, const primitive_attr& attr, prop_kind kind,
                            const Pooling& p) {
  const Window& w = p.window;
  return forward<dnnl::pooling_forward>(engine, attr, kind, p.algorithm, p.source, p.destination,
                                        Dims{w.stride, w.stride}, Dims{w.rows, w.columns},
                                        Dims{0, 0}, Dims{w.top, w.left}, Dims{w.bottom, w.right});
}

inline auto pooling_backward(const dnnl::engine& engine, const primitive_attr& attr,
                             const Pooling& p) {
  const Window& w = p.window;
  const auto hint = pooling_forward(engine, attr, prop_kind::forward_training, p);
  return backward<dnnl::pooling_backward>(engine, attr, hint, p.algorithm, p.source, p.destination,
                                          Dims{w.stride, w.stride}, Dims{w.rows, w.columns},
                                          Dims{0, 0}, Dims{w.top, w.left}, Dims{w.bottom, w.right});
}

inline auto eltwise_forward(const dnnl::engine& engine, const primitive_attr& attr,
                            dnnl::algorithm algorithm, const Layout& data) {
  return forward<dnnl::eltwise_forward>(engine, attr, prop_kind::forward_training, algorithm, data,
                                        data);
}

inline auto eltwise_backward(const dnnl::engine& engine, const primitive_attr& attr,
                             dnnl::algorithm algorithm, const Layout& data) {
  const auto hint = eltwise_forward(engine, attr, algorithm, data);
  return backward<dnnl::eltwise_backward>(engine, attr, hint, algorithm, data, data, data);
}

inline auto softmax_forward(const dnnl::engine& engine, const primitive_attr& attr,
                            const Layout& data) {
  return forward<dnnl::softmax_forward>(engine, attr, prop_kind::forward_training,
                                        dnnl::algorithm::softmax_accurate, data, data, 1);
}

inline auto softmax_backward(const dnnl::engine& engine, const primitive_attr& attr,
                             const Layout& data) {
  const auto hint = softmax_forward(engine, attr, data);
  return backward<dnnl::softmax_backward>(engine, attr, hint, dnnl::algorithm::softmax_accurate,
                                          data, data, data, 1);
}

/// See batch_norm_backward_takes_shift().
constexpr bool kBackwardTakesShift = false;

inline auto batch_norm_forward(const dnnl::engine& engine, const primitive_attr& attr,
                               prop_kind kind, const Layout& data, float epsilon,
                               dnnl::normalization_flags flags) {
  return forward<dnnl::batch_normalization_forward>(engine, attr, kind, data, data, epsilon, flags);
}

inline auto batch_norm_backward(const dnnl::engine& engine, const primitive_attr& attr,
                                const Layout& data, float epsilon, dnnl::normalization_flags flags,
                                const dnnl::batch_normalization_forward::primitive_desc& hint) {
  return backward<dnnl::batch_normalization_backward>(engine, attr, hint, prop_kind::backward, data,
                                                      data, data, epsilon, flags);
}

}  // namespace millrace::cpu::onednn::spelling
