#include <millrace/pipeline/detail/rules.h>

#include <millrace/pipeline/detail/hand_over.h>

#include <algorithm>

namespace millrace::detail {
namespace {

using Kind = StageSpec::Kind;

const StageSpec& at(const std::vector<StageSpec>& stages, int index) {
  return stages[static_cast<std::size_t>(index)];
}

void check_options(const StageSpec& spec, const std::string& pipeline) {
  const std::string& name = spec.options.name;
  if (name.empty()) throw UsageError(concat("pipeline '", pipeline, "': a stage has no name"));
  if (spec.options.concurrency < 0) {
    throw UsageError(concat("stage '", name, "': concurrency must be 1 or more, or kAllThreads"));
  }
  if (spec.options.on == On::engine && spec.options.concurrency != 1) {
    throw UsageError(
        concat("stage '", name, "': the engine has one thread, so its concurrency is 1"));
  }
  if (!spec.options.lane.empty() && spec.options.on != On::engine) {
    throw UsageError(concat("stage '", name, "': the lane '", spec.options.lane,
                            "' is a thread of the engine; set .on = On::engine too"));
  }
  if (spec.is_serial && spec.options.concurrency != 1) {
    throw UsageError(concat("stage '", name,
                            "': its node keeps state from item to item and takes one at a time; "
                            "its concurrency is 1"));
  }
  if (spec.runs_once && spec.options.concurrency != 1) {
    throw UsageError(concat("stage '", name,
                            "': its node cannot be copied, and concurrent calls have a copy "
                            "each; its concurrency is 1"));
  }
  if (spec.begin && spec.begin->items > 0 && !spec.takes_position) {
    throw UsageError(concat("stage '", name, "': it cannot begin at item ", spec.begin->items,
                            ", since its source has no position; give a factory, make(Position)"));
  }
  const bool has_body = spec.kind == Kind::then || spec.kind == Kind::sink;
  if (spec.options.on_error.retries > 0 && !has_body) {
    throw UsageError(concat("stage '", name, "': a ", to_string(spec.kind),
                            " cannot be tried again; only then() and sink() can"));
  }
}

void check_unique(const std::vector<StageSpec>& stages) {
  const StageSpec& added = stages.back();
  for (std::size_t i = 0; i + 1 < stages.size(); ++i) {
    const std::string& other = stages[i].options.name;
    if (other == added.options.name)
      throw UsageError(concat("two stages are called '", other, "'"));
    if (added.pool != nullptr && stages[i].pool == added.pool) {
      throw UsageError(concat("stage '", added.options.name, "': pool '", added.pool->name(),
                              "' already feeds '", other, "'"));
    }
  }
}

/// Source calls can be told apart only where nothing was gathered or joined before.
void check_gather(const std::vector<StageSpec>& stages) {
  const StageSpec& added = stages.back();
  if (added.kind != Kind::gather) return;
  for (const StageSpec* spec = &added; !spec->inputs.empty();) {
    spec = &at(stages, spec->inputs.front());
    if (spec->kind != Kind::gather && spec->kind != Kind::join) continue;
    throw UsageError(concat("stage '", added.options.name, "': the stream was ",
                            spec->kind == Kind::gather ? "gathered" : "joined", " before"));
  }
}

/// One of the stages that read what `reader` reads, other than it.
const std::string& other_reader(const std::vector<StageSpec>& stages, int stream, int reader) {
  for (int i = 0; i < static_cast<int>(stages.size()); ++i) {
    const std::vector<int>& inputs = at(stages, i).inputs;
    if (i != reader && std::find(inputs.begin(), inputs.end(), stream) != inputs.end()) {
      return at(stages, i).options.name;
    }
  }
  return at(stages, reader).options.name;  // joined with itself
}

/// Whoever writes what it was given, or would be given it once more, must be the only one that has
/// it: nobody else reads the stream, nor one further up from which the item may hold a lease.
void check_sole_owners(const std::vector<StageSpec>& stages) {
  const std::vector<int> consumers = count_consumers(stages);
  struct Shared {
    int stream = -1;  // through which others have the item
    int reader = -1;  // of it, on the way to here
  };
  std::vector<Shared> shared_at(stages.size());
  for (int i = 0; i < static_cast<int>(stages.size()); ++i) {
    const StageSpec& spec = at(stages, i);
    for (const int input : spec.inputs) {
      Shared shared = shared_at[static_cast<std::size_t>(input)];
      if (shared.stream < 0) continue;
      if (shared.reader < 0) shared.reader = i;
      const bool retries = spec.options.on_error.retries > 0;
      if (spec.writes_input || retries) {
        throw UsageError(
            concat("stage '", spec.options.name, "': ",
                   retries ? "what is tried again must have a sole owner"
                           : "it writes into its items, which must then have a sole owner",
                   ", but the output of '", at(stages, shared.stream).options.name,
                   "' also goes to '", other_reader(stages, shared.stream, shared.reader), "'"));
      }
      if (spec.can_hold_leases) shared_at[static_cast<std::size_t>(i)] = shared;
    }
    if (consumers[static_cast<std::size_t>(i)] > 1)
      shared_at[static_cast<std::size_t>(i)] = {i, -1};
  }
}

}  // namespace

const char* to_string(StageSpec::Kind kind) noexcept {
  switch (kind) {
    case Kind::source: return "source";
    case Kind::then: return "then";
    case Kind::with: return "with";
    case Kind::gather: return "gather";
    case Kind::join: return "join";
    case Kind::sink: return "sink";
  }
  return "?";
}

std::vector<int> count_consumers(const std::vector<StageSpec>& stages) {
  std::vector<int> consumers(stages.size(), 0);
  for (const StageSpec& spec : stages) {
    for (const int input : spec.inputs) ++consumers[static_cast<std::size_t>(input)];
  }
  return consumers;
}

void check_added(const std::vector<StageSpec>& stages, const std::string& pipeline) {
  check_options(stages.back(), pipeline);
  check_unique(stages);
  check_gather(stages);
  check_sole_owners(stages);
}

void check_runs(const std::vector<StageSpec>& stages) {
  for (const StageSpec& spec : stages) {
    if (spec.hand_over != nullptr && spec.has_run) {
      throw UsageError(concat("stage '", spec.options.name,
                              "': a range has been looped over, and its pipeline ran then; compose "
                              "another one for another run"));
    }
    if (!spec.runs_once || !spec.has_run) continue;
    const bool is_of_slots = spec.begin.has_value();
    throw UsageError(concat("stage '", spec.options.name,
                            "': what it was given cannot be copied, and has run; for another run ",
                            is_of_slots ? "give a factory, make(Position), that makes it"
                                        : "give one that can be copied"));
  }
}

void check_loops(const std::vector<StageSpec>& stages, const std::string& pipeline) {
  for (const StageSpec& spec : stages) {
    if (spec.hand_over == nullptr || spec.hand_over->has_begun()) continue;
    throw UsageError(
        concat("pipeline '", pipeline, "': it has a range, and runs while that is looped over"));
  }
}

}  // namespace millrace::detail
