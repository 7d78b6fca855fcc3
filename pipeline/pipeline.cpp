#include <millrace/pipeline/pipeline.h>

#include <millrace/pipeline/detail/hand_over.h>
#include <millrace/pipeline/detail/rules.h>
#include <millrace/pipeline/detail/run.h>
#include <millrace/pipeline/threads.h>

#include <algorithm>
#include <atomic>

namespace millrace {
namespace detail {

class PipelineState {
 public:
  explicit PipelineState(Pipeline::Options wanted)
      : options(std::move(wanted)), budget(options.budget) {
    if (options.threads < 0) {
      throw UsageError(concat("pipeline '", options.name, "': threads must be 0 or more, not ",
                              options.threads));
    }
    if (options.threads == 0) options.threads = available_threads();
    if (!options.trace.empty()) budget.charge("trace", 1, Trace::bytes());
  }

  Pipeline::Options options;
  std::atomic<bool> is_running{false};
  Budget budget;
  std::vector<StageSpec> stages;
  std::vector<std::shared_ptr<PoolCore>> pools;
  Report last_report;
};

namespace {

/// While it lives, the pipeline runs, and cannot be run once more.
class Running {
 public:
  explicit Running(PipelineState& state) : state_(state) {
    if (!state_.is_running.exchange(true)) return;
    throw UsageError(concat("pipeline '", state.options.name,
                            "': run() while it runs, in a stage of its own or in another thread; "
                            "what a stage runs must be another pipeline"));
  }
  ~Running() { state_.is_running = false; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  PipelineState& state_;
};

/// The stages of `state` that a new stage, of this name, reads.
std::vector<int> indices_of(const std::vector<StreamEnd>& inputs, const PipelineState& state,
                            const std::string& name) {
  std::vector<int> indices;
  for (const StreamEnd& input : inputs) {
    const std::shared_ptr<PipelineState> other = input.pipeline.lock();
    if (other.get() == &state) {
      indices.push_back(input.stage);
      continue;
    }
    const std::string what =
        other == nullptr ? std::string("is a stream of a pipeline that is gone")
                         : concat("is the output of '",
                                  other->stages[static_cast<std::size_t>(input.stage)].options.name,
                                  "' of another pipeline, '", other->options.name, "'");
    throw UsageError(concat("stage '", name, "': its input ", what,
                            "; a stage reads streams of its own pipeline, here '",
                            state.options.name, "'"));
  }
  return indices;
}

}  // namespace
}  // namespace detail

using detail::StageSpec;
Pipeline::Pipeline() : Pipeline(Options{}) {}

Pipeline::Pipeline(Options options)
    : state_(std::make_shared<detail::PipelineState>(std::move(options))) {}

detail::PipelineState& Pipeline::state() const {
  if (state_ != nullptr) return *state_;
  throw UsageError("this pipeline was moved from; use the one it was moved to");
}

detail::PipelineState& Pipeline::composing() const {
  if (!state().is_running) return *state_;
  throw UsageError(
      concat("pipeline '", state_->options.name, "': it runs; stages and pools are added before"));
}

void Pipeline::add_pool(const std::shared_ptr<detail::PoolCore>& pool) {
  detail::PipelineState& state = composing();
  state.budget.charge(pool->name(), static_cast<std::uint64_t>(pool->slots()), pool->bytes_each());
  state.pools.push_back(pool);
}

void Pipeline::charge(std::string name, std::uint64_t count, Bytes each) {
  state().budget.charge(std::move(name), count, each);
}

int Pipeline::concurrency(const Stage& stage) const {
  return stage.concurrency == kAllThreads ? state().options.threads : stage.concurrency;
}

detail::StreamEnd Pipeline::add(Kind kind, Stage stage,
                                const std::vector<detail::StreamEnd>& inputs, StageSpec spec) {
  detail::PipelineState& state = composing();
  spec.kind = kind;
  spec.inputs = detail::indices_of(inputs, state, stage.name);
  spec.options = std::move(stage);
  if (kind == Kind::with || kind == Kind::join) {
    spec.options.on = On::compute;
    spec.options.order = kind == Kind::with ? Order::source : Order::any;
  }
  if (spec.make_body == nullptr) spec.options.concurrency = 1;
  std::vector<StageSpec>& stages = state.stages;
  stages.push_back(std::move(spec));
  try {
    detail::check_added(stages, state.options.name);
  } catch (...) {
    stages.pop_back();
    throw;
  }
  return {state_, static_cast<int>(stages.size()) - 1};
}

Plan Pipeline::plan() const {
  Plan plan{.name = state().options.name, .threads = state_->options.threads};
  const std::vector<int> consumers = detail::count_consumers(state_->stages);
  for (const StageSpec& stage : state_->stages) {
    if (stage.kind != Kind::sink && consumers[plan.stages.size()] == 0) {
      throw UsageError(concat("pipeline '", plan.name, "': nothing reads the output of '",
                              stage.options.name, "'; end it with sink() or range()"));
    }
    plan.stages.push_back({.name = stage.options.name,
                           .kind = to_string(stage.kind),
                           .concurrency = concurrency(stage.options),
                           .on = stage.options.on,
                           .lane = stage.options.lane,
                           .order = stage.options.order,
                           .on_error = stage.options.on_error,
                           .pool = stage.pool ? stage.pool->name() : "",
                           .inputs = stage.inputs});
  }
  plan.charges = state_->budget.charges();
  plan.charged = state_->budget.charged();
  plan.limit = state_->budget.limit();
  return plan;
}

void Pipeline::check() const {
  (void)plan();
  detail::check_runs(state_->stages);
  check_budget();
}

void Pipeline::check_budget() const {
  state().budget.check();
}

namespace {

/// For the trace: what only one thread does.
std::string thread_name(const Plan::Line& line) {
  if (line.on != On::engine) return {};
  return line.lane.empty() ? "engine" : concat("engine '", line.lane, "'");
}

}  // namespace

Report Pipeline::run(std::stop_token stop) {
  const detail::Running running(state());
  check();
  const Plan checked = plan();
  const std::filesystem::path& trace_file = state_->options.trace;
  detail::Trace trace(!trace_file.empty());
  for (const StageSpec& stage : state_->stages) {
    if (stage.hand_over == nullptr || stage.hand_over->has_begun()) continue;
    throw UsageError(concat("pipeline '", state_->options.name,
                            "': it has a range, and runs while that is looped over"));
  }
  for (const auto& pool : state_->pools) pool->allocate();
  for (const StageSpec& stage : state_->stages) {
    if (stage.pool != nullptr) stage.pool->allocate();
  }

  for (StageSpec& stage : state_->stages) stage.has_run = true;
  detail::RunControl control;
  const detail::Clock::time_point origin = detail::Clock::now();
  {
    const std::stop_callback on_stop(stop, [&control] { control.request_stop(); });
    state_->last_report =
        detail::run_stages(state_->stages, state_->options.threads, control, trace,
                           state_->options.watch.get(), state_->options.stall);
  }
  Report& report = state_->last_report;
  report.name = state_->options.name;
  report.begin = origin;
  report.stopped = stop.stop_requested() && control.is_ending();
  report.skipped = control.skips();
  report.trace_events_lost = trace.lost();
  if (!trace_file.empty()) {
    std::vector<detail::Trace::Stage> names;
    for (const Plan::Line& line : checked.stages) names.push_back({line.name, thread_name(line)});
    try {
      trace.write(trace_file, report.name, names, origin);
    } catch (const Error& error) {  // what was run is not lost with it
      report.remarks.push_back(concat("there is no trace: ", error.what()));
    }
  }
  control.rethrow();
  return report;
}

const Report& Pipeline::last_report() const {
  return state().last_report;
}

}  // namespace millrace
