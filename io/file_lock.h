#pragma once
// A lock that the kernel keeps on a file: only one process has it, and it ends with the process,
// however that ends.

#include <filesystem>

namespace millrace {

/// flock(2), exclusive and without waiting. It is advice: only who asks for it is kept away. Two
/// objects are two owners, also in one process. Forked children own it too until they end or run
/// another program.
///
/// Thread safety: none for one object.
class FileLock {
 public:
  enum class State {
    held,   ///< by this object, until it is destroyed
    taken,  ///< by another one
    none,   ///< the file system has no locks: nothing is known of others
  };

  /// Opens the file, which is made if it is not there, and asks for its lock. The file stays when
  /// the lock ends. Throws Error naming it: it cannot be opened for writing.
  explicit FileLock(const std::filesystem::path& path);
  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  [[nodiscard]] State state() const noexcept { return state_; }

 private:
  int descriptor_ = -1;
  State state_ = State::none;
};

}  // namespace millrace
