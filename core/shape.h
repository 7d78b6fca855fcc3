#pragma once
// Shapes, element types and views of tensors, by which stages, models and engines describe
// memory. A view owns nothing.

#include <millrace/core/error.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>
#include <type_traits>

namespace millrace {

/// Element types. f16 is IEEE binary16, bf16 the upper half of a binary32.
enum class DType : std::uint8_t { u8, i32, f16, bf16, f32, f64 };

[[nodiscard]] std::size_t size_of(DType type) noexcept;    ///< bytes of one element
[[nodiscard]] const char* to_string(DType type) noexcept;  ///< "u8", "f32", ...

/// The extents of a tensor, outermost first, at most six; row-major, last dimension fastest.
/// A shape without dimensions has one element.
class Shape {
 public:
  static constexpr int kMaxRank = 6;

  constexpr Shape() noexcept = default;
  Shape(std::initializer_list<std::int64_t> extents);

  [[nodiscard]] int rank() const noexcept { return rank_; }
  /// Extent of a dimension; negative counts from the end. Requires -rank() <= dimension < rank().
  [[nodiscard]] std::int64_t operator[](int dimension) const;
  [[nodiscard]] std::int64_t elements() const noexcept;
  [[nodiscard]] std::span<const std::int64_t> extents() const noexcept {
    return {extents_.data(), static_cast<std::size_t>(rank_)};
  }
  /// The same shape with another extent in front: {7, 7, 64}.with_front(32) is {32, 7, 7, 64}.
  [[nodiscard]] Shape with_front(std::int64_t extent) const;
  /// The shape without its first dimension.
  [[nodiscard]] Shape without_front() const;

  friend bool operator==(const Shape&, const Shape&) noexcept = default;

 private:
  std::array<std::int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

[[nodiscard]] std::string to_string(const Shape& shape);  ///< "32x150x150x3"
std::ostream& operator<<(std::ostream& out, const Shape& shape);

/// The element type that a C++ type stands for.
template <class T>
constexpr DType dtype_of() {
  using Element = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Element, std::uint8_t>)
    return DType::u8;
  else if constexpr (std::is_same_v<Element, std::int32_t>)
    return DType::i32;
  else if constexpr (std::is_same_v<Element, float>)
    return DType::f32;
  else if constexpr (std::is_same_v<Element, double>)
    return DType::f64;
  else
    static_assert(!sizeof(T), "no DType stands for this type");
}

/// A view of a dense row-major tensor in memory that somebody else owns. Byte is std::byte or
/// const std::byte.
template <class Byte>
struct BasicTensorView {
  Byte* data = nullptr;
  Shape shape;
  DType dtype = DType::f32;

  BasicTensorView() = default;
  BasicTensorView(Byte* memory, Shape extents, DType type)
      : data(memory), shape(extents), dtype(type) {}
  /// A view of typed memory. Requires: values holds shape.elements() elements.
  template <class T>
  requires(std::is_const_v<Byte> || !std::is_const_v<T>) &&
      (!std::is_same_v<T, Byte>)BasicTensorView(std::span<T> values, Shape extents)
      : data(reinterpret_cast<Byte*>(values.data())),
  shape(extents), dtype(dtype_of<T>()) {
    MILLRACE_CHECK(static_cast<std::int64_t>(values.size()) >= extents.elements(), "a view of ",
                   to_string(extents), " needs more than ", values.size(), " elements");
  }
  /// Every view can be read.
  template <class Other>
  requires(std::is_const_v<Byte>&& std::is_same_v<Other, std::byte>)
      BasicTensorView(const BasicTensorView<Other>& other)  // NOLINT(google-explicit-constructor)
      : data(other.data), shape(other.shape), dtype(other.dtype) {}

  /// The elements as T, which must be the type that `dtype` names.
  template <class T>
  [[nodiscard]] auto as() const {
    using Element = std::conditional_t<std::is_const_v<Byte>, const T, T>;
    MILLRACE_CHECK(dtype_of<T>() == dtype, "the tensor holds ", to_string(dtype), ", not ",
                   to_string(dtype_of<T>()));
    return std::span<Element>(reinterpret_cast<Element*>(data),
                              static_cast<std::size_t>(shape.elements()));
  }
  [[nodiscard]] std::size_t bytes() const noexcept {
    return static_cast<std::size_t>(shape.elements()) * size_of(dtype);
  }
};

using TensorView = BasicTensorView<std::byte>;
using ConstTensorView = BasicTensorView<const std::byte>;

}  // namespace millrace
