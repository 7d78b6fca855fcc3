#pragma once
// A child process that answers requests, for a library that a damaged file may crash, hang
// or make ask for endless memory: its failures become an Error.

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

namespace millrace::detail {

class HelperProcess {
 public:
  /// Runs in the child: request in, reply out. An exception becomes an Error of ask().
  using Answer = std::function<std::vector<std::byte>(std::span<const std::byte> request)>;

  /// Forks. `patience` is how long the child may stay silent. Throws Error (no process available).
  HelperProcess(Answer answer, std::chrono::milliseconds patience);
  /// Ends the child, whatever it does.
  ~HelperProcess();
  HelperProcess(const HelperProcess&) = delete;
  HelperProcess& operator=(const HelperProcess&) = delete;

  /// The reply, at most `most` bytes. Throws Error: the message of the child's exception, or how
  /// the child ended, or that it took too long. After an error of the second kind the child is
  /// gone.
  [[nodiscard]] std::vector<std::byte> ask(std::span<const std::byte> request, std::size_t most);
  /// The same for a reply of exactly into.size() bytes.
  void ask(std::span<const std::byte> request, std::span<std::byte> into);

 private:
  [[nodiscard]] std::size_t send(std::span<const std::byte> request, std::size_t most);
  void receive(std::span<std::byte> into);
  [[noreturn]] void fail(const std::string& silence);
  int end() noexcept;  ///< the child's status as waitpid() gives it

  std::chrono::milliseconds patience_;
  pid_t child_ = -1;
  int socket_ = -1;
};

}  // namespace millrace::detail
