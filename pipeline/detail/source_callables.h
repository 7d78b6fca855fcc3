#pragma once
// The callables of sources: what they look like, and how they become bodies of the runtime.

#include <millrace/pipeline/detail/callables.h>
#include <millrace/pipeline/detail/spec.h>
#include <millrace/pipeline/generator.h>
#include <millrace/pipeline/pool.h>

#include <concepts>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

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

// ---- sources over a pool: bool(Lease<T>, Emit<Out>&[, Context&]) --------------------------------

template <class Call>
struct Emitted {
  using type = Refused;
};
template <class R, class L, class Out, class... Rest>
struct Emitted<R(L, Emit<Out>&, Rest...)> {
  using type = Out;
};
template <class Callable>
struct CallOf {
  using type = void;
};
template <class R, class... A>
struct CallOf<R (*)(A...)> {
  using type = R(A...);
};
template <class R, class... A>
struct CallOf<R (*)(A...) noexcept> : CallOf<R (*)(A...)> {};
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

template <class F>
struct CallOfObject : CallOf<F> {};
template <class F>
requires requires {
  &F::operator();
}
struct CallOfObject<F> : CallOf<decltype(&F::operator())> {};

/// The Out of a callable `bool(Lease<T>, Emit<Out>&)`; Refused where it cannot be known, because
/// the call operator is a template, is overloaded, or is none of such a source.
template <class F>
using emitted_t = typename Emitted<typename CallOfObject<F>::type>::type;
template <class F, class T, class... A>
inline constexpr bool is_called_with_slots =
    std::is_invocable_v<F&, Lease<T>, Emit<emitted_t<F>>&, A...>;
template <class F, class T, class... A>
inline constexpr bool returns_bool =
    std::is_invocable_r_v<bool, F&, Lease<T>, Emit<emitted_t<F>>&, A...>;

template <class F, class T, class From>
constexpr Flaw flaw_of_pool_source() {
  if constexpr (!can_be_taken<F, From>)
    return Flaw::no_move;
  else if constexpr (is_refused<emitted_t<F>>)
    return Flaw::no_signature;
  else if constexpr (!is_called_with_slots<F, T> && !is_called_with_slots<F, T, Context&>)
    return Flaw::takes;
  else if constexpr (!returns_bool<F, T> && !returns_bool<F, T, Context&>)
    return Flaw::returns;
  else
    return Flaw::none;
}

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
StageSpec pool_source(F f) {
  StageSpec spec;
  spec.runs_once = runs_once<F>;
  spec.make_source = [given = Given<F>(std::move(f))] {
    return std::make_unique<PoolSource<T, Out, F>>(given.take());
  };
  return spec;
}

// ---- sources of values: optional<Out>(), or a factory of such or of a Generator<Out> ------------

template <class G>
requires requires(G& generator) {
  generator.next();
}
auto next_of(G& generator) {
  return generator.next();
}
template <class G>
requires std::invocable<G&>
auto next_of(G& generator) {
  return generator();
}

/// Whether F makes a source that begins at a given position.
template <class F, class At>
inline constexpr bool is_factory = std::invocable<F&, At>;

/// What a call of a source, or next() of its generator, returns; void where there is no such thing.
template <class Source>
struct NextOf {
  using type = void;
};
template <class Source>
requires requires(Source& source) {
  next_of(source);
}
struct NextOf<Source> {
  using type = decltype(next_of(std::declval<Source&>()));
};

template <class F, class At>
struct Started {
  using type = F;
};
template <class F, class At>
requires is_factory<F, At>
struct Started<F, At> {
  using type = std::decay_t<std::invoke_result_t<F&, At>>;
};

/// An optional<Out>, of a source of values.
template <class F, class At>
using next_t = typename NextOf<typename Started<F, At>::type>::type;

template <class F, class At, class From>
constexpr Flaw flaw_of_source() {
  if constexpr (!can_be_taken<F, From>)
    return Flaw::no_move;
  else
    return Optional<next_t<F, At>>::is_optional ? Flaw::none : Flaw::returns;
}

/// `Held` is what the source needs besides itself.
template <class Out, class Source, class Held>
class ValueSource final : public SourceBody {
 public:
  template <class Make>
  ValueSource(Held held, const Make& make) : held_(std::move(held)), source_(make()) {}
  bool call(const SlotHandle&, EmitTarget& target, Context&) override {
    std::optional<Out> value = next_of(source_);
    if (!value) return false;
    target.emit(Item::of<Out>(*std::move(value)));
    return true;
  }

 private:
  [[no_unique_address]] Held held_;
  Source source_;
};

/// A factory is called for each run: a copy of it or, where it cannot be copied, itself.
template <class Out, class At, class F>
StageSpec value_source(F f, At begin) {
  StageSpec spec;
  spec.begin = begin;
  spec.takes_position = is_factory<F, At>;
  spec.runs_once = runs_once<F> && !spec.takes_position;
  if constexpr (is_factory<F, At>) {
    // The factory outlives the coroutine, whose frame may refer to the captures of a lambda.
    using Made = ValueSource<Out, typename Started<F, At>::type, std::shared_ptr<F>>;
    spec.make_source = [factory = std::make_shared<F>(std::move(f)), begin] {
      std::shared_ptr<F> make = factory;
      if constexpr (!runs_once<F>) make = std::make_shared<F>(*factory);
      return std::make_unique<Made>(make, [&make, &begin] { return (*make)(begin); });
    };
  } else {
    using Made = ValueSource<Out, F, Nothing>;
    spec.make_source = [given = Given<F>(std::move(f))] {
      return std::make_unique<Made>(Nothing{}, [&given] { return given.take(); });
    };
  }
  return spec;
}

}  // namespace detail
}  // namespace millrace
