#pragma once
// Pipelines: a graph of stages over pools of fixed size, described with typed streams, then run on
// a oneTBB flow graph. Nothing runs and no slot is allocated before run().
//
//   Pipeline p{{.name = "sum", .budget = 64_MiB}};
//   auto numbers = p.source("count", slots(4), count_to(10));  // a Generator<int>: generator.h
//   auto squares =
//       p.then(numbers, {.name = "square", .concurrency = 2}, [](int n) { return n * n; });
//   p.sink(squares, "print", [](int n) { std::cout << n << '\n'; });
//   Report report = p.run();

#include <millrace/pipeline/detail/callables.h>
#include <millrace/pipeline/detail/source_callables.h>
#include <millrace/pipeline/detail/spec.h>
#include <millrace/pipeline/generator.h>
#include <millrace/pipeline/pending.h>
#include <millrace/pipeline/plan.h>
#include <millrace/pipeline/pool.h>
#include <millrace/pipeline/report.h>
#include <millrace/pipeline/stage.h>
#include <millrace/pipeline/stage_watch.h>
#include <millrace/pipeline/stall_watch.h>
#include <millrace/pipeline/stream.h>

#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace millrace {

namespace detail {
/// The name of a stage instead of a Stage.
template <class T>
concept Name = std::convertible_to<const T&, std::string_view>;
}  // namespace detail

template <class T>
class Range;

/// A Stage may be given by its name alone: `p.sink(numbers, "print", print)`. A stream of another
/// pipeline is a UsageError, and so is a stage that is added while the pipeline runs.
///
/// Thread safety: a pipeline is built and run by one thread at a time. Move-only; whatever is asked
/// of one that was moved from is a UsageError.
class Pipeline {
 public:
  struct Options {
    std::string name = "pipeline";
    Bytes budget{};   ///< the limit of all charges; 0: none
    int threads = 0;  ///< oneTBB workers, the caller included; 0: the cores one may use
    std::filesystem::path trace{};        ///< Chrome's JSON, for ui.perfetto.dev; empty: none
    std::shared_ptr<StageWatch> watch{};  ///< of the bodies of all stages; may be null
    StallWatch stall{};                   ///< of runs that do not move any more
  };
  Pipeline();
  explicit Pipeline(Options options);
  Pipeline(Pipeline&&) noexcept = default;
  Pipeline& operator=(Pipeline&&) noexcept = default;

  /// A pool of `count` slots, charged to the budget now, allocated when a run starts. The factory
  /// says how many bytes a slot holds, see sized().
  template <class T, SlotFactory<T> F>
  Pool<T> pool(std::string name, int count, F make) {
    Pool<T> made(Pool<T>::deferred(std::move(name), count, std::move(make)));
    add_pool(made.core());
    return made;
  }
  /// Charges memory that is not in a pool (an index, an engine's arenas) to the same budget.
  void charge(std::string name, std::uint64_t count, Bytes each);

  /// Throws BudgetError when what was charged so far exceeds the budget, for memory that is taken
  /// before the pipeline is whole.
  void check_budget() const;

  /// A source over a pool: `bool body(Lease<T>, Emit<Out>&)`, with an optional Context& at the end,
  /// is called once per free slot, never concurrently; it fills or stamps the slot, emits any
  /// number of items and returns false at the end of the data. The slot is free again when all
  /// items that its call emitted are gone from the pipeline, and all leases that they hold. What is
  /// emitted is read from the body's signature, which must not be a template. Each run works on a
  /// copy of the body; one that cannot be copied runs once, and another run() is a UsageError. One
  /// whose items hold memory besides their slots says how much, for all slots together, with `Bytes
  /// payload(const Pool<T>&) const`: it is charged once.
  template <class T, class F>
  auto source(Stage stage, const Pool<T>& pool, F&& body) {
    using detail::Flaw;
    using Body = std::decay_t<F>;
    constexpr Flaw flaw = detail::flaw_of_pool_source<Body, T, F>();
    static_assert(flaw != Flaw::no_move, "this cannot be copied into its stage; try std::move()");
    static_assert(
        flaw != Flaw::no_signature,
        "what a source over a pool emits is read from its signature, which is no template: "
        "bool body(Lease<T>, Emit<Out>&), with an optional Context& at the end");
    static_assert(flaw != Flaw::takes,
                  "a source over a Pool<T> takes Lease<T>, Emit<Out>& and an optional Context&");
    static_assert(flaw != Flaw::returns,
                  "a source over a pool returns bool: false at the end of the data");
    if constexpr (flaw == Flaw::none) {
      using Out = detail::emitted_t<Body>;
      charge_scratch(stage.name + " payload", 1, detail::payload_beside(body, pool));
      detail::StageSpec spec = detail::pool_source<T, Out, Body>(std::forward<F>(body));
      spec.pool = pool.core();
      return Stream<Out>(add(Kind::source, std::move(stage), {}, std::move(spec)));
    } else {
      return Stream<detail::Refused>({});
    }
  }
  /// A source of at most `bound.count` items under way: `optional<Out> body()`, a Generator<Out>,
  /// or a factory of either, `make(Position)`, which is called for each run.
  ///
  /// `Bytes payload(int slots) const` of a body is what its items hold, charged once. A body is
  /// copied for each run; a Generator, and what else cannot be copied, runs once, and
  /// another run() is a UsageError. A factory that cannot be copied is itself called again.
  ///
  /// `bound.begin` is the argument of a factory; to begin elsewhere than at 0 needs one. A run that
  /// was stopped, failed or left early says where to resume, with the same items in all:
  ///
  ///   slots(4, *report.stage("lines").next)
  template <class F>
  auto source(Stage stage, Slots bound, F&& make) {
    using detail::Flaw;
    using Make = std::decay_t<F>;
    constexpr Flaw flaw = detail::flaw_of_source<Make, Position, F>();
    static_assert(flaw != Flaw::no_move, "this cannot be copied into its stage; try std::move()");
    static_assert(flaw != Flaw::returns,
                  "a source without a pool is std::optional<Out> body(), a Generator<Out>, or a "
                  "factory of either, make(Position)");
    if constexpr (flaw == Flaw::none) {
      using Out = typename detail::Optional<detail::next_t<Make, Position>>::type;
      auto tokens = pool<detail::Nothing>(stage.name + " slots", bound.count,
                                          [] { return detail::Nothing{}; });
      charge_scratch(stage.name + " payload", 1, detail::payload_beside(make, bound.count));
      detail::StageSpec spec =
          detail::value_source<Out, Position, Make>(std::forward<F>(make), bound.begin);
      spec.pool = tokens.core();
      return Stream<Out>(add(Kind::source, std::move(stage), {}, std::move(spec)));
    } else {
      return Stream<detail::Refused>({});
    }
  }

  /// A stage: `Out body(const In&)`, with an optional Context& after it. A body that returns
  /// optional<Out> may end an item; one that returns Pending<Out> has begun work
  /// that ends elsewhere, see pending.h. A node that holds scratch memory says so with `Bytes
  /// scratch() const`; it is charged once per concurrent call. What its copies share, `Bytes
  /// shared_scratch() const`, is charged once.
  ///
  /// A node that writes into its item, or into the slot that its item leases, takes `In&` or has a
  /// member `static constexpr bool writes_in_place = true`. Then, and with retry(), nobody else may
  /// have the item: UsageError if its stream has another consumer, or a stream further up has one
  /// and the item may hold a lease from there (that is, its type has a destructor). One that keeps
  /// state from item to item has a member `static constexpr bool is_serial = true`: UsageError if
  /// its stage has a concurrency above 1.
  ///
  /// A node is copied for each run and each concurrent call. One that cannot be copied runs
  /// once, one call at a time: else UsageError.
  template <class In, class F>
  auto then(Stream<In> input, Stage stage, F&& body) {
    using detail::Flaw;
    using Node = std::decay_t<F>;
    constexpr Flaw flaw = detail::flaw_of_node<Node, In, F>(false);
    static_assert(flaw != Flaw::no_move, "this cannot be copied into its stage; try std::move()");
    static_assert(flaw != Flaw::takes,
                  "a node takes the items of its input: Out body(const In&), or with Context&");
    static_assert(flaw != Flaw::returns, "a stage that returns nothing is a sink: use sink()");
    if constexpr (flaw == Flaw::none) {
      using Out = detail::output_t<Node, In>;
      charge_scratch(stage, body);
      detail::StageSpec spec = detail::node_spec<In, Node>(std::forward<F>(body));
      spec.is_pending = detail::is_pending<Node, In>;
      spec.can_hold_leases = detail::can_hold_leases<Out>;
      return Stream<Out>(add(Kind::then, std::move(stage), {input.end_}, std::move(spec)));
    } else {
      return Stream<detail::Refused>({});
    }
  }
  /// Joins each item with a slot of another pool, waiting (without a thread) until one is free.
  /// Keeps the order of the source.
  template <class In, class T>
  auto with(Stream<In> input, Stage stage, const Pool<T>& pool) {
    detail::StageSpec spec;
    spec.pool = pool.core();
    spec.join_slot = detail::join_slot<In, T, With<In, T>>();
    return Stream<detail::unless_refused<With<In, T>, In>>(
        add(Kind::with, std::move(stage), {input.end_}, std::move(spec)));
  }
  /// The items of each source call together again, in the order of the source, once all of them
  /// have arrived or were skipped. A group with no item left does not arrive.
  template <class In>
  auto gather(Stream<In> input, std::string name = "gather") {
    detail::StageSpec spec;
    spec.gather = detail::gather_items<In, Group<In>>();
    return Stream<detail::unless_refused<Group<In>, In>>(
        add(Kind::gather, {.name = std::move(name)}, {input.end_}, std::move(spec)));
  }
  /// Item i of each of several streams together, as a std::tuple: of branches of one stream, or of
  /// streams from several sources. Where one of them lost its item, the others drop theirs. What is
  /// joined ends with the shortest; sources that feed nothing else stop then.
  ///
  /// Items wait here with their slots, so the parts of one tuple must not wait for each other: join
  /// groups with groups, not groups with single items of the same source. Throws UsageError for a
  /// name that is in use.
  template <class... In>
  auto join(Stage stage, Stream<In>... inputs) {
    static_assert(sizeof...(In) >= 2 && sizeof...(In) < 256, "join() takes 2 to 255 streams");
    detail::StageSpec spec;
    spec.can_hold_leases = (detail::can_hold_leases<In> || ...);
    spec.join = detail::join_items<In...>();
    return Stream<detail::unless_refused<std::tuple<In...>, In...>>(
        add(Kind::join, std::move(stage), {inputs.end_...}, std::move(spec)));
  }
  /// The end of a stream: `void body(const In&)`, with an optional Context& after it. One that
  /// writes into its items says so as in then().
  template <class In, class F>
  void sink(Stream<In> input, Stage stage, F&& body) {
    using detail::Flaw;
    using Node = std::decay_t<F>;
    constexpr Flaw flaw = detail::flaw_of_node<Node, In, F>(true);
    static_assert(flaw != Flaw::no_move, "this cannot be copied into its stage; try std::move()");
    static_assert(flaw != Flaw::takes,
                  "a sink takes the items of its input: void body(const In&), or with Context&");
    static_assert(flaw != Flaw::returns, "what is begun must end in a stage: use then()");
    if constexpr (flaw == Flaw::none) {
      charge_scratch(stage, body);
      add(Kind::sink, std::move(stage), {input.end_},
          detail::node_spec<In, Node>(std::forward<F>(body)));
    }
  }
  /// The end of a stream as a range: `for (const T& item : p.range(stream))`, until its end or a
  /// stop request. See range.h.
  template <class In>
  [[nodiscard]] Range<In> range(Stream<In> input, std::stop_token stop = {});

  // The same by the names of the stages alone.
  template <detail::Name N, class Bound, class F>
  auto source(const N& name, const Bound& bound, F&& body) {
    return source(named(name), bound, std::forward<F>(body));
  }
  template <class In, detail::Name N, class F>
  auto then(Stream<In> input, const N& name, F&& body) {
    return then(std::move(input), named(name), std::forward<F>(body));
  }
  template <class In, detail::Name N, class T>
  auto with(Stream<In> input, const N& name, const Pool<T>& pool) {
    return with(std::move(input), named(name), pool);
  }
  template <detail::Name N, class... In>
  auto join(const N& name, Stream<In>... inputs) {
    return join(named(name), std::move(inputs)...);
  }
  template <class In, detail::Name N, class F>
  void sink(Stream<In> input, const N& name, F&& body) {
    sink(std::move(input), named(name), std::forward<F>(body));
  }

  /// Stages, edges and memory. Throws UsageError when a stream has no consumer.
  [[nodiscard]] Plan plan() const;

  /// What run() checks first: throws UsageError as plan() does, and where a stage that runs once
  /// has run; BudgetError when the charges exceed the budget. For memory that is allocated before.
  void check() const;

  /// Runs until the sources end. Refuses (BudgetError) before allocating anything if the plan
  /// exceeds the budget. The first error that no policy skips stops the sources, drains what is
  /// under way and is then thrown as StageError. A stop request ends the run early and cleanly. May
  /// be called again; UsageError while it runs, even from one of its stages.
  Report run(std::stop_token stop = {});
  /// The report of the last run, also of one that threw.
  [[nodiscard]] const Report& last_report() const;

 private:
  template <class T>
  friend class Range;
  using Kind = detail::StageSpec::Kind;
  explicit Pipeline(std::shared_ptr<detail::PipelineState> state) : state_(std::move(state)) {}

  [[nodiscard]] static Stage named(std::string_view name) { return {.name = std::string(name)}; }
  void add_pool(const std::shared_ptr<detail::PoolCore>& pool);
  detail::StreamEnd add(detail::StageSpec::Kind kind, Stage stage,
                        const std::vector<detail::StreamEnd>& inputs, detail::StageSpec spec);
  [[nodiscard]] detail::PipelineState& state() const;      // checked
  [[nodiscard]] detail::PipelineState& composing() const;  // and not running
  /// Of a node.
  template <class F>
  void charge_scratch(const Stage& stage, const F& body) {
    charge_scratch(stage.name + " scratch", concurrency(stage), detail::scratch_of(body));
    charge_scratch(stage.name + " shared scratch", 1, detail::shared_scratch_of(body));
  }
  void charge_scratch(std::string name, int count, Bytes each);  // unless there is none
  [[nodiscard]] int concurrency(const Stage& stage) const;

  std::shared_ptr<detail::PipelineState> state_;
};

}  // namespace millrace
