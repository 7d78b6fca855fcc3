#include <millrace/pipeline/detail/run.h>

#include <millrace/pipeline/detail/nodes.h>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>

namespace millrace::detail {
namespace {

using Kind = StageSpec::Kind;

bool is_engine_body(const StageSpec& spec) {
  return spec.options.on == On::engine && (spec.kind == Kind::then || spec.kind == Kind::sink);
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
    connect();
  }
  ~Run() { stop_feeding(); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void execute() {
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
    const StageSpec& spec = stages_[static_cast<std::size_t>(index)];
    const int concurrency =
        spec.options.concurrency == kAllThreads ? threads_ : spec.options.concurrency;
    const bool input_is_ordered =
        spec.input >= 0 && is_ordered_[static_cast<std::size_t>(spec.input)];
    const bool restores_order = spec.input >= 0 && concurrency == 1 && !input_is_ordered &&
                                spec.options.order == Order::source;
    follows_directly_.push_back(is_engine_body(spec) && spec.input >= 0 && !restores_order &&
                                is_engine_body(stages_[static_cast<std::size_t>(spec.input)]) &&
                                !stages_[static_cast<std::size_t>(spec.input)].is_pending);
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
      case Kind::then:
      case Kind::sink:
        nodes_.push_back(
            std::make_unique<BodyNode>(context_, spec, index, concurrency, lane, restores_order));
        break;
    }
  }

  Lane* lane_for(const StageSpec& spec, int concurrency) {
    if (spec.options.on == On::engine) {
      if (engine_lane_ == nullptr) engine_lane_ = std::make_unique<Lane>(1);
      return engine_lane_.get();
    }
    if (spec.options.on != On::blocking) return nullptr;
    lanes_.push_back(std::make_unique<Lane>(spec.kind == Kind::source ? 1 : concurrency));
    return lanes_.back().get();
  }

  void connect() {
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const StageSpec& spec = stages_[i];
      if (spec.input < 0) continue;
      nodes_[static_cast<std::size_t>(spec.input)]->feed(nodes_[i].get());
      if (follows_directly_[i]) nodes_[i]->follow_directly();
      if (spec.kind == Kind::gather) source_of(spec).announce_calls_to(nodes_[i].get());
    }
  }

  SourceNode& source_of(const StageSpec& spec) {
    int at = spec.input;
    while (stages_[static_cast<std::size_t>(at)].kind != Kind::source) {
      at = stages_[static_cast<std::size_t>(at)].input;
    }
    return static_cast<SourceNode&>(*nodes_[static_cast<std::size_t>(at)]);
  }

  /// Nothing is under way: then no stage holds an item back and no source has more, or all slots of
  /// a pool are held where nothing will drop them.
  void check_ended() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const StageSpec& spec = stages_[i];
      const std::size_t held_back = nodes_[i]->held_back();
      if (held_back == 0 || spec.kind != Kind::with) continue;
      stalled(spec,
              concat(held_back, " items wait for a slot of pool '", spec.pool->name(),
                     "', and none comes back: all are held by leases kept outside the "
                     "pipeline or by items that wait in gather(); put with() behind gather()"));
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const StageSpec& spec = stages_[i];
      if (spec.kind != Kind::source || static_cast<SourceNode&>(*nodes_[i]).has_ended()) continue;
      stalled(spec, concat("all ", spec.pool->slots(), " slots of pool '", spec.pool->name(),
                           "' are held by leases kept outside the pipeline; drop them, or give the "
                           "pool more slots"));
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
  std::unique_ptr<Lane> engine_lane_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace

Report run_stages(const std::vector<StageSpec>& stages, int threads, RunControl& control,
                  Trace& trace, StageWatch* watch) {
  using oneapi::tbb::global_control;
  // The arena alone does not make more workers than cores; never lower what the program allows.
  const std::size_t allowed = global_control::active_value(global_control::max_allowed_parallelism);
  const global_control limit(global_control::max_allowed_parallelism,
                             std::max(allowed, static_cast<std::size_t>(threads)));
  oneapi::tbb::task_arena arena(threads);
  Report report;
  report.threads = threads;
  // A graph lives in the arena of the thread that constructs it.
  arena.execute([&] {
    Run run(stages, threads, control, trace, watch);
    const Clock::time_point begin = Clock::now();
    run.execute();
    report.wall_s = std::chrono::duration<double>(Clock::now() - begin).count();
    report.stages = run.reports();
  });
  return report;
}

}  // namespace millrace::detail
