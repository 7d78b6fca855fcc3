#pragma once
// What must be known of all gradients before one weight changes: whether they are finite, and sums
// of squares for L2 and for clips. Sums are float64, in fixed parts whose threads read next to each
// other, then folded twice: results depend on the arena alone.

#include <millrace/gpu/kernels/chunk.h>
#include <millrace/gpu/parameters.h>
#include <millrace/gpu/scalars.h>

#include <cmath>
#include <cstdint>

namespace millrace::gpu {

// A thread that adds up N numbers alone waits for memory about N / 16 times, so sums are folded in
// steps that are about equally long.
inline constexpr std::int64_t kArenaTotals = 128;  // of kArenaParts
inline constexpr std::int64_t kNormTotals = 32;    // of kNormParts

MILLRACE_HOST_DEVICE inline bool is_finite(float value) {
  return std::fabs(value) <= 3.4028234663852886e38F;  // a NaN is not
}

/// Segments in the order of their offsets, looked up by elements that never go back.
class SegmentCursor {
 public:
  MILLRACE_HOST_DEVICE SegmentCursor(const Segment* segments, std::int64_t count)
      : segments_(segments), last_(count - 1) {}

  /// The last segment that begins at or before the element, which is in it or in the gap after it.
  MILLRACE_HOST_DEVICE std::int64_t find(std::int64_t element) {
    if (element < next_) return at_;
    std::int64_t low = at_, high = last_;
    while (low < high) {
      const std::int64_t middle = (low + high + 1) / 2;
      if (segments_[middle].offset <= element) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    at_ = low;
    next_ = at_ < last_ ? segments_[at_ + 1].offset : INT64_MAX;
    return at_;
  }
  MILLRACE_HOST_DEVICE bool is_penalised(std::int64_t element) {
    return segments_ != nullptr && segments_[find(element)].is_penalised != 0;
  }

 private:
  const Segment* segments_;
  std::int64_t last_;
  std::int64_t at_ = 0, next_ = 0;  // next_: offset of the next segment, 0 before the first call
};

/// A chunk a call. All that find a fault write the same.
template <class T>
struct FiniteCheck {
  const T* gradients;
  std::int64_t elements;
  Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kSize = kChunk<T>;
    const auto chunk = read_chunk<kSize>(gradients, i * kSize, elements);
    bool finite = true;
    for (int k = 0; k < kSize; ++k) finite = finite && is_finite(load(chunk.values + k));
    if (!finite) scalars->found_infinite = 1;
  }
};

/// How many chunks a thread asks for before it looks at the first: as many as 64 registers hold.
template <class T>
inline constexpr int kBatch = sizeof(T) == 4 ? 4 : 2;

template <class T, int N, int kCount>
struct Batch {
  Chunk<T, N> chunks[kCount];

  /// Chunk `first` and every `step`-th after it of an arena that ends at `end`; zero if it is
  /// null.
  MILLRACE_HOST_DEVICE void read(const T* arena, std::int64_t offset, std::int64_t first,
                                 std::int64_t step, std::int64_t end) {
#pragma unroll
    for (int b = 0; b < kCount; ++b) {
      chunks[b] = {};
      if (arena == nullptr) continue;
      chunks[b] = read_chunk<N>(arena, offset + (first + b * step) * N, end);
    }
  }
};

/// A part of kArenaParts a call: the sum of squares of penalised weights.
struct WeightSquares {
  const float* weights;
  std::int64_t elements;
  const Segment* segments;
  std::int64_t segment_count;
  double* partials;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t part) const {
    constexpr int kSize = kChunk<float>;
    SegmentCursor cursor(segments, segment_count);
    const std::int64_t chunks = chunks_of(elements, kSize);
    double sum = 0;
    constexpr int kCount = kBatch<float>;
    Batch<float, kSize, kCount> w;
    for (std::int64_t i = part; i < chunks; i += kCount * kArenaParts) {
      w.read(weights, 0, i, kArenaParts, elements);
#pragma unroll
      for (int b = 0; b < kCount; ++b) {
        if (cursor.is_penalised((i + b * kArenaParts) * kSize)) sum += squares(w.chunks[b]);
      }
    }
    partials[part] = sum;
  }
};

/// A part of kArenaParts a call: the squares of penalised weights into partials[part], those of
/// unscaled, penalised gradients into partials[kArenaParts + part]; and the check of FiniteCheck.
template <class T>
struct GradientSquares {
  const T* gradients;
  const float* weights;  ///< null without L2, and so are the segments
  std::int64_t elements;
  const Segment* segments;
  std::int64_t segment_count;
  float slope;  ///< of L2: 2 l2
  double* partials;
  Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t part) const {
    constexpr int kSize = kChunk<T>;
    SegmentCursor cursor(segments, segment_count);
    const std::int64_t chunks = chunks_of(elements, kSize);
    const float unscale = scalars->unscale;
    double of_weights = 0, of_gradients = 0;
    bool finite = true;
    constexpr int kCount = kBatch<T>;
    Batch<T, kSize, kCount> stored;
    Batch<float, kSize, kCount> w;
    for (std::int64_t i = part; i < chunks; i += kCount * kArenaParts) {
      stored.read(gradients, 0, i, kArenaParts, elements);
      w.read(weights, 0, i, kArenaParts, elements);
#pragma unroll
      for (int b = 0; b < kCount; ++b) {
        auto g = floats(stored.chunks[b]);
        for (int k = 0; k < kSize; ++k) {
          finite = finite && is_finite(g.values[k]);
          g.values[k] *= unscale;
        }
        if (cursor.is_penalised((i + b * kArenaParts) * kSize)) {
          of_weights += squares(w.chunks[b]);
          add(g, slope, w.chunks[b]);
        }
        of_gradients += squares(g);
      }
    }
    partials[part] = of_weights;
    partials[kArenaParts + part] = of_gradients;
    if (!finite) scalars->found_infinite = 1;
  }
};

/// kNormParts calls a segment: squares of its unscaled, penalised gradients.
template <class T>
struct NormSquares {
  const T* gradients;
  const float* weights;
  const Segment* segments;
  float slope;
  double* norms;
  const Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kSize = kChunk<T>;
    const Segment segment = segments[i / kNormParts];
    const std::int64_t chunks = chunks_of(segment.count, kSize);
    const std::int64_t end = segment.offset + segment.count;
    const float unscale = scalars->unscale;
    const float* const penalised = segment.is_penalised != 0 ? weights : nullptr;
    double sum = 0;
    constexpr int kCount = kBatch<T>;
    Batch<T, kSize, kCount> stored;
    Batch<float, kSize, kCount> w;
    for (std::int64_t part = i % kNormParts; part < chunks; part += kCount * kNormParts) {
      stored.read(gradients, segment.offset, part, kNormParts, end);
      w.read(penalised, segment.offset, part, kNormParts, end);
#pragma unroll
      for (int b = 0; b < kCount; ++b) {
        auto g = floats(stored.chunks[b]);
        for (int k = 0; k < kSize; ++k) g.values[k] *= unscale;
        if (penalised != nullptr) add(g, slope, w.chunks[b]);
        sum += squares(g);
      }
    }
    norms[i] = sum;
  }
};

/// `totals` calls a group of `parts` numbers: each call adds up every totals-th number and leaves
/// the sum where its first one was.
struct Fold {
  double* values;
  std::int64_t parts, totals;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    double* const group = values + i / totals * parts;
    const std::int64_t first = i % totals;
    double sum = 0;
#pragma unroll 16
    for (std::int64_t k = first; k < parts; k += totals) sum += group[k];
    group[first] = sum;
  }
};

/// The numbers that Fold left, in order.
MILLRACE_HOST_DEVICE inline double total(const double* folded, std::int64_t totals) {
  double sum = 0;
#pragma unroll 16
  for (std::int64_t k = 0; k < totals; ++k) sum += folded[k];
  return sum;
}

/// nn::norm_factor() for each segment, from folded squares, into the first of its numbers.
struct NormFactors {
  double* norms;
  double limit;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t segment) const {
    double* const parts = norms + segment * kNormParts;
    const double norm = std::sqrt(total(parts, kNormTotals));
    parts[0] = limit / (norm < limit ? limit : norm);  // in this order a norm of NaN stays NaN
  }
};

}  // namespace millrace::gpu
