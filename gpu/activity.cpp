#include <millrace/gpu/activity.h>

#include <millrace/core/error.h>

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iomanip>
#include <map>
#include <memory>
#include <sstream>

namespace millrace::gpu {
namespace {

using Clock = Activity::Clock;
using Kind = Activity::Kind;

struct Interval {
  Clock::time_point begin, end;
};

double seconds(Clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

// Time in which at least one of them ran.
double covered(std::vector<Interval> intervals) {
  std::ranges::sort(intervals, {}, &Interval::begin);
  Clock::duration sum{};
  Clock::time_point reached = Clock::time_point::min();
  for (const Interval& interval : intervals) {
    const auto begin = std::max(interval.begin, reached);
    if (interval.end <= begin) continue;
    sum += interval.end - begin;
    reached = interval.end;
  }
  return seconds(sum);
}

bool is_copy(Kind kind) {
  return kind == Kind::to_device || kind == Kind::to_host || kind == Kind::on_device;
}

void count(ActivitySummary& summary, const Activity& activity) {
  switch (activity.kind) {
    case Kind::kernel: ++summary.kernels; break;
    case Kind::graph: ++summary.graphs; break;
    case Kind::to_device: summary.to_device += {activity.bytes}; break;
    case Kind::to_host: summary.to_host += {activity.bytes}; break;
    case Kind::on_device: summary.on_device += {activity.bytes}; break;
    case Kind::fill: break;
  }
  if (is_copy(activity.kind)) ++summary.copies;
}

int percent(double part) {
  return static_cast<int>(100 * part + 0.5);
}

}  // namespace

ActivitySummary summarize(std::span<const Activity> activities, Clock::time_point begin,
                          Clock::time_point end) {
  ActivitySummary summary;
  summary.span_s = std::max(0.0, seconds(end - begin));
  std::vector<Interval> all, compute, copies;
  std::map<std::string_view, ActivitySummary::Share> shares;
  for (const Activity& activity : activities) {
    const Interval inside{std::max(activity.begin, begin), std::min(activity.end, end)};
    if (inside.end <= inside.begin) continue;
    count(summary, activity);
    all.push_back(inside);
    (is_copy(activity.kind) ? copies : compute).push_back(inside);
    if (activity.kind != Kind::kernel && activity.kind != Kind::graph) continue;
    auto& share = shares[activity.name];
    ++share.calls;
    share.seconds += seconds(inside.end - inside.begin);
  }
  summary.busy_s = covered(std::move(all));
  summary.compute_s = covered(std::move(compute));
  summary.copy_s = covered(std::move(copies));
  summary.overlap_s = summary.compute_s + summary.copy_s - summary.busy_s;
  for (auto& [name, share] : shares) {
    share.name = name;
    summary.shares.push_back(std::move(share));
  }
  std::ranges::stable_sort(summary.shares, std::greater<>(), &ActivitySummary::Share::seconds);
  return summary;
}

std::string to_text(const ActivitySummary& s) {
  constexpr std::size_t kLines = 8;
  std::ostringstream text;
  text << "GPU busy " << percent(s.busy()) << " % of " << std::setprecision(3) << s.span_s
       << " s, idle " << s.idle_s() << " s; copied " << s.to_device << " to it and " << s.to_host
       << " from it in " << s.copy_s << " s, " << percent(s.overlap()) << " % beside compute\n";
  for (const auto& share : std::span(s.shares).first(std::min(kLines, s.shares.size()))) {
    const double part = s.compute_s > 0 ? share.seconds / s.compute_s : 0;
    text << std::setw(4) << percent(part) << " %  " << std::setw(9) << std::fixed
         << std::setprecision(3) << 1e3 * share.seconds << " ms  " << std::setw(7) << share.calls
         << "x  " << share.name << '\n';
  }
  return std::move(text).str();
}

std::string readable_kernel(const char* name) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> demangled(
      abi::__cxa_demangle(name, nullptr, nullptr, &status), std::free);
  if (status != 0) return name;
  std::string_view text = demangled.get();
  if (text.starts_with("void ")) text.remove_prefix(5);
  // The parameters begin at the first parenthesis that is in no template's arguments.
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '<') ++depth;
    if (text[i] == '>') --depth;
    if (text[i] == '(' && depth == 0 && !text.substr(i).starts_with("(anonymous namespace)")) {
      return std::string(text.substr(0, i));
    }
  }
  return std::string(text);
}

}  // namespace millrace::gpu
