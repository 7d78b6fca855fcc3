#include <millrace/nn/window.h>

#include <millrace/core/error.h>

#include <algorithm>

namespace millrace::nn {
namespace {

/// A window along one side.
struct Side {
  std::int64_t extent, size, stride, dilation, before, after;
  [[nodiscard]] std::int64_t reach() const { return (size - 1) * dilation + 1; }
};

Window place_same(const Side& s) {
  const std::int64_t output = (s.extent + s.stride - 1) / s.stride;
  const std::int64_t missing =
      std::max<std::int64_t>((output - 1) * s.stride + s.reach() - s.extent, 0);
  return {.output = output, .before = missing / 2, .after = missing - missing / 2};
}

Window place_padded(const Side& s, bool ceil) {
  Window result{.before = s.before, .after = s.after};
  const std::int64_t room = s.before + s.extent + s.after - s.reach();
  const std::int64_t rounded = ceil ? room + s.stride - 1 : room;
  if (rounded < 0) return result;
  result.output = rounded / s.stride + 1;
  if (ceil && (result.output - 1) * s.stride >= s.before + s.extent) --result.output;
  const std::int64_t end = (result.output - 1) * s.stride + s.reach() - s.before;
  result.beyond = std::max<std::int64_t>(end - s.extent - s.after, 0);
  return result;
}

std::vector<Stretch> stretches_of(const Window& window, const Side& s, bool count_padding) {
  std::vector<Stretch> result;
  for (std::int64_t i = 0; i < window.output; ++i) {
    const std::int64_t first = i * s.stride - window.before, last = first + s.size;
    Stretch stretch{.begin = std::max<std::int64_t>(first, 0), .end = std::min(last, s.extent)};
    stretch.count = count_padding ? std::min(last, s.extent + window.after) - first
                                  : stretch.end - stretch.begin;
    result.push_back(stretch);
  }
  return result;
}

Side rows_of(const SlidingWindow& w, std::int64_t height) {
  return {height, w.size.rows, w.stride.rows, w.dilation.rows, w.padding.top(), w.padding.bottom()};
}
Side columns_of(const SlidingWindow& w, std::int64_t width) {
  return {width,
          w.size.columns,
          w.stride.columns,
          w.dilation.columns,
          w.padding.left(),
          w.padding.right()};
}

}  // namespace

std::string to_string(const Pair& pair) {
  return pair.rows == pair.columns ? std::to_string(pair.rows)
                                   : concat(pair.rows, 'x', pair.columns);
}

std::string to_string(const Padding& padding) {
  if (padding.is_same()) return "same";
  if (padding == Padding::valid) return "valid";
  return concat('[', padding.top(), ", ", padding.bottom(), ", ", padding.left(), ", ",
                padding.right(), ']');
}

Placement place(const SlidingWindow& window, std::int64_t height, std::int64_t width) {
  const auto along = [&window](const Side& side) {
    return window.padding.is_same() ? place_same(side) : place_padded(side, window.ceil);
  };
  return {along(rows_of(window, height)), along(columns_of(window, width))};
}

Stretches stretches(const SlidingWindow& window, std::int64_t height, std::int64_t width,
                    bool count_padding) {
  const auto [down, across] = place(window, height, width);
  return {stretches_of(down, rows_of(window, height), count_padding),
          stretches_of(across, columns_of(window, width), count_padding)};
}

std::vector<Stretch> adaptive_stretches(std::int64_t extent, std::int64_t parts) {
  std::vector<Stretch> result;
  for (std::int64_t i = 0; i < parts; ++i) {
    const std::int64_t begin = i * extent / parts, end = ((i + 1) * extent + parts - 1) / parts;
    result.push_back({begin, end, end - begin});
  }
  return result;
}

}  // namespace millrace::nn
