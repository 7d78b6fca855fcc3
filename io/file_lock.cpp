#include <millrace/io/file_lock.h>

#include <millrace/core/error.h>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <cerrno>
#include <system_error>
#include <utility>

namespace millrace {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* what, int error) {
  throw Error(concat(path.string(), ": ", what, ": ", std::generic_category().message(error)));
}

/// What flock(2) says where there are no locks, or the server that keeps them does not answer.
bool means_no_locks(int error) {
  return error == ENOLCK || error == ENOSYS || error == EOPNOTSUPP || error == ENOTSUP ||
         error == EINVAL || error == EBADF || error == EIO;
}

}  // namespace

// Open for writing, since NFS gives exclusive locks to writers alone.
FileLock::FileLock(const std::filesystem::path& path) {
  constexpr mode_t kMode = 0666;
  do {
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, kMode);
  } while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) fail(path, "cannot be written", errno);
  int result = 0;
  do {
    result = ::flock(descriptor_, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result == 0) {
    state_ = State::held;
    return;
  }
  const int error = errno;
  state_ = error == EWOULDBLOCK ? State::taken : State::none;
  if (state_ == State::taken || means_no_locks(error)) return;
  ::close(descriptor_);
  fail(path, "cannot be locked", error);
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

FileLock::FileLock(FileLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      state_(std::exchange(other.state_, State::none)) {}

}  // namespace millrace
