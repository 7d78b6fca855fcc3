#include <millrace/pipeline/detail/run.h>

#include <millrace/core/plural.h>
#include <millrace/pipeline/detail/nodes.h>
#include <millrace/pipeline/detail/stall.h>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <map>

namespace millrace::detail {
namespace {

using Kind = StageSpec::Kind;

bool is_engine_body(const StageSpec& spec) {
  return spec.options.on == On::engine && (spec.kind == Kind::then || spec.kind == Kind::sink);
}

bool are_of_one_lane(const StageSpec& a, const StageSpec& b) {
  return is_engine_body(a) && is_engine_body(b) && a.options.lane == b.options.lane;
}

/// Whether a stage may work on the thread of its input: the engine's both, or a range, where an
/// item only joins a queue.
bool can_follow_directly(const StageSpec& spec, const StageSpec& input) {
  return spec.hand_over != nullptr || (are_of_one_lane(spec, input) && !input.is_pending);
}

/// The threads, graph and nodes of one run. The graph is declared before its nodes and the lanes
/// after them: lanes end first, the graph last.
class Run {
 public:
  Run(const std::vector<StageSpec>& stages, int threads, RunControl& control, Trace& trace,
      StageWatch* watch)
      : stages_(stages),
        threads_(threads),
        control_(control),
        context_{graph_, control, trace, watch, threads} {
    for (std::size_t i = 0; i < stages.size(); ++i) add(static_cast<int>(i));
    try {
      connect();
    } catch (...) {  // no memory: what was begun must end before its nodes do
      graph_.wait_for_all();
      throw;
    }
  }
  ~Run() { stop_feeding(); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void execute(const StallWatch& stall) {
    const StallGuard guard(stall, nodes_, control_);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (stages_[i].pool == nullptr) continue;
      stages_[i].pool->when_free([node = nodes_[i].get()] { node->wake(); });
    }
    const Clock::time_point now = Clock::now();
    // From the end: a stage has its clock before the first item can reach it.
    for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) (*node)->start(now);
    graph_.wait_for_all();
    // A lease that somebody outside dropped just now may have woken a node.
    stop_feeding();
    if (!control_.is_ending()) check_ended();
  }

  [[nodiscard]] std::vector<StageReport> reports() const {
    std::vector<StageReport> reports;
    for (const auto& node : nodes_) reports.push_back(node->report());
    return reports;
  }

 private:
  void stop_feeding() {
    for (const StageSpec& stage : stages_) {
      if (stage.pool != nullptr) stage.pool->when_free({});
    }
    graph_.wait_for_all();
  }

  void add(int index) {
    const StageSpec& spec = stage(index);
    const int concurrency =
        spec.options.concurrency == kAllThreads ? threads_ : spec.options.concurrency;
    const bool input_is_ordered =
        std::all_of(spec.inputs.begin(), spec.inputs.end(),
                    [this](int input) { return is_ordered_[static_cast<std::size_t>(input)]; });
    const bool restores_order =
        concurrency == 1 && !input_is_ordered && spec.options.order == Order::source;
    const StageSpec* const input = spec.inputs.empty() ? nullptr : &stage(spec.inputs.front());
    follows_directly_.push_back(input != nullptr && !restores_order &&
                                can_follow_directly(spec, *input));
    is_ordered_.push_back(
        spec.kind == Kind::source || spec.kind == Kind::gather ||
        (concurrency == 1 && !spec.is_pending && (input_is_ordered || restores_order)));
    Lane* const lane = lane_for(spec, concurrency);
    switch (spec.kind) {
      case Kind::source:
        nodes_.push_back(std::make_unique<SourceNode>(context_, spec, index, lane));
        break;
      case Kind::with:
        nodes_.push_back(std::make_unique<WithNode>(context_, spec, index, restores_order));
        break;
      case Kind::gather:
        nodes_.push_back(std::make_unique<GatherNode>(context_, spec, index));
        break;
      case Kind::join: nodes_.push_back(std::make_unique<JoinNode>(context_, spec, index)); break;
      case Kind::then:
      case Kind::sink:
        if (spec.hand_over != nullptr)
          nodes_.push_back(std::make_unique<RangeNode>(context_, spec, index, restores_order));
        else
          nodes_.push_back(
              std::make_unique<BodyNode>(context_, spec, index, concurrency, lane, restores_order));
        break;
    }
  }

  Lane* lane_for(const StageSpec& spec, int concurrency) {
    if (spec.options.on == On::engine) {
      std::unique_ptr<Lane>& lane = engine_lanes_[spec.options.lane];
      if (lane == nullptr) lane = std::make_unique<Lane>(1);
      return lane.get();
    }
    if (spec.options.on != On::blocking) return nullptr;
    lanes_.push_back(std::make_unique<Lane>(spec.kind == Kind::source ? 1 : concurrency));
    return lanes_.back().get();
  }

  void connect() {
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const StageSpec& spec = stages_[i];
      int port = 0;
      for (const int input : spec.inputs) {
        nodes_[static_cast<std::size_t>(input)]->feed(nodes_[i].get(), port++);
      }
      nodes_[i]->open();
      if (follows_directly_[i]) nodes_[i]->follow_directly();
      if (spec.kind == Kind::gather) source_of(spec).announce_calls_to(nodes_[i].get());
    }
  }

  [[nodiscard]] const StageSpec& stage(int index) const {
    return stages_[static_cast<std::size_t>(index)];
  }

  SourceNode& source_of(const StageSpec& gather) {
    int at = gather.inputs.front();
    while (stage(at).kind != Kind::source) at = stage(at).inputs.front();
    return static_cast<SourceNode&>(*nodes_[static_cast<std::size_t>(at)]);
  }

  /// Nothing is under way: then no stage holds an item back and no source has more, or all slots of
  /// a pool are held where nothing will drop them.
  void check_ended() {
    for (const auto& node : nodes_) {
      const StageSpec& spec = node->spec();
      const std::size_t held_back = node->held_back();
      if (held_back == 0) continue;
      node->is_lost(node->first_held_back());
      if (spec.kind == Kind::with) {
        stalled(spec,
                concat(held_back, ' ', plural(held_back, "item waits", "items wait"),
                       " for a slot of pool '", spec.pool->name(),
                       "', and none comes back: all are held by leases kept outside the "
                       "pipeline or by items that wait in gather(); put with() after gather()"));
      } else if (spec.kind == Kind::join) {
        stalled(spec,
                concat(held_back, ' ',
                       plural(held_back,
                              "item waits for its partner, which needs a slot that this item holds",
                              "items wait for their partners, which need slots that these items "
                              "hold"),
                       "; give the pools more slots, or join groups with groups"));
      }
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const StageSpec& spec = stages_[i];
      if (spec.kind != Kind::source || static_cast<SourceNode&>(*nodes_[i]).has_ended()) continue;
      const int slots = spec.pool->slots();
      stalled(spec, concat(slots == 1 ? "the slot" : concat("all ", slots, " slots"), " of pool '",
                           spec.pool->name(), slots == 1 ? "' is" : "' are",
                           " held by leases kept outside the pipeline; drop them, or give the pool "
                           "more slots"));
    }
  }

  void stalled(const StageSpec& spec, const std::string& why) {
    control_.fail(spec.options.name, 0, std::make_exception_ptr(Error(why)));
  }

  const std::vector<StageSpec>& stages_;
  const int threads_;
  RunControl& control_;
  oneapi::tbb::flow::graph graph_;
  RunContext context_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<bool> is_ordered_;        // whether the output of a stage has the order of its source
  std::vector<bool> follows_directly_;  // whether a stage works on an item right after its input
  std::map<std::string, std::unique_ptr<Lane>> engine_lanes_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace

Report run_stages(const std::vector<StageSpec>& stages, int threads, RunControl& control,
                  Trace& trace, StageWatch* watch, const StallWatch& stall) {
  using oneapi::tbb::global_control;
  // The arena alone does not make more workers than cores; never lower what the program allows.
  // What computes on the engine's thread shares its work out in an arena of its own: without
  // workers for both, its parts wait for, or follow, those who decode.
  const std::size_t allowed = global_control::active_value(global_control::max_allowed_parallelism);
  const int both = threads + oneapi::tbb::info::default_concurrency();
  const global_control limit(global_control::max_allowed_parallelism,
                             std::max(allowed, static_cast<std::size_t>(both)));
  oneapi::tbb::task_arena arena(threads);
  Report report;
  report.threads = threads;
  // A graph lives in the arena of the thread that constructs it.
  arena.execute([&] {
    Run run(stages, threads, control, trace, watch);
    const Clock::time_point begin = Clock::now();
    run.execute(stall);
    report.wall_s = std::chrono::duration<double>(Clock::now() - begin).count();
    report.stages = run.reports();
  });
  return report;
}

}  // namespace millrace::detail
