#include <millrace/io/detail/helper_process.h>

#include <millrace/core/error.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <system_error>
#include <utility>

namespace millrace::detail {
namespace {

constexpr std::size_t kMostText = 64 << 10;  // of an error

/// In front of a reply.
struct Head {
  std::uint64_t bytes = 0;
  std::uint64_t is_error = 0;
};

template <class T>
std::span<std::byte> bytes_of(T& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

/// False when the other side is gone.
bool write_all(int socket, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

bool read_all(int socket, std::span<std::byte> into) {
  while (!into.empty()) {
    const ssize_t n = ::recv(socket, into.data(), into.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    into = into.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

/// Longer than any parent waits: a child that hangs ends also when its parent is gone. (A signal at
/// the parent's death would come at the end of the thread that forked.)
constexpr unsigned kMostSecondsOfAnAnswer = 120;

/// The child leaves no trace: no core, no words of its own, and no long life without its parent.
void become_helper() {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  for (const int number : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM})
    ::signal(number, SIG_DFL);
  // The terminal sends these to all its processes; the parent decides.
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_IGN);
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nowhere, stream);
}

std::vector<std::byte> text_of(const std::string& message) {
  const auto bytes = std::as_bytes(std::span(message)).first(std::min(message.size(), kMostText));
  return {bytes.begin(), bytes.end()};
}

/// Answers until the parent hangs up.
void serve(int socket, const HelperProcess::Answer& answer) {
  std::uint64_t length = 0;
  std::vector<std::byte> request;
  while (read_all(socket, bytes_of(length))) {
    request.resize(static_cast<std::size_t>(length));
    if (!read_all(socket, request)) return;
    std::vector<std::byte> reply;
    Head head;
    ::alarm(kMostSecondsOfAnAnswer);
    try {
      reply = answer(request);
    } catch (const std::exception& error) {
      reply = text_of(error.what());
      head.is_error = 1;
    }
    ::alarm(0);
    head.bytes = reply.size();
    if (!write_all(socket, bytes_of(head)) || !write_all(socket, reply)) return;
  }
}

}  // namespace

HelperProcess::HelperProcess(Answer answer, std::chrono::milliseconds patience)
    : patience_(patience) {
  int sockets[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    throw Error(concat("no socket available: ", std::generic_category().message(errno)));
  }
  child_ = ::fork();
  if (child_ == 0) {
    ::close(sockets[0]);
    become_helper();
    serve(sockets[1], answer);
    ::_exit(0);
  }
  ::close(sockets[1]);
  socket_ = sockets[0];
  if (child_ < 0) {
    const int error = errno;
    end();
    throw Error(concat("no process available: ", std::generic_category().message(error)));
  }
}

HelperProcess::~HelperProcess() {
  end();
}

std::vector<std::byte> HelperProcess::ask(std::span<const std::byte> request, std::size_t most) {
  std::vector<std::byte> reply(send(request, most));
  receive(reply);
  return reply;
}

void HelperProcess::ask(std::span<const std::byte> request, std::span<std::byte> into) {
  if (send(request, into.size()) != into.size()) fail("gave an answer of another length");
  receive(into);
}

std::size_t HelperProcess::send(std::span<const std::byte> request, std::size_t most) {
  const std::uint64_t length = request.size();
  if (socket_ < 0) throw Error("the process that read it is gone");
  if (!write_all(socket_, std::as_bytes(std::span(&length, 1))) || !write_all(socket_, request)) {
    fail("does not listen");
  }
  Head head;
  receive(bytes_of(head));
  if (head.bytes > (head.is_error != 0 ? kMostText : most)) fail("gave too long an answer");
  if (head.is_error == 0) return static_cast<std::size_t>(head.bytes);
  std::string message(static_cast<std::size_t>(head.bytes), '\0');
  receive(std::as_writable_bytes(std::span(message)));
  throw Error(message);
}

void HelperProcess::receive(std::span<std::byte> into) {
  while (!into.empty()) {
    pollfd readable{.fd = socket_, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&readable, 1, static_cast<int>(patience_.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) fail(concat("gave no answer in ", patience_.count(), " ms"));
    const ssize_t n = ::recv(socket_, into.data(), into.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail("ended");
    into = into.subspan(static_cast<std::size_t>(n));
  }
}

void HelperProcess::fail(const std::string& silence) {
  const int status = end();
  if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
    throw Error(concat("the process that read it crashed (", ::strsignal(WTERMSIG(status)), ")"));
  }
  throw Error("the process that read it " + silence);
}

int HelperProcess::end() noexcept {
  int status = 0;
  if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  if (child_ <= 0) return status;
  ::kill(child_, SIGKILL);  // one that is dying of another signal keeps that as its status
  while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
  return status;
}

}  // namespace millrace::detail
