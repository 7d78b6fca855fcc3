#include <millrace/pipeline/pipeline.h>

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

namespace {

int add_stage(PipelineState& state, StageSpec spec) {
  const std::string& name = spec.options.name;
  if (name.empty())
    throw UsageError(concat("pipeline '", state.options.name, "': a stage has no name"));
  if (spec.options.concurrency < 0) {
    throw UsageError(concat("stage '", name, "': concurrency must be 1 or more, or kAllThreads"));
  }
  if (spec.options.on == On::engine && spec.options.concurrency != 1) {
    throw UsageError(
        concat("stage '", name, "': the engine has one thread, so its concurrency is 1"));
  }
  for (const StageSpec& other : state.stages) {
    if (other.options.name == name) throw UsageError(concat("two stages are called '", name, "'"));
    if (spec.pool != nullptr && other.pool == spec.pool) {
      throw UsageError(concat("stage '", name, "': pool '", spec.pool->name(), "' already feeds '",
                              other.options.name, "'"));
    }
  }
  const int index = static_cast<int>(state.stages.size());
  if (spec.input >= 0) {
    StageSpec& producer = state.stages.at(static_cast<std::size_t>(spec.input));
    if (producer.consumer >= 0) {
      throw UsageError(concat(
          "stage '", name, "': the output of '", producer.options.name, "' already goes to '",
          state.stages[static_cast<std::size_t>(producer.consumer)].options.name, "'"));
    }
    producer.consumer = index;
  }
  state.stages.push_back(std::move(spec));
  return index;
}

bool has_gather_before(const std::vector<StageSpec>& stages, int stage) {
  for (; stage >= 0; stage = stages[static_cast<std::size_t>(stage)].input) {
    if (stages[static_cast<std::size_t>(stage)].kind == StageSpec::Kind::gather) return true;
  }
  return false;
}

}  // namespace
}  // namespace detail

using detail::StageSpec;
using Kind = StageSpec::Kind;

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

int Pipeline::add_source(Stage stage, std::shared_ptr<detail::PoolCore> pool,
                         std::function<std::unique_ptr<detail::SourceBody>()> make) {
  StageSpec spec{.kind = Kind::source, .options = std::move(stage)};
  spec.options.concurrency = 1;
  spec.pool = std::move(pool);
  spec.make_source = std::move(make);
  return detail::add_stage(*state_, std::move(spec));
}

int Pipeline::add_then(int input, Stage stage, std::function<std::unique_ptr<detail::Body>()> make,
                       bool is_pending) {
  StageSpec spec{.kind = Kind::then, .options = std::move(stage), .input = input};
  spec.make_body = std::move(make);
  spec.is_pending = is_pending;
  return detail::add_stage(*state_, std::move(spec));
}

int Pipeline::add_with(int input, Stage stage, std::shared_ptr<detail::PoolCore> pool,
                       detail::JoinSlot join) {
  StageSpec spec{.kind = Kind::with, .options = std::move(stage), .input = input};
  spec.options.concurrency = 1;
  spec.options.on = On::compute;
  spec.options.order = Order::source;
  spec.pool = std::move(pool);
  spec.join = std::move(join);
  return detail::add_stage(*state_, std::move(spec));
}

int Pipeline::add_gather(int input, std::string name, detail::GatherItems gather) {
  if (detail::has_gather_before(state_->stages, input)) {
    throw UsageError(concat("stage '", name, "': the stream was gathered before"));
  }
  StageSpec spec{.kind = Kind::gather, .options = {.name = std::move(name)}, .input = input};
  spec.gather = std::move(gather);
  return detail::add_stage(*state_, std::move(spec));
}

void Pipeline::add_sink(int input, Stage stage,
                        std::function<std::unique_ptr<detail::Body>()> make) {
  StageSpec spec{.kind = Kind::sink, .options = std::move(stage), .input = input};
  spec.make_body = std::move(make);
  detail::add_stage(*state_, std::move(spec));
}

Plan Pipeline::plan() const {
  Plan plan{.name = state_->options.name, .threads = state_->options.threads};
  constexpr const char* kKinds[] = {"source", "then", "with", "gather", "sink"};
  for (const StageSpec& stage : state_->stages) {
    if (stage.kind != Kind::sink && stage.consumer < 0) {
      throw UsageError(concat("pipeline '", plan.name, "': nothing reads the output of '",
                              stage.options.name, "'; end it with sink() or range()"));
    }
    plan.stages.push_back({.name = stage.options.name,
                           .kind = kKinds[static_cast<std::size_t>(stage.kind)],
                           .concurrency = concurrency(stage.options),
                           .on = stage.options.on,
                           .order = stage.options.order,
                           .on_error = stage.options.on_error,
                           .pool = stage.pool ? stage.pool->name() : "",
                           .input = stage.input});
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
    state_->last_report = detail::run_stages(state_->stages, state_->options.threads, control,
                                             trace, state_->options.watch.get());
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
