#pragma once
// One interface to the samples of generators, ranges and callables, and the size of a sample's
// memory.

#include <millrace/core/error.h>
#include <millrace/nodes/detail/stream_cursor.h>
#include <millrace/pipeline/pipeline.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace millrace {
namespace detail {

// ---- what a factory makes ----------------------------------------------------------------------

template <class Make>
inline constexpr bool goes_there = std::invocable<Make&, Phase, std::uint32_t, std::uint64_t>;

template <class Make>
decltype(auto) make_stream(Make& make, const StreamStart& start) {
  if constexpr (goes_there<Make>)
    return make(start.phase, start.pass, start.begin);
  else
    return make(start.phase, start.pass);
}

template <class Make>
struct MadeBy {
  using type = Refused;
};
template <class Make>
requires goes_there<Make> || std::invocable<Make&, Phase, std::uint32_t>
struct MadeBy<Make> {
  using type = decltype(make_stream(std::declval<Make&>(), StreamStart{}));
};
/// A stream, or a reference to a range; Refused where there is no such thing.
template <class Make>
using made_t = typename MadeBy<Make>::type;

template <class Made>
concept HasNext = requires(Made& made) {
  *made.next();
  made.next().has_value();
};
template <class Made>
concept IsCalled = requires(Made& made) {
  *made();
  made().has_value();
};

template <class Made>
constexpr auto sample_type() {
  if constexpr (HasNext<Made>)
    return std::type_identity<std::remove_cvref_t<decltype(*std::declval<Made&>().next())>>();
  else if constexpr (std::ranges::input_range<Made>)
    return std::type_identity<std::ranges::range_value_t<Made>>();
  else if constexpr (IsCalled<Made>)
    return std::type_identity<std::remove_cvref_t<decltype(*std::declval<Made&>()())>>();
  else
    return std::type_identity<Refused>();
}
template <class Made>
using stream_sample_t = typename decltype(sample_type<Made>())::type;

/// Whether the elements of a range are its own, and so may be moved from: then a constant range has
/// constant ones. Those of a reference, a span or a view belong to somebody else, who may need them
/// for another epoch.
template <class Made>
constexpr bool owns_elements() {
  if constexpr (std::is_reference_v<Made> || !std::ranges::input_range<const Made>)
    return false;
  else
    return !std::same_as<std::ranges::range_reference_t<const Made>,
                         std::ranges::range_reference_t<Made>>;
}

/// A stream that has begun. In place, since iterators may refer to their range.
template <class Made>
class Begun {
 public:
  template <class Make>
  Begun(Make& make, const StreamStart& start) : made_(make_stream(make, start)) {}
  Begun(const Begun&) = delete;
  Begun& operator=(const Begun&) = delete;

  std::optional<stream_sample_t<Made>> next() {
    if constexpr (HasNext<Made>) {
      return made_.next();
    } else if constexpr (std::ranges::input_range<Made>) {
      if (!at_)
        at_.emplace(std::ranges::begin(made_));
      else
        ++*at_;
      if (*at_ == std::ranges::end(made_)) return std::nullopt;
      if constexpr (owns_elements<Made>())
        return std::optional<stream_sample_t<Made>>(std::ranges::iter_move(*at_));
      else
        return std::optional<stream_sample_t<Made>>(**at_);
    } else {
      return made_();
    }
  }

 private:
  template <class M, bool is_iterated>
  struct IteratorOf {
    using type = int;
  };
  template <class M>
  struct IteratorOf<M, true> {
    using type = std::ranges::iterator_t<M>;
  };
  static constexpr bool is_iterated = !HasNext<Made> && std::ranges::input_range<Made>;
  Made made_;
  std::optional<typename IteratorOf<Made, is_iterated>::type> at_;  // of a range
};

/// The stream of a phase, with what was pulled ahead of it. A stop ends it early.
template <class Made>
class SampleStream {
 public:
  using Sample = stream_sample_t<Made>;

  [[nodiscard]] bool is_open() const noexcept { return is_open_; }
  /// Throws Error if the stream ends before the sample that it is to begin with.
  template <class Make>
  void open(Make& make, const StreamStart& start, const std::stop_token& stop) {
    // A factory that goes there itself does so to the sample before, which shows whether the stream
    // still reaches that far.
    const bool skips = goes_there<Make> && start.begin > 0;
    const std::uint64_t first = skips ? start.begin - 1 : 0;
    begun_ = std::make_unique<Begun<Made>>(make, StreamStart{start.phase, start.pass, first});
    is_open_ = true;
    for (std::uint64_t i = first; i < start.begin && !stop.stop_requested(); ++i) {
      if (!pull()) refuse_end(start, skips ? std::nullopt : std::optional(i));
    }
  }
  void close() noexcept {
    ahead_.clear();
    begun_.reset();
    is_open_ = false;
  }

  [[nodiscard]] std::optional<Sample> next() {
    if (ahead_.empty()) return pull();
    std::optional<Sample> sample(std::move(ahead_.front()));
    ahead_.pop_front();
    return sample;
  }
  /// Whether so many samples follow.
  [[nodiscard]] bool has(std::size_t count, const std::stop_token& stop) {
    while (ahead_.size() < count && !stop.stop_requested()) {
      std::optional<Sample> sample = pull();
      if (!sample) return false;
      ahead_.push_back(*std::move(sample));
    }
    return ahead_.size() >= count;
  }

 private:
  /// What has ended is not asked again.
  std::optional<Sample> pull() {
    if (begun_ == nullptr) return std::nullopt;
    std::optional<Sample> sample = begun_->next();
    if (!sample) begun_.reset();
    return sample;
  }

  std::unique_ptr<Begun<Made>> begun_;  // null after its end
  std::deque<Sample> ahead_;
  bool is_open_ = false;
};

// ---- what a sample holds -----------------------------------------------------------------------

template <class R>
concept ByteRange = std::ranges::sized_range<const R> && sizeof(std::ranges::range_value_t<R>) == 1;
template <class T>
concept HasBytes = requires(const T& sample) {
  requires ByteRange<std::remove_cvref_t<decltype(sample.bytes)>>;
};
template <class T>
concept HasPayload = requires(const T& sample) {
  { payload_bytes(sample) } -> std::convertible_to<Bytes>;
};
template <class T>
inline constexpr bool tells_payload = HasPayload<T> || HasBytes<T> || ByteRange<T>;

/// Bytes that a sample holds.
template <class T>
std::uint64_t payload_of(const T& sample) {
  if constexpr (HasPayload<T>)
    return Bytes(payload_bytes(sample)).count;
  else if constexpr (HasBytes<T>)
    return static_cast<std::uint64_t>(std::ranges::size(sample.bytes));
  else
    return static_cast<std::uint64_t>(std::ranges::size(sample));
}

}  // namespace detail
}  // namespace millrace
