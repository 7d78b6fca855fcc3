#include <millrace/gpu/kernels.h>
#include <millrace/gpu/kernels/arguments.h>
#include <millrace/gpu/kernels/column_launches.h>

namespace millrace::gpu {

std::int64_t sum_parts(std::int64_t rows) noexcept {
  return std::clamp((rows + kRowsOfPart - 1) / kRowsOfPart, std::int64_t{1}, kMostParts);
}

namespace {

template <bool kRelu>
Launch columns(const char* name, Type type, const void* dy, const void* y, void* dx,
               float* partials, const Plane& plane) {
  return with_type(type, [&]<class T>() {
    return part_sums(name,
                     GradientColumns<T, kRelu>{.dy = static_cast<const T*>(dy),
                                               .y = static_cast<const T*>(y),
                                               .dx = static_cast<T*>(dx),
                                               .row_count = plane.rows,
                                               .channels = plane.channels,
                                               .stored = plane.stored},
                     plane, partials);
  });
}

}  // namespace

Launch column_sums(Type type, const void* dy, const void* y, void* dx, float* partials,
                   const Plane& plane) {
  check_plane("column_sums", type, plane);
  check_memory("column_sums", {dy, partials});
  const std::size_t bytes = bytes_of(type, plane.elements());
  if (y == nullptr) {
    return columns<false>("column_sums", type, dy, nullptr, nullptr, partials, plane)
        .reads(dy, bytes);
  }
  check_memory("column_sums", {y, dx});
  return columns<true>("relu_backward_column_sums", type, dy, y, dx, partials, plane)
      .reads(dy, bytes)
      .reads(y, bytes)
      .writes(dx, bytes);
}

Launch column_totals(Type type, const float* partials, void* db, const Plane& plane) {
  check_plane("column_totals", type, plane);
  check_memory("column_totals", {partials, db});
  return with_type(type,
                   [&]<class T>() {
                     return total_sums("column_totals",
                                       ColumnTotals<T>{static_cast<T*>(db), plane.channels}, plane,
                                       partials);
                   })
      .writes(db, bytes_of(type, plane.stored));
}

}  // namespace millrace::gpu
