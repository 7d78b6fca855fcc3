#pragma once
// Differences between oneDNN 2 and 3: in 3 a primitive is described in one call and not by its
// operation first, results have their own layouts, windows have dilation. Included only by
// onednn.cpp.

#include <oneapi/dnnl/dnnl.hpp>

#if DNNL_VERSION_MAJOR >= 3
#define MILLRACE_SINCE_3(...) __VA_ARGS__,  // arguments that oneDNN 2 does not take
#else
#define MILLRACE_SINCE_3(...)
#endif

namespace millrace::cpu::onednn::versions {

template <class Operation, class... Arguments>
typename Operation::primitive_desc forward(const dnnl::engine& engine,
                                           const dnnl::primitive_attr& attr,
                                           const Arguments&... arguments) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, arguments..., attr};
#else
  return {typename Operation::desc(arguments...), attr, engine};
#endif
}

template <class Operation, class Hint, class... Arguments>
typename Operation::primitive_desc backward(const dnnl::engine& engine,
                                            const dnnl::primitive_attr& attr, const Hint& hint,
                                            const Arguments&... arguments) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, arguments..., hint, attr};
#else
  return {typename Operation::desc(arguments...), attr, engine, hint};
#endif
}

inline void append_eltwise(dnnl::post_ops& after, dnnl::algorithm function, float alpha,
                           float beta) {
#if DNNL_VERSION_MAJOR >= 3
  after.append_eltwise(function, alpha, beta);
#else
  after.append_eltwise(1.0F, function, alpha, beta);
#endif
}

inline dnnl::memory::dims dims(const dnnl::memory::desc& layout) {
#if DNNL_VERSION_MAJOR >= 3
  return layout.get_dims();
#else
  return layout.dims();
#endif
}

}  // namespace millrace::cpu::onednn::versions
