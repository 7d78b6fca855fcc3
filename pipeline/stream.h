#pragma once
// What stages hand on, with its type: streams, and what travels in those that the runtime itself
// makes.

#include <millrace/pipeline/pool.h>
#include <millrace/pipeline/stage.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace millrace {

namespace detail {
class PipelineState;

/// The output of a stage, without its type.
struct StreamEnd {
  std::weak_ptr<PipelineState> pipeline{};
  int stage = -1;
};
}  // namespace detail

/// The typed output of a stage, for building the graph. It may have several consumers: each sees
/// all items, and a slot is free again when all of them are done with it.
template <class T>
class Stream {
 public:
  using value_type = T;

 private:
  friend class Pipeline;
  explicit Stream(detail::StreamEnd end) noexcept : end_(std::move(end)) {}
  detail::StreamEnd end_;
};

/// The bound of a source that needs no pool: how many of its items may be under way at a time. And
/// where in its data it begins, the argument of a factory `make(Position)`.
struct Slots {
  int count;
  Position begin{};
};
[[nodiscard]] constexpr Slots slots(int count, Position begin = {}) noexcept {
  return {count, begin};
}

/// The items of one source call that are left, in the order in which the source emitted them.
template <class T>
struct Group {
  std::vector<T> items;
  std::uint64_t number = 0;  ///< from 0; source calls that emit nothing have none
  std::uint32_t lost = 0;    ///< how many were skipped on the way
};

/// An item and a slot of another pool, from Pipeline::with.
template <class T, class Slot>
struct With {
  T item;
  Lease<Slot> slot;
};

}  // namespace millrace
