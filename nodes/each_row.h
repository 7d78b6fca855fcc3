#pragma once
// The samples of a stream (streamed.h) into their rows of the batch, by a function of the user's.
//
//   auto drawn = p.then(rows, {.name = "draw", .concurrency = kAllThreads},
//                       EachRow([](const Shape& shape, Row row) {
//                         draw(shape, image_of(row.image()), row.random());
//                         row.label(shape.kind);
//                       }));

#include <millrace/core/error.h>
#include <millrace/nodes/row.h>
#include <millrace/nodes/streamed.h>
#include <millrace/pipeline/stage.h>

#include <concepts>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace millrace {

namespace detail {

/// What the first parameter of `f(const T&, Row)` is; Refused where it cannot be known.
template <class Call>
struct RowSample {
  using type = Refused;
};
template <class A, class B, class... Rest>
struct RowSample<void(A, B, Rest...)> {
  using type = std::remove_cvref_t<A>;
};
template <class F>
using row_sample_t = typename RowSample<typename CallOfObject<F>::type>::type;

template <class T>
concept HasName = requires(const T& sample) {
  { sample.name } -> std::convertible_to<std::string_view>;
};

}  // namespace detail

/// A node: Rows<T> -> Ticket. Calls `f(sample, row)` for each sample, or `f(sample, row, context)`;
/// f takes a `const T&` or `T&`, returns nothing and is copied for each call beside others.
///
/// A row's pixels are 0 before; afterwards it is valid. What f throws (std::exception) makes the
/// row a hole under skip() and ends the run under fail(); its neighbours are not lost with it. The
/// message begins with the sample's member `name`, if it has one, else with its position. In a
/// batch with targets of classes, a sample with a label alone gets the row of zeros and a one; one
/// with neither is an error too, as is a label or a target that is none by the options.
template <class F>
class EachRow {
  using T = detail::row_sample_t<F>;
  static constexpr bool is_known = !detail::is_refused<T>;
  static_assert(
      is_known,
      "EachRow(f) reads the type of a sample from the signature of f, which is no template: "
      "void f(const Sample&, Row), with an optional Context& at the end");

 public:
  explicit EachRow(F f, EachRowOptions options = {})
      : f_(std::move(f)), options_(std::move(options)) {}
  static constexpr bool writes_in_place = true;

  Ticket operator()(Rows<T>& rows, Context& context) {
    HostBatch& batch = *rows.batch;
    const auto count = static_cast<std::uint32_t>(rows.items.size());
    for (std::uint32_t i = 0; i < count; ++i) batch.valid[rows.first + i] = 0;
    for (std::uint32_t i = 0; i < count && !context.is_stopping(); ++i) {
      fill(rows.items[i], batch, rows.first + i, context);
    }
    return {rows.batch, rows.first, count};
  }
  /// What was refused takes everything: one message is enough.
  template <class Any>
  requires(!is_known) Ticket operator()(Any&, Context&) { return {}; }
  /// The sample that a call is busy with, for the watch over stalled runs.
  [[nodiscard]] std::string part_name(std::uint64_t part) const { return detail::row_name(part); }
  [[nodiscard]] Bytes scratch() const noexcept { return options_.scratch; }

 private:
  void fill(T& sample, HostBatch& batch, std::uint32_t i, Context& context) {
    context.begin_part(detail::row_part(batch, i));
    detail::RowNotes notes{.spreads = options_.writes_pixels && batch.dtype == DType::f32};
    const Row row(batch, i, options_.seed, notes);
    try {
      row.clear();
      if constexpr (std::invocable<F&, T&, Row>)
        f_(sample, row);
      else if constexpr (is_known)
        f_(sample, row, context);
      row.finish(options_);
      batch.valid[i] = 1;
    } catch (const std::exception& error) {  // lack of memory too: one sample is lost, not all
      context.skip(named(sample, batch, i, error.what()));
    }
  }
  static std::string named(const T& sample, const HostBatch& batch, std::uint32_t i,
                           std::string_view what) {
    std::string name;
    if constexpr (detail::HasName<T>) name = std::string_view(sample.name);
    if (name.empty()) name = detail::row_name(detail::row_part(batch, i));
    return what.starts_with(name) ? std::string(what) : concat(name, ": ", what);
  }

  F f_;
  EachRowOptions options_;
};

}  // namespace millrace
