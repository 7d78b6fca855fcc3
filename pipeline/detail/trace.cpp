#include <millrace/pipeline/detail/trace.h>

#include <millrace/core/error.h>
#include <millrace/core/json_text.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iomanip>
#include <map>

namespace millrace::detail {
namespace {

double microseconds(Clock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

}  // namespace

Trace::Trace(bool enabled) : events_(enabled ? kEvents : 0) {}

void Trace::record(int stage, std::uint64_t sequence, Clock::time_point begin,
                   Clock::time_point end) noexcept {
  if (events_.empty()) return;
  const std::size_t at = used_.fetch_add(1, std::memory_order_relaxed);
  if (at < events_.size()) events_[at] = {begin, end, sequence, std::this_thread::get_id(), stage};
}

std::uint64_t Trace::lost() const noexcept {
  const std::size_t used = used_.load(std::memory_order_relaxed);
  return used > events_.size() && !events_.empty() ? used - events_.size() : 0;
}

void Trace::write(const std::filesystem::path& path, const std::string& process,
                  const std::vector<Stage>& stages, Clock::time_point origin) const {
  std::filesystem::path partial = path;
  partial += ".partial";
  std::ofstream out(partial);
  out << std::fixed << std::setprecision(3);
  out << "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
      << R"({"name":"process_name","ph":"M","pid":1,"args":{"name":)" << json_quoted(process)
      << "}}";
  std::map<std::thread::id, int> threads;
  const std::size_t used = std::min(used_.load(std::memory_order_relaxed), events_.size());
  for (std::size_t i = 0; i < used; ++i) {
    const Event& event = events_[i];
    const Stage& stage = stages[static_cast<std::size_t>(event.stage)];
    const auto [found, is_new] =
        threads.try_emplace(event.thread, static_cast<int>(threads.size()) + 1);
    const int thread = found->second;
    if (is_new && !stage.thread.empty()) {
      out << R"(,
{"name":"thread_name","ph":"M","pid":1,"tid":)"
          << thread << R"(,"args":{"name":)" << json_quoted(stage.thread) << "}}";
    }
    out << ",\n{\"name\":" << json_quoted(stage.name) << R"(,"ph":"X","pid":1,"tid":)" << thread
        << ",\"ts\":" << microseconds(event.begin - origin)
        << ",\"dur\":" << microseconds(event.end - event.begin) << R"(,"args":{"item":)"
        << event.sequence << "}}";
  }
  out << "\n]}\n";
  out.close();
  if (out.fail() || std::rename(partial.c_str(), path.c_str()) != 0) {
    const std::string reason = std::strerror(errno);
    std::error_code ignored;
    std::filesystem::remove(partial, ignored);
    throw Error(concat("trace: cannot write ", path.string(), ": ", reason));
  }
}

}  // namespace millrace::detail
