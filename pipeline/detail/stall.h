#pragma once
// The thread that watches a run and reports when nothing moves any more.

#include <millrace/pipeline/detail/node.h>
#include <millrace/pipeline/stall_watch.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace millrace::detail {

using Nodes = std::vector<std::unique_ptr<Node>>;

/// "nothing has moved for 60 s: ...", and the stage to blame or null. Any thread, while the nodes
/// run.
struct StallReport {
  std::string line;
  const Node* stage = nullptr;
  std::uint64_t item = 0;
};
[[nodiscard]] StallReport describe_stall(const Nodes& nodes, double after_s, Clock::time_point now);

/// Watches from its construction to its destruction; does nothing if the watch is off.
class StallGuard {
 public:
  StallGuard(const StallWatch& watch, const Nodes& nodes, RunControl& control);
  ~StallGuard();
  StallGuard(const StallGuard&) = delete;
  StallGuard& operator=(const StallGuard&) = delete;

 private:
  void work();
  void tell();

  const StallWatch& watch_;
  const Nodes& nodes_;
  RunControl& control_;
  std::mutex mutex_;  // guards is_over_
  std::condition_variable ended_;
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace millrace::detail
