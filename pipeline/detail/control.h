#pragma once
// The fate of a run, shared by its stages: the first error, the skips, a request to stop.

#include <millrace/pipeline/stage.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::detail {

/// More was skipped than the policy allows: code that catches it must not skip that too.
class SkipLimitError : public Error {
 public:
  using Error::Error;
};

/// Thread-safe.
class RunControl {
 public:
  /// True once the run is ending early: sources stop, items become tombstones.
  [[nodiscard]] bool is_ending() const noexcept { return stop_.stop_requested(); }
  [[nodiscard]] std::stop_token token() const noexcept { return stop_.get_token(); }
  void request_stop() noexcept { stop_.request_stop(); }

  /// Records the first error and ends the run.
  /// Allocates nothing; `stage` must outlive this.
  void fail(std::string_view stage, std::uint64_t item, std::exception_ptr cause) noexcept;
  /// Keeps the first different reasons for the report.
  void note_skip(const std::string& stage, const std::string& what);

  [[nodiscard]] bool has_failed() const;
  void rethrow() const;  ///< throws StageError if there was an error
  [[nodiscard]] std::vector<std::string> skips() const;

 private:
  static constexpr std::size_t kKeptSkips = 20;
  struct Failure {
    std::string_view stage;
    std::uint64_t item;
    std::exception_ptr cause;
  };
  std::stop_source stop_;
  mutable std::mutex mutex_;  // guards failure_ and skips_
  std::optional<Failure> failure_;
  std::vector<std::string> skips_;
};

/// The text of an exception; "unknown exception" when it is not a std::exception.
[[nodiscard]] std::string message_of(const std::exception_ptr& error);

}  // namespace millrace::detail
