#pragma once
// Work on many elements in pieces, for one thread or OpenMP's.

#include <algorithm>
#include <cstdint>

namespace millrace::cpu {

/// Calls body(begin, end) for pieces of [0, count), each of which one thread does.
template <class Body>
void in_pieces(std::int64_t count, Body&& body) {
  constexpr std::int64_t kPiece = 1 << 14;
#pragma omp parallel for schedule(static)
  for (std::int64_t begin = 0; begin < count; begin += kPiece) {
    body(begin, std::min(begin + kPiece, count));
  }
}

}  // namespace millrace::cpu
