#include <millrace/pipeline/pipeline.h>

#include <millrace/pipeline/detail/rules.h>
#include <millrace/pipeline/detail/run.h>
#include <millrace/pipeline/threads.h>

#include <algorithm>

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
  Budget budget;
  std::vector<StageSpec> stages;
  std::vector<std::shared_ptr<PoolCore>> pools;
  Report last_report;
};

}  // namespace detail

using detail::StageSpec;
Pipeline::Pipeline() : Pipeline(Options{}) {}

Pipeline::Pipeline(Options options)
    : state_(std::make_shared<detail::PipelineState>(std::move(options))) {}

void Pipeline::add_pool(const std::shared_ptr<detail::PoolCore>& pool) {
  state_->budget.charge(pool->name(), static_cast<std::uint64_t>(pool->slots()),
                        pool->bytes_each());
  state_->pools.push_back(pool);
}

void Pipeline::charge(std::string name, std::uint64_t count, Bytes each) {
  state_->budget.charge(std::move(name), count, each);
}

int Pipeline::concurrency(const Stage& stage) const {
  return stage.concurrency == kAllThreads ? state_->options.threads : stage.concurrency;
}

int Pipeline::add(Kind kind, Stage stage, std::vector<int> inputs, StageSpec spec) {
  spec.kind = kind;
  spec.options = std::move(stage);
  spec.inputs = std::move(inputs);
  if (kind == Kind::with || kind == Kind::join) {
    spec.options.on = On::compute;
    spec.options.order = kind == Kind::with ? Order::source : Order::any;
  }
  if (spec.make_body == nullptr) spec.options.concurrency = 1;
  std::vector<StageSpec>& stages = state_->stages;
  stages.push_back(std::move(spec));
  try {
    detail::check_added(stages, state_->options.name);
  } catch (...) {
    stages.pop_back();
    throw;
  }
  return static_cast<int>(stages.size()) - 1;
}

Plan Pipeline::plan() const {
  Plan plan{.name = state_->options.name, .threads = state_->options.threads};
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
  state_->budget.check();
}

Report Pipeline::run(std::stop_token stop) {
  check();
  const Plan checked = plan();
  const std::filesystem::path& trace_file = state_->options.trace;
  detail::Trace trace(!trace_file.empty());
  for (const auto& pool : state_->pools) pool->allocate();
  for (const StageSpec& stage : state_->stages) {
    if (stage.pool != nullptr) stage.pool->allocate();
  }

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
    std::vector<std::string> names;
    for (const Plan::Line& line : checked.stages) names.push_back(line.name);
    try {
      trace.write(trace_file, report.name, names, origin);
    } catch (const Error&) {
      if (!control.has_failed()) throw;  // the first error is the one to tell
    }
  }
  control.rethrow();
  return report;
}

const Report& Pipeline::last_report() const {
  return state_->last_report;
}

}  // namespace millrace
