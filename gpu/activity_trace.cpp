#include <millrace/gpu/activity.h>

#include <millrace/core/error.h>
#include <millrace/core/json_text.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iomanip>
#include <iterator>
#include <set>
#include <sstream>

namespace millrace::gpu {
namespace {

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
    throw Error(concat("trace: ", trace.string(), " is no trace of a pipeline"));
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
