#pragma once
// The exceptions of Millrace and the check of a contract. All code throws these; only a program's
// main() turns them into an exit status. An error is one line: what, where, which file, what to do.

#include <sstream>
#include <stdexcept>
#include <string>

namespace millrace {

/// A failure of the run: bad data, a full disk, a limit that does not hold. Exit status 1.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A failure whose text has further lines, a sum that shows why; all others have one.
class ErrorWithSum : public Error {
 public:
  using Error::Error;
};

/// A request that makes no sense: an unknown option, a value out of range. Exit status 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// Joins its arguments into one text, as a stream would print them.
template <class... Parts>
[[nodiscard]] std::string concat(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return std::move(text).str();
}

/// Throws std::logic_error. Called by MILLRACE_CHECK only.
[[noreturn]] void check_failed(const char* condition, const char* file, int line,
                               const std::string& message);

}  // namespace millrace

/// A contract between callers of the library, on in every build. The rest of the arguments say what
/// was expected and what came: MILLRACE_CHECK(a == b, "sizes must match: ", a, " and ", b).
#define MILLRACE_CHECK(condition, ...)                                                           \
  do {                                                                                           \
    if (!(condition)) {                                                                          \
      ::millrace::check_failed(#condition, __FILE__, __LINE__, ::millrace::concat(__VA_ARGS__)); \
    }                                                                                            \
  } while (false)
