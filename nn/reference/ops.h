#pragma once
// The operations of the reference engine, one function for each (kind, pass): plain loops in
// float64 over [samples][height][width][channels] or [samples][features], row-major. Gradients of
// data are overwritten, gradients of parameters too. An empty Flat stands for what is absent.

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace millrace::nn::reference {

/// A span that is indexed with the signed type of extents.
template <class T>
class Flat {
 public:
  Flat() = default;
  Flat(std::span<T> values) : values_(values) {}  // NOLINT(google-explicit-constructor)
  template <class Other>
  requires(std::is_const_v<T>&& std::is_same_v<Other, std::remove_const_t<T>>)
      Flat(Flat<Other> other)
      : values_(other.span()) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] T& operator[](std::int64_t i) const { return values_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] bool empty() const { return values_.empty(); }
  [[nodiscard]] std::span<T> span() const { return values_; }
  [[nodiscard]] T* begin() const { return values_.data(); }
  [[nodiscard]] T* end() const { return values_.data() + values_.size(); }

 private:
  std::span<T> values_;
};
using In = Flat<const double>;
using Out = Flat<double>;

struct DenseSize {
  std::int64_t samples, inputs, units;
};
void dense_forward(const DenseSize& size, In x, In w, In b, Out y);
void dense_backward_data(const DenseSize& size, In dy, In w, Out dx);
void dense_backward_parameters(const DenseSize& size, In x, In dy, Out dw, Out db);

/// A window of rows x columns that slides over an image. For poolings filters equals channels.
struct Sliding {
  std::int64_t samples = 0, height = 0, width = 0, channels = 0;
  std::int64_t out_height = 0, out_width = 0, filters = 0;
  std::int64_t rows = 0, columns = 0, stride = 0;
  std::int64_t top = 0, left = 0;  ///< padding
};
void conv2d_forward(const Sliding& size, In x, In w, In b, Out y);
void conv2d_backward_data(const Sliding& size, In dy, In w, Out dx);
void conv2d_backward_parameters(const Sliding& size, In x, In dy, Out dw, Out db);

/// `winners` gets the index in x of each maximum, the first of equal ones; it may be empty.
void max_pool_forward(const Sliding& size, In x, Out y, Out winners);
void max_pool_backward(In dy, In winners, Out dx);
void avg_pool_forward(const Sliding& size, In x, Out y);
void avg_pool_backward(const Sliding& size, In dy, Out dx);

/// [samples][pixels][channels]: an image as a list of pixels, or pixels = 1 for features.
struct Pixels {
  std::int64_t samples, pixels, channels;
};
void global_avg_pool_forward(const Pixels& size, In x, Out y);
void global_avg_pool_backward(const Pixels& size, In dy, Out dx);

void relu_forward(In x, Out y);
void relu_backward(In dy, In y, Out dx);
void sigmoid_forward(In x, Out y);
void sigmoid_backward(In dy, In y, Out dx);
void softmax_forward(std::int64_t classes, In x, Out y);
void softmax_backward(std::int64_t classes, In dy, In y, Out dx);

/// `mask` holds 0 or 1. Backward is the same function of dy.
void dropout_forward(double rate, In x, In mask, Out y);
void dropout_backward(double rate, In dy, In mask, Out dx);

/// Constants of a batch norm; statistics are [channels].
struct Norm {
  double momentum, epsilon;
  bool biased_variance;
};
void batch_norm_forward(const Pixels& size, const Norm& norm, In x, In gamma, In beta,
                        Out running_mean, Out running_variance, Out y, Out mean, Out variance);
void batch_norm_backward(const Pixels& size, const Norm& norm, In dy, In x, In gamma, In mean,
                         In variance, Out dx, Out dgamma, Out dbeta);
void frozen_batch_norm_forward(const Pixels& size, const Norm& norm, In x, In gamma, In beta,
                               In running_mean, In running_variance, Out y);
void frozen_batch_norm_backward(const Pixels& size, const Norm& norm, In dy, In gamma,
                                In running_variance, Out dx);

}  // namespace millrace::nn::reference
