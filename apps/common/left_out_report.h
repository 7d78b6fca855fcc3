#pragma once
// How commands report files that they left out.

#include "apps/common/progress.h"

#include <millrace/io/dataset.h>
#include <millrace/io/left_out.h>
#include <millrace/training/session_watch.h>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <stop_token>
#include <string>
#include <utility>

namespace millrace::apps {

/// A line that the user should know and that is no error, "note: ...": on standard output, or on
/// standard error where that is for the result alone (Show::nothing).
void print_note(const std::string& note, Show show);

/// Shows the work of a session and prints its notes.
[[nodiscard]] SessionWatch watch_of(WorkShown& work, Show show, std::stop_token stop);

/// {"left_out": 3, "left_out_by_reason": {"hidden": 2, "not_decoded": 1}}: how many files were left
/// out of folders, and how many images could not be decoded. Without reasons where there are none.
[[nodiscard]] nlohmann::ordered_json json_of(const LeftOut& left_out, std::uint64_t not_decoded);

/// What a command over named files has to say besides its results.
class Complaints {
 public:
  explicit Complaints(LeftOut left_out) : left_out_(std::move(left_out)) {}

  void say(const std::string& why);
  void not_decoded(const std::string& why);
  /// At the end: what was left out of folders, and in JSON how much of all.
  void sum_up(bool json) const;
  /// Whether nothing was reported and no image may be missing.
  [[nodiscard]] bool is_complete() const { return is_complete_ && !left_out_.loses_images(); }

 private:
  LeftOut left_out_;
  std::uint64_t not_decoded_ = 0;
  bool is_complete_ = true;
};

}  // namespace millrace::apps
