#pragma once
// Turns the callables of users into the untyped bodies of the runtime, and says at the call site
// what a callable must look like.

#include <millrace/pipeline/detail/spec.h>
#include <millrace/pipeline/generator.h>
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

/// What a source over a pool emits into. Lives for one call.
template <class T>
class Emit {
 public:
  explicit Emit(detail::EmitTarget& target) noexcept : target_(target) {}
  void operator()(T item) { target_.emit(detail::Item::of<T>(std::move(item))); }

 private:
  detail::EmitTarget& target_;
};

namespace detail {

struct Nothing {};

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

// ---- nodes: Out(const In&) or Out(const In&, Context&), or the same with In&; Out may be optional
// or Pending --------------------------------------------------------------------------------------

template <class F, class In>
concept Reader = std::invocable<F&, const In&> || std::invocable<F&, const In&, Context&>;

template <class F, class In>
concept Node = std::copy_constructible<F> &&
    (Reader<F, In> || std::invocable<F&, In&> || std::invocable<F&, In&, Context&>);

/// Whether a node writes into what it is given.
template <class F, class In>
constexpr bool writes_input() {
  if constexpr (requires { F::writes_in_place; })
    return F::writes_in_place;
  else
    return !Reader<F, In>;
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

/// Every run and every concurrent call works on a copy of the callable as it was given.
template <class In, class F>
std::function<std::unique_ptr<Body>()> node_body(F f) {
  return [f = std::move(f)] { return std::make_unique<NodeBody<In, F>>(f); };
}

// ---- sources over a pool: bool(Lease<T>, Emit<Out>&[, Context&]) --------------------------------

template <class Call>
struct Emitted;
template <class R, class L, class Out, class... Rest>
struct Emitted<R(L, Emit<Out>&, Rest...)> {
  using type = Out;
};
template <class Member>
struct CallOf;
template <class R, class C, class... A>
struct CallOf<R (C::*)(A...)> {
  using type = R(A...);
};
template <class R, class C, class... A>
struct CallOf<R (C::*)(A...) const> : CallOf<R (C::*)(A...)> {};
template <class R, class C, class... A>
struct CallOf<R (C::*)(A...) noexcept> : CallOf<R (C::*)(A...)> {};
template <class R, class C, class... A>
struct CallOf<R (C::*)(A...) const noexcept> : CallOf<R (C::*)(A...)> {};

/// The Out of a callable `bool(Lease<T>, Emit<Out>&)`; its call operator must not be a template.
template <class F, class Slot>
using emitted_t = typename Emitted<typename CallOf<decltype(&F::operator())>::type>::type;

template <class T, class Out, class F>
class PoolSource final : public SourceBody {
 public:
  explicit PoolSource(F f) : f_(std::move(f)) {}
  bool call(const SlotHandle& slot, EmitTarget& target, Context& context) override {
    Emit<Out> emit(target);
    if constexpr (std::is_invocable_r_v<bool, F&, Lease<T>, Emit<Out>&, Context&>) {
      return f_(Lease<T>(slot), emit, context);
    } else {
      return f_(Lease<T>(slot), emit);
    }
  }

 private:
  F f_;
};

template <class T, class Out, class F>
std::function<std::unique_ptr<SourceBody>()> pool_source(F f) {
  return [f = std::move(f)] { return std::make_unique<PoolSource<T, Out, F>>(f); };
}

// ---- sources of values: optional<Out>(), or a factory of such or of a Generator<Out>
// -------------

template <class G>
auto next_of(G& generator) {
  if constexpr (requires { generator.next(); })
    return generator.next();
  else
    return generator();
}

template <class F, class At>
auto start(F& make) {
  if constexpr (std::invocable<F&, At>)
    return make(At{});
  else
    return make;
}

template <class F, class At>
struct Generated {
  using Source = decltype(start<F, At>(std::declval<F&>()));
  using Next = decltype(next_of(std::declval<Source&>()));
  static_assert(Optional<Next>::is_optional,
                "a source returns std::optional<T>, or is a factory of a Generator<T>");
  using type = typename Optional<Next>::type;
};
template <class F, class At>
using generated_t = typename Generated<F, At>::type;

template <class Out, class At, class F>
class GeneratorSource final : public SourceBody {
 public:
  explicit GeneratorSource(F make) : make_(std::move(make)), source_(start<F, At>(make_)) {}
  bool call(const SlotHandle&, EmitTarget& target, Context&) override {
    std::optional<Out> value = next_of(source_);
    if (!value) return false;
    target.emit(Item::of<Out>(*std::move(value)));
    return true;
  }

 private:
  F make_;  // outlives the coroutine, whose frame may refer to the captures of a lambda
  decltype(start<F, At>(std::declval<F&>())) source_;
};

template <class Out, class At, class F>
std::function<std::unique_ptr<SourceBody>()> generator_source(F make) {
  return [make = std::move(make)] { return std::make_unique<GeneratorSource<Out, At, F>>(make); };
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
