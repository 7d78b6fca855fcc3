#pragma once
// Turns the callables of users into the untyped bodies of the runtime, and says at the call site
// what a callable must look like.

#include <millrace/pipeline/detail/spec.h>
#include <millrace/pipeline/pending.h>

#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace millrace {

namespace detail {

struct Nothing {};

/// What a stage gives whose callable was refused at compile time: one message is enough, so
/// whatever reads such a stream says nothing more.
struct Refused {};
template <class T>
inline constexpr bool is_refused = std::is_same_v<T, Refused>;
template <class Out, class... In>
using unless_refused = std::conditional_t<(is_refused<In> || ...), Refused, Out>;

/// Why a callable cannot be used: Pipeline says it in words, the first that is found and no other.
enum class Flaw { none, input, no_move, no_signature, takes, returns };

/// What cannot be copied goes into one run, and is called once at a time.
template <class F>
inline constexpr bool runs_once = !std::is_copy_constructible_v<F>;

/// A callable as it was given, for each run and every concurrent call a copy of it. One that cannot
/// be copied is handed out once.
template <class F>
class Given {
 public:
  explicit Given(F f) : f_(std::make_shared<F>(std::move(f))) {}
  [[nodiscard]] F take() const {
    if constexpr (runs_once<F>)
      return std::move(*f_);
    else
      return *f_;
  }

 private:
  std::shared_ptr<F> f_;  // shared, since std::function must be copyable
};

template <class T>
struct Optional {
  static constexpr bool is_optional = false;
  using type = T;
};
template <class T>
struct Optional<std::optional<T>> {
  static constexpr bool is_optional = true;
  using type = T;
};

template <class T>
struct PendingOf {
  static constexpr bool is_pending = false;
  using type = T;
};
template <class T>
struct PendingOf<Pending<T>> {
  static constexpr bool is_pending = true;
  using type = T;
};

/// The memory that a callable says it holds: a node for each call, a node's copies together, what a
/// source emits for a pool or for so many slots.
template <class F>
Bytes scratch_of(const F& f) {
  if constexpr (requires {
                  { f.scratch() } -> std::convertible_to<Bytes>;
                })
    return f.scratch();
  else
    return {};
}
template <class F, class Slots>
Bytes payload_beside(const F& f, const Slots& slots) {
  if constexpr (requires {
                  { f.payload(slots) } -> std::convertible_to<Bytes>;
                })
    return f.payload(slots);
  else
    return {};
}
template <class F>
Bytes shared_scratch_of(const F& f) {
  if constexpr (requires {
                  { f.shared_scratch() } -> std::convertible_to<Bytes>;
                })
    return f.shared_scratch();
  else
    return {};
}

// ---- nodes: Out(const In&) or Out(const In&, Context&), or the same with In&; Out may be optional
// or Pending --------------------------------------------------------------------------------------

template <class F, class In>
concept Reader = std::invocable<F&, const In&> || std::invocable<F&, const In&, Context&>;

template <class F, class In>
inline constexpr bool is_called_with =
    Reader<F, In> || std::invocable<F&, In&> || std::invocable<F&, In&, Context&>;

/// Whether a node writes into what it is given.
template <class F, class In>
constexpr bool writes_input() {
  if constexpr (requires { F::writes_in_place; })
    return F::writes_in_place;
  else
    return !Reader<F, In>;
}

/// Whether a node keeps state over the items, so that they must come one at a time.
template <class F>
constexpr bool is_serial() {
  if constexpr (requires { F::is_serial; })
    return F::is_serial;
  else
    return false;
}

/// Whether a T may hold a lease: leases give their slots back when they are destroyed.
template <class T>
inline constexpr bool can_hold_leases = !std::is_trivially_destructible_v<T>;

/// What a node is called with: only one that reads gets a const item.
template <class F, class In>
using argument_t = std::conditional_t<Reader<F, In>, const In&, In&>;

template <class F, class In>
decltype(auto) invoke_node(F& f, argument_t<F, In> input, Context& context) {
  if constexpr (std::invocable<F&, argument_t<F, In>, Context&>)
    return f(input, context);
  else
    return f(input);
}

template <class F, class In>
using result_t = decltype(invoke_node<F, In>(std::declval<F&>(), std::declval<argument_t<F, In>>(),
                                             std::declval<Context&>()));
template <class F, class In>
inline constexpr bool is_pending = PendingOf<std::remove_cvref_t<result_t<F, In>>>::is_pending;
template <class F, class In>
using output_t =
    typename PendingOf<typename Optional<std::remove_cvref_t<result_t<F, In>>>::type>::type;

/// Whether a callable can be taken from where it stands, an F& or an F&&, and moved on.
template <class F, class From>
inline constexpr bool can_be_taken =
    std::is_constructible_v<F, From>&& std::is_move_constructible_v<F>;

/// What is wrong with a node. A refused input was reported where it was made.
template <class F, class In, class From>
constexpr Flaw flaw_of_node(bool is_sink) {
  if constexpr (is_refused<In>)
    return Flaw::input;
  else if constexpr (!can_be_taken<F, From>)
    return Flaw::no_move;
  else if constexpr (!is_called_with<F, In>)
    return Flaw::takes;
  else if (is_sink)
    return is_pending<F, In> ? Flaw::returns : Flaw::none;
  else
    return std::is_void_v<output_t<F, In>> ? Flaw::returns : Flaw::none;
}

template <class In, class F>
class NodeBody final : public Body {
 public:
  explicit NodeBody(F f) : f_(std::move(f)) {}
  Output call(Item& input, Context& context) override {
    using Result = std::remove_cvref_t<result_t<F, In>>;
    static_assert(!Optional<Result>::is_optional ||
                      std::is_same_v<typename Optional<Result>::type, output_t<F, In>>,
                  "a stage returns Pending<T> or std::optional<T>, not one of the other");
    argument_t<F, In> item = input.get<In>();
    if constexpr (std::is_void_v<Result>) {
      invoke_node<F, In>(f_, item, context);
      return {};
    } else if constexpr (Optional<Result>::is_optional) {
      Result result = invoke_node<F, In>(f_, item, context);
      if (!result) return {};
      return {Item::of<output_t<F, In>>(*std::move(result))};
    } else if constexpr (is_pending<F, In>) {
      Result result = invoke_node<F, In>(f_, item, context);
      return {Item::of<output_t<F, In>>(std::move(result.item)), std::move(result.ended)};
    } else {
      return {Item::of<Result>(invoke_node<F, In>(f_, item, context))};
    }
  }
  [[nodiscard]] std::string part_name(std::uint64_t part) const override {
    if constexpr (requires {
                    { f_.part_name(part) } -> std::convertible_to<std::string>;
                  }) {
      return f_.part_name(part);
    } else {
      return {};
    }
  }

 private:
  F f_;
};

template <class In, class F>
StageSpec node_spec(F f) {
  StageSpec spec;
  spec.writes_input = writes_input<F, In>();
  spec.is_serial = is_serial<F>();
  spec.runs_once = runs_once<F>;
  spec.make_body = [given = Given<F>(std::move(f))] {
    return std::make_unique<NodeBody<In, F>>(given.take());
  };
  return spec;
}

// ---- with, gather and join ----------------------------------------------------------------------

template <class In, class T, class Joined>
JoinSlot join_slot() {
  return [](Item& item, SlotHandle slot) {
    return Item::of<Joined>({item.get<In>(), Lease<T>(std::move(slot))});
  };
}

template <class In, class Grouped>
GatherItems gather_items() {
  return [](std::vector<Item> live, std::uint64_t number, std::uint32_t lost) {
    Grouped group;
    group.items.reserve(live.size());
    for (Item& item : live) group.items.push_back(item.get<In>());
    group.number = number;
    group.lost = lost;
    return Item::of<Grouped>(std::move(group));
  };
}

template <class... In>
JoinItems join_items() {
  return [](std::vector<Item>& parts) {
    return [&parts]<std::size_t... I>(std::index_sequence<I...>) {
      return Item::of<std::tuple<In...>>(std::tuple<In...>(parts[I].get<In>()...));
    }
    (std::index_sequence_for<In...>());
  };
}

}  // namespace detail
}  // namespace millrace
