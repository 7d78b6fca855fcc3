#include "pipeline/random_graph.h"

#include "pipeline/random_world.h"

#include <millrace/pipeline/range.h>

#include <algorithm>
#include <thread>
#include <tuple>

namespace millrace::test {
namespace {

/// A stream under construction.
struct Branch {
  Stream<Thing> stream;
  std::uint64_t length;  // items, if none fails
  bool is_shared = false;
};

class Builder {
 public:
  explicit Builder(std::uint64_t seed)
      : random_(seed, 0, 0, Purpose::user), world_(std::make_shared<World>()) {
    world_->seed = seed;
    if (chance(2)) world_->fails_once_in = 3 + below(400);
    if (chance(4)) world_->stops_at_call = 1 + below(300);
    pipeline_ = std::make_unique<Pipeline>(
        Pipeline::Options{.name = "random", .threads = 1 + static_cast<int>(below(4))});
  }

  GraphResult run() {
    const std::uint64_t sources = 1 + below(3);
    for (std::uint64_t i = 0; i < sources; ++i) add_source();
    for (std::uint64_t i = 2 + below(7); i > 0; --i) grow();
    while (open_.size() > 1) end(take());
    const Branch last = take();
    const bool is_looped_over = world_->seed % 3 == 0;
    if (!is_looped_over) end(last);
    GraphResult result;
    try {
      if (is_looped_over)
        loop_over(last, result);
      else
        run(result);
    } catch (const StageError& error) {
      result.has_failed = true;
      const std::string what = error.what();
      if (what.find(" bad") == std::string::npos && what.find("memory") == std::string::npos &&
          what.find("failed elsewhere") == std::string::npos) {
        result.problem = what;
      }
    }
    judge(result);
    return result;
  }

 private:
  void run(GraphResult& result) {
    result.plan = pipeline_->plan().text();
    result.was_stopped = pipeline_->run(world_->stop.get_token()).stopped;
  }

  /// Every fourth time the loop is left in the middle.
  void loop_over(const Branch& branch, GraphResult& result) {
    const std::uint64_t last = world_->seed % 4 == 0 ? branch.length / 2 : branch.length;
    expected_ += branch.length;
    Range<Thing> range = pipeline_->range(branch.stream, world_->stop.get_token());
    result.plan = range.plan().text();
    std::uint64_t next = 0;
    for (const Thing& thing : range) {
      if (thing.number < next) world_->out_of_order = true;
      next = thing.number + 1;
      delay(world_->seed, thing.number);
      ++world_->delivered;
      if (thing.number == last) break;
    }
    result.was_stopped = range.report().stopped;
  }

  void judge(GraphResult& result) {
    result.delivered = world_->delivered;
    for (const StageReport& stage : pipeline_->last_report().stages) {
      result.skipped += stage.skipped;
      result.retried += stage.retried;
    }
    const bool has_faults = world_->fails_once_in != 0;
    for (const Pool<int>& pool : pools_) {
      if (pool.free_slots() == pool.slots()) continue;
      result.problem = concat("pool '", pool.name(), "' has ", pool.free_slots(), " of ",
                              pool.slots(), " slots back");
    }
    if (world_->out_of_order) result.problem = "a sink saw its items out of order";
    if (world_->out_of_step) result.problem = "a join gave items of different numbers";
    if (result.has_failed && !has_faults) result.problem = "it failed without a fault";
    if (!has_faults && !result.was_stopped && result.delivered != expected_) {
      result.problem = concat(result.delivered, " items arrived, not ", expected_);
    }
  }

  [[nodiscard]] std::uint64_t below(std::uint64_t n) { return random_.below(n); }
  [[nodiscard]] bool chance(std::uint64_t one_in) { return below(one_in) == 0; }
  [[nodiscard]] std::string name(const char* what) { return concat(what, ' ', ++stages_); }

  Branch take() {
    const std::size_t at = below(open_.size());
    Branch branch = open_[at];
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(at));
    return branch;
  }

  [[nodiscard]] Stage stage(const char* what, bool may_retry) {
    Stage made{.name = name(what)};
    made.on = chance(4) ? On::blocking : chance(5) ? On::engine : On::compute;
    made.concurrency = made.on == On::engine ? 1 : 1 + static_cast<int>(below(4));
    if (chance(2)) made.on_error = skip(chance(2) ? 5 : 1'000'000);
    if (may_retry && chance(2)) {
      made.on_error = retry(static_cast<std::uint32_t>(1 + below(3)), made.on_error);
    }
    return made;
  }

  void add_source() {
    auto pool =
        pipeline_->pool<int>(name("slots"), 1 + static_cast<int>(below(5)), [] { return 0; });
    pools_.push_back(pool);
    const std::uint64_t group = chance(3) ? 1 + below(5) : 1;
    const On on = chance(4) ? On::blocking : On::compute;
    const std::uint64_t id = ++stages_;
    const std::uint64_t length = 20 + below(60);
    auto items =
        pipeline_->source({.name = concat("source ", id), .on = on}, pool,
                          [world = world_, id, group, length, next = std::uint64_t{0}](
                              Lease<int> slot, Emit<Thing>& emit) mutable {
                            for (std::uint64_t i = 0; i < group && next < length * group; ++i) {
                              world->at(id, next);
                              emit({next++, {slot}});
                            }
                            return next < length * group;
                          });
    if (group == 1) return open_.push_back({items, length});
    // Groups count as the items of other sources do.
    auto checked = pipeline_->then(items, stage("check", true),
                                   [world = world_, id = stages_](const Thing& thing) {
                                     world->at(id, thing.number);
                                     return thing;
                                   });
    auto groups = pipeline_->gather(checked, name("gather"));
    open_.push_back({pipeline_->then(groups, {.name = name("group")},
                                     [](const Group<Thing>& g) {
                                       return Thing{g.number, g.items.front().held};
                                     }),
                     length});
  }

  void grow() {
    switch (below(6)) {
      case 0: return add_then();
      case 1: return add_with();
      case 2: return add_pending();
      case 3: return fan_out();
      case 4: return add_join();
      default: return add_filter();
    }
  }

  void add_then() {
    Branch branch = take();
    branch.stream = pipeline_->then(branch.stream, stage("then", !branch.is_shared),
                                    [world = world_, id = stages_](const Thing& thing) {
                                      world->at(id, thing.number);
                                      return thing;
                                    });
    open_.push_back(branch);
  }

  /// A body that may end its item, without changing the count: it always passes it on.
  void add_filter() {
    Branch branch = take();
    branch.stream =
        pipeline_->then(branch.stream, stage("filter", !branch.is_shared),
                        [world = world_, id = stages_](const Thing& thing, Context& context) {
                          context.begin_part(id);
                          world->at(id, thing.number);
                          return std::optional<Thing>(thing);
                        });
    open_.push_back(branch);
  }

  void add_with() {
    Branch branch = take();
    auto pool =
        pipeline_->pool<int>(name("pool"), 1 + static_cast<int>(below(3)), [] { return 0; });
    pools_.push_back(pool);
    auto joined = pipeline_->with(branch.stream, {.name = name("with")}, pool);
    branch.stream = pipeline_->then(joined, stage("hold", false),
                                    [world = world_, id = stages_](const With<Thing, int>& with) {
                                      world->at(id, with.item.number);
                                      Thing thing = with.item;
                                      thing.held.push_back(with.slot);
                                      return thing;
                                    });
    open_.push_back(branch);
  }

  void add_pending() {
    Branch branch = take();
    branch.stream = pipeline_->then(branch.stream, stage("pending", !branch.is_shared),
                                    [world = world_, id = stages_](const Thing& thing) {
                                      world->at(id, thing.number);
                                      const bool fails = world->fails_now(~id, thing.number);
                                      return Pending<Thing>{thing, world->elsewhere.begin(fails)};
                                    });
    open_.push_back(branch);
  }

  void fan_out() {
    Branch branch = take();
    branch.is_shared = true;
    open_.push_back(branch);
    open_.push_back(branch);
  }

  void add_join() {
    if (open_.size() < 2) return fan_out();
    Branch left = take();
    const Branch right = take();
    left.length = std::min(left.length, right.length);
    auto pairs = pipeline_->join({.name = name("join")}, left.stream, right.stream);
    left.stream =
        pipeline_->then(pairs, stage("meet", false),
                        [world = world_, id = stages_](const std::tuple<Thing, Thing>& pair) {
                          const auto& [a, b] = pair;
                          world->at(id, a.number);
                          if (a.number != b.number) world->out_of_step = true;
                          Thing both = a;
                          both.held.insert(both.held.end(), b.held.begin(), b.held.end());
                          return both;
                        });
    left.is_shared = true;
    open_.push_back(left);
  }

  void end(const Branch& branch) {
    const bool is_ordered = chance(2);
    Stage made = stage("sink", false);
    made.concurrency = is_ordered ? 1 : made.concurrency;
    expected_ += branch.length;
    pipeline_->sink(branch.stream, made,
                    [world = world_, id = stages_, is_ordered,
                     next = std::uint64_t{0}](const Thing& thing) mutable {
                      if (is_ordered && thing.number < next) world->out_of_order = true;
                      next = thing.number + 1;
                      world->at(id, thing.number);
                      ++world->delivered;
                    });
  }

  Random random_;
  std::shared_ptr<World> world_;
  std::unique_ptr<Pipeline> pipeline_;
  std::vector<Pool<int>> pools_;
  std::vector<Branch> open_;
  std::uint64_t stages_ = 0, expected_ = 0;
};

}  // namespace

void delay(std::uint64_t seed, std::uint64_t number) {
  Random random(seed, 1, number, Purpose::user);
  const std::uint64_t kind = random.below(8);
  if (kind == 0) {
    for (std::uint64_t i = random.below(4); i > 0; --i) std::this_thread::yield();
  } else if (kind < 3) {
    volatile unsigned turns = 0;
    for (std::uint64_t i = random.below(3'000); i > 0; --i) turns = turns + 1;
  }
}

GraphResult run_random_graph(std::uint64_t seed) {
  return Builder(seed).run();
}

}  // namespace millrace::test
