#include <millrace/core/shape.h>

#include <algorithm>
#include <ostream>

namespace millrace {

std::size_t size_of(DType type) noexcept {
  switch (type) {
    case DType::u8: return 1;
    case DType::f16:
    case DType::bf16: return 2;
    case DType::i32:
    case DType::f32: return 4;
    case DType::f64: return 8;
  }
  return 0;
}

const char* to_string(DType type) noexcept {
  switch (type) {
    case DType::u8: return "u8";
    case DType::i32: return "i32";
    case DType::f16: return "f16";
    case DType::bf16: return "bf16";
    case DType::f32: return "f32";
    case DType::f64: return "f64";
  }
  return "?";
}

Shape::Shape(std::initializer_list<std::int64_t> extents)
    : rank_(static_cast<int>(extents.size())) {
  MILLRACE_CHECK(rank_ <= kMaxRank, "a shape has at most ", kMaxRank, " dimensions, not ", rank_);
  std::copy(extents.begin(), extents.end(), extents_.begin());
}

std::int64_t Shape::operator[](int dimension) const {
  const int at = dimension < 0 ? dimension + rank_ : dimension;
  MILLRACE_CHECK(at >= 0 && at < rank_, "dimension ", dimension, " of a shape with ", rank_);
  return extents_[static_cast<std::size_t>(at)];
}

std::int64_t Shape::elements() const noexcept {
  std::int64_t product = 1;
  for (const std::int64_t extent : extents()) product *= extent;
  return product;
}

Shape Shape::with_front(std::int64_t extent) const {
  MILLRACE_CHECK(rank_ < kMaxRank, "no room for another dimension in ", to_string(*this));
  Shape result;
  result.rank_ = rank_ + 1;
  result.extents_[0] = extent;
  std::copy_n(extents_.begin(), rank_, result.extents_.begin() + 1);
  return result;
}

Shape Shape::without_front() const {
  MILLRACE_CHECK(rank_ > 0, "a shape without dimensions has no first one");
  Shape result;
  result.rank_ = rank_ - 1;
  std::copy_n(extents_.begin() + 1, result.rank_, result.extents_.begin());
  return result;
}

std::string to_string(const Shape& shape) {
  std::string text;
  for (const std::int64_t extent : shape.extents()) {
    if (!text.empty()) text += 'x';
    text += std::to_string(extent);
  }
  return text.empty() ? "scalar" : text;
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  return out << to_string(shape);
}

}  // namespace millrace
