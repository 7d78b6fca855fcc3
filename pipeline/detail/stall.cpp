#include <millrace/pipeline/detail/stall.h>

#include <algorithm>
#include <iomanip>
#include <set>
#include <sstream>
#include <utility>

namespace millrace::detail {
namespace {

std::string seconds_text(double seconds) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(seconds < 10 ? 1 : 0) << seconds << " s";
  return std::move(out).str();
}

std::uint64_t movement(const Nodes& nodes) {
  std::uint64_t sum = 0;
  for (const auto& node : nodes) sum = 31 * sum + node->movement();
  return sum;
}

std::string name_of(const Node& node) {
  return concat('\'', node.spec().options.name, '\'');
}

std::string items(std::int64_t count) {
  return concat(count, count == 1 ? " item" : " items");
}

/// The stage whose call has been under way for longest, and that call.
std::pair<const Node*, CallView> longest_call(const Nodes& nodes) {
  std::pair<const Node*, CallView> longest{nullptr, {}};
  for (const auto& node : nodes) {
    std::optional<CallView> call = node->longest_call();
    if (call && (longest.first == nullptr || call->since < longest.second.since)) {
      longest = {node.get(), *std::move(call)};
    }
  }
  return longest;
}

/// The pools without a free slot, and where the items are that can hold one.
std::string starved_pools(const Nodes& nodes) {
  std::ostringstream out;
  for (const auto& owner : nodes) {
    const PoolCore* const pool = owner->spec().pool.get();
    if (pool == nullptr || pool->free_slots() > 0) continue;
    out << "; " << (pool->slots() == 1 ? "the slot" : concat("all ", pool->slots(), " slots"))
        << " of pool '" << pool->name() << "' " << (pool->slots() == 1 ? "is" : "are") << " held";
    std::set<const Node*> behind{owner.get()};
    const char* between = " by ";
    for (const auto& node : nodes) {  // in the order in which they were added: inputs come first
      const bool follows = std::any_of(node->inputs().begin(), node->inputs().end(),
                                       [&](const Node* input) { return behind.count(input) > 0; });
      if (!follows) continue;
      behind.insert(node.get());
      const std::int64_t pending = node->counters().pending();
      if (pending <= 0) continue;
      out << std::exchange(between, ", ") << items(pending) << " at " << name_of(*node);
    }
    if (*between == ' ') out << " outside the pipeline";
  }
  return std::move(out).str();
}

std::string work_elsewhere(const Nodes& nodes) {
  for (const auto& node : nodes) {
    const std::int64_t count = node->counters().in_flight();
    if (count > 0) {
      return concat("what stage ", name_of(*node), " began for ", items(count), " has not ended");
    }
  }
  return "no stage is at work";
}

}  // namespace

StallReport describe_stall(const Nodes& nodes, double after_s, Clock::time_point now) {
  StallReport report;
  const auto [node, call] = longest_call(nodes);
  report.stage = node;
  report.line = concat("nothing has moved for ", seconds_text(after_s), ": ");
  if (node == nullptr) {
    report.line += work_elsewhere(nodes);
  } else {
    const double busy_s = std::chrono::duration<double>(now - call.since).count();
    report.item = call.item;
    report.line += concat("stage ", name_of(*node), " has worked on item ", call.item,
                          call.part.empty() ? "" : concat(" (", call.part, ')'), " for ",
                          seconds_text(busy_s));
  }
  report.line += starved_pools(nodes);
  return report;
}

StallGuard::StallGuard(const StallWatch& watch, const Nodes& nodes, RunControl& control)
    : watch_(watch), nodes_(nodes), control_(control) {
  if (watch.after_s > 0) thread_ = std::thread([this] { work(); });
}

StallGuard::~StallGuard() {
  {
    const std::scoped_lock lock(mutex_);
    is_over_ = true;
  }
  ended_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void StallGuard::work() {
  constexpr int kLooks = 4;  // while nothing moves, before it is told
  const std::chrono::duration<double> pause(watch_.after_s / kLooks);
  std::uint64_t before = movement(nodes_);
  int still = 0;
  std::unique_lock lock(mutex_);
  while (!ended_.wait_for(lock, pause, [this] { return is_over_; })) {
    const std::uint64_t now = movement(nodes_);
    still = now == before ? still + 1 : 0;
    before = now;
    if (still == kLooks) tell();
  }
}

void StallGuard::tell() {
  try {
    const StallReport report = describe_stall(nodes_, watch_.after_s, Clock::now());
    if (watch_.tell) watch_.tell(report.line);
    if (!watch_.ends_run) return;
    const std::string_view stage =
        report.stage == nullptr ? "pipeline" : std::string_view(report.stage->spec().options.name);
    control_.fail(stage, report.item, std::make_exception_ptr(Error(report.line)));
  } catch (...) {  // no memory for a line: the run is not worse off for it
  }
}

}  // namespace millrace::detail
