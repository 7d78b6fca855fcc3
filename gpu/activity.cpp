#include <millrace/gpu/activity.h>

#include <millrace/core/error.h>
#include <millrace/core/json_text.h>

#include <cxxabi.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iomanip>
#include <iterator>
#include <map>
#include <memory>
#include <set>
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

// The pipeline's own events are process 1.
constexpr int kProcess = 2;

double microseconds(Activity::Clock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

void write_name(std::ostream& out, const char* what, std::uint32_t thread,
                const std::string& name) {
  out << R"({"name":")" << what << R"(","ph":"M","pid":)" << kProcess << R"(,"tid":)" << thread
      << R"(,"args":{"name":)" << json_quoted(name) << "}}";
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) throw Error(concat("trace: cannot read ", path.string(), ": ", std::strerror(errno)));
  return text;
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
       << " from it in " << s.copy_s << " s, " << percent(s.overlap()) << " % during compute\n";
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

std::string trace_events(std::span<const Activity> activities, Activity::Clock::time_point origin) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(3);
  write_name(out, "process_name", 0, "GPU");
  std::set<std::uint32_t> streams;
  for (const Activity& activity : activities) {
    if (streams.insert(activity.stream).second) {
      out << ",\n";
      write_name(out, "thread_name", activity.stream, concat("stream ", activity.stream));
    }
    out << ",\n{\"name\":" << json_quoted(activity.name) << R"(,"ph":"X","pid":)" << kProcess
        << R"(,"tid":)" << activity.stream << R"(,"ts":)" << microseconds(activity.begin - origin)
        << R"(,"dur":)" << microseconds(activity.end - activity.begin) << R"(,"args":{"bytes":)"
        << activity.bytes << "}}";
  }
  return std::move(out).str();
}

void add_to_trace(const std::filesystem::path& trace, std::span<const Activity> activities,
                  Activity::Clock::time_point origin) {
  constexpr std::string_view kEnd = "\n]}\n";
  std::string text = contents(trace);
  if (!text.ends_with(kEnd)) {
    throw Error(concat("trace: ", trace.string(), " is not a trace of a pipeline"));
  }
  text.resize(text.size() - kEnd.size());
  std::filesystem::path partial = trace;
  partial += ".partial";
  std::ofstream out(partial, std::ios::binary);
  out << text << ",\n" << trace_events(activities, origin) << kEnd;
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(partial, trace, error);
  if (!out || error) {
    std::filesystem::remove(partial, error);
    throw Error(concat("trace: cannot write ", trace.string(), "; is the disk full?"));
  }
}

}  // namespace millrace::gpu
